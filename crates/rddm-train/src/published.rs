//! The weights of published networks: what a training begins with, and its teacher.

use burn::module::Module;
use burn::tensor::Device;
use rddm_manifest::{Digest, ModelId};
use rddm_networks::Network;

use crate::error::{Error, Kind};
use crate::recipe::{Recipe, Teacher};
use crate::run::Checkpoint;

/// The files of the networks that a recipe names; none where it names none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Published<'a> {
    /// Of the recipe's [`start`](Recipe::start); a training that goes on needs none.
    pub start: Option<&'a [u8]>,
    /// Of its [`teacher`](Recipe::teacher).
    pub teacher: Option<&'a [u8]>,
}

impl Checkpoint {
    /// This beginning with the weights of the network file that the recipe names, if it names one.
    ///
    /// # Errors
    /// When the file is missing, another one than the recipe's, or of a network of another shape.
    pub(crate) fn started(
        mut self,
        recipe: &Recipe,
        file: Option<&[u8]>,
        device: &Device,
    ) -> Result<Self, Error> {
        let Some(start) = &recipe.start else { return Ok(self) };
        let begun = start.network(&recipe.network)?.init(device);
        let begun = begun.map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
        let begun = read("start", begun, &start.model, &start.sha256, file)?;
        self.network = begun.with_first_outputs(recipe.network.outputs()).deepened(self.network);
        self.average = self.network.clone().valid();
        Ok(self)
    }
}

impl Teacher {
    /// The teacher's network, on a device without gradients.
    ///
    /// # Errors
    /// When the file is missing, another one than the recipe's, or of a network of another shape.
    pub(crate) fn load(&self, file: Option<&[u8]>, device: &Device) -> Result<Network, Error> {
        let network = self.network.init(&device.clone().inner());
        let network = network.map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
        read("teacher", network, &self.model, &self.sha256, file)
    }
}

/// `network` with the weights of `file`, which the recipe's table `key` names.
fn read(
    key: &str,
    network: Network,
    model: &ModelId,
    sha256: &Digest,
    file: Option<&[u8]>,
) -> Result<Network, Error> {
    let wrong = |problem: String| Error::new(Kind::Recipe, format!("{key}: {problem}"));
    let Some(file) = file else {
        return Err(wrong(format!("the network file of {model} is not given")));
    };
    let found = Digest::of(file);
    if found != *sha256 {
        return Err(wrong(format!(
            "the network of {model} has the digest {found}, and the recipe names {sha256}; name that file, or write the \
             digest of this one"
        )));
    }
    with_weights(network, &model.to_string(), file).map_err(wrong)
}

fn with_weights(network: Network, place: &str, file: &[u8]) -> Result<Network, String> {
    let own = network.state_dict().map_err(|error| error.to_string())?;
    let values = rddm_onnx::weights(file, &own.shapes()).map_err(|error| {
        format!("{place}: {error}; its network here must be that of {place}'s own recipe")
    })?;
    let weights = own.with_values(place, values).to_safetensors();
    let weights = weights.map_err(|error| error.to_string())?;
    network.with_safetensors(weights).map_err(|error| error.to_string())
}
