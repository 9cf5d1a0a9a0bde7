//! The weights of published networks: what a training begins with, and its teacher.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rddm_manifest::{Digest, ModelId};
use rddm_networks::{Network, NetworkConfig};

use crate::error::{Error, Kind};
use crate::recipe::{Guide, Recipe, Teacher};
use crate::run::Checkpoint;

/// The files of the networks that a recipe names; none where it names none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Published<'a> {
    /// Of the recipe's [`start`](Recipe::start); a training that goes on needs none.
    pub start: Option<&'a [u8]>,
    /// Of its [`teacher`](Recipe::teacher).
    pub teacher: Option<&'a [u8]>,
    /// Of the teacher's [`guide`](Teacher::guide).
    pub guide: Option<&'a [u8]>,
}

/// The networks of a recipe's teacher, on a device without gradients.
pub(crate) struct Teaching {
    network: Network,
    guide: Option<(Network, f64)>,
}

impl Teaching {
    /// What the network should say, in the order of its outputs.
    pub(crate) fn answers(&self, x: Tensor<4>, times: [Tensor<1>; 2]) -> Vec<Tensor<4>> {
        let answers = self.network.forward(x.clone(), times.clone());
        let Some((guide, scale)) = &self.guide else { return answers };
        let worse = guide.forward(x, times);
        let led = |(answer, worse): (Tensor<4>, Tensor<4>)| {
            worse.clone() + (answer - worse).mul_scalar(*scale)
        };
        answers.into_iter().zip(worse).map(led).collect()
    }
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
    /// Its networks.
    ///
    /// # Errors
    /// When a file is missing, another one than the recipe's, or of a network of another shape.
    pub(crate) fn load(
        &self,
        published: Published<'_>,
        device: &Device,
    ) -> Result<Teaching, Error> {
        let device = &device.clone().inner();
        let network = |key, config: &NetworkConfig, model, sha256, file| {
            let network = config.init(device);
            let network = network.map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
            read(key, network, model, sha256, file)
        };
        let Self { model, sha256, network: config, .. } = self;
        let teacher = network("teacher", config, model, sha256, published.teacher)?;
        let guide = self.guide.as_ref().map(|Guide { model, sha256, network: config, scale }| {
            let guide = network("teacher.guide", config, model, sha256, published.guide)?;
            Ok::<_, Error>((guide, *scale))
        });
        Ok(Teaching { network: teacher, guide: guide.transpose()? })
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
