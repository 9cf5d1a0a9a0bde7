//! The weights of a published network, for a training that begins with them.

use burn::module::Module;
use rddm_manifest::Digest;
use rddm_networks::Network;
use rddm_networks::checkpoint::StateDict;

use crate::error::{Error, Kind};
use crate::recipe::Recipe;
use crate::run::Checkpoint;

impl Checkpoint {
    /// This beginning with the weights of the network file that the recipe names, if it names one.
    ///
    /// # Errors
    /// When the file is missing, another one than the recipe's, or of a network of another shape.
    pub(crate) fn started(mut self, recipe: &Recipe, file: Option<&[u8]>) -> Result<Self, Error> {
        let Some(start) = &recipe.start else { return Ok(self) };
        let wrong = |problem: String| Error::new(Kind::Recipe, format!("start: {problem}"));
        let Some(file) = file else {
            return Err(wrong(format!("the network file of {} is not given", start.model)));
        };
        let found = Digest::of(file);
        if found != start.sha256 {
            return Err(wrong(format!(
                "the network of {} has the digest {found}, and the recipe begins with {}; name that file, or write the \
                 digest of this one",
                start.model, start.sha256
            )));
        }
        let place = start.model.to_string();
        self.network = with_weights(self.network, &place, file).map_err(wrong)?;
        self.average = self.network.clone().valid();
        Ok(self)
    }
}

fn with_weights(network: Network, place: &str, file: &[u8]) -> Result<Network, String> {
    let shapes = network.to_safetensors().map_err(|error| error.to_string())?;
    let shapes = StateDict::from_safetensors(place, &shapes).map_err(|error| error.to_string())?;
    let wanted: Vec<_> = shapes.iter().map(|(name, data)| (name, &data.shape()[..])).collect();
    let values = rddm_onnx::weights(file, &wanted).map_err(|error| {
        format!("{place}: {error}; the recipe's [network] must be that of {place}'s own recipe")
    })?;
    let tensors = wanted.iter().zip(values).map(|((name, shape), values)| {
        (name.to_string(), burn::tensor::TensorData::new(values, shape.to_vec()))
    });
    let weights = StateDict::new(place, tensors).to_safetensors();
    let weights = weights.map_err(|error| error.to_string())?;
    network.with_safetensors(weights).map_err(|error| error.to_string())
}
