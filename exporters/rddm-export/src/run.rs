//! The averaged weights of a training run.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rddm_manifest::{License, ModelId, Objective, TimeEncoding};
use rddm_networks::NetworkConfig;
use serde::Deserialize;

use crate::Error;
use crate::network::{Border, to_onnx};

/// A network that is ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The model's id, from the recipe.
    pub id: ModelId,
    /// The ONNX file.
    pub file: Vec<u8>,
}

/// The network of a run's folder: `recipe.toml` says what it is, `weights.safetensors` has its averaged weights.
///
/// # Errors
/// When a file is missing, does not parse or does not fit the other.
pub fn export(folder: &Path, license: &License) -> Result<Exported, Error> {
    let recipe_path = folder.join("recipe.toml");
    let text =
        fs::read_to_string(&recipe_path).map_err(|error| Error::input(&recipe_path, error))?;
    let recipe: Recipe =
        toml::from_str(&text).map_err(|error| Error::input(&recipe_path, error))?;
    let weights_path = folder.join("weights.safetensors");
    let weights = fs::read(&weights_path).map_err(|error| Error::input(&weights_path, error))?;
    let network = (recipe.network)
        .init(&Device::flex())
        .map_err(|error| Error::input(&recipe_path, error))?
        .with_safetensors(weights)
        .map_err(|error| Error::input(&weights_path, error))?;
    let outputs = recipe.network.outputs();
    let predicts = recipe.diffusion.objective.predicts();
    if predicts.len() != outputs {
        let problem = format!(
            "the objective {} needs {} outputs, the network has {outputs}",
            recipe.diffusion.objective,
            predicts.len()
        );
        return Err(Error::input(&recipe_path, problem));
    }
    let border = Border {
        id: recipe.id.as_str(),
        in_channels: recipe.network.in_channels(),
        multiple: recipe.network.multiple(),
        outputs: predicts,
        two_times: recipe.diffusion.time_encoding == TimeEncoding::AlphaBarBetaBar,
        entries: vec![("license".to_owned(), license.as_str().to_owned())],
    };
    let file = to_onnx(&border, &network, |network, x, times| network.forward(x, times))?;
    Ok(Exported { id: recipe.id, file })
}

/// What an export needs of a recipe; the trainer reads and checks the rest.
#[derive(Deserialize)]
struct Recipe {
    id: ModelId,
    network: NetworkConfig,
    #[serde(default)]
    diffusion: Diffusion,
}

#[derive(Deserialize)]
#[serde(default)]
struct Diffusion {
    objective: Objective,
    time_encoding: TimeEncoding,
}

impl Default for Diffusion {
    fn default() -> Self {
        Self { objective: Objective::PredResNoise, time_encoding: TimeEncoding::Index }
    }
}
