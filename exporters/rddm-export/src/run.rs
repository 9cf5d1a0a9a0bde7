//! The averaged weights of training runs, and those of published models.

use std::fs;
use std::path::Path;

use burn::tensor::{Device, TensorData};
use rddm_manifest::{Coefficients, License, ModelId, Objective, Shape, TimeEncoding};
use rddm_networks::checkpoint::StateDict;
use rddm_networks::{Network, NetworkConfig};
use serde::Deserialize;

use crate::Error;
use crate::network::{Border, to_onnx};

const RECIPE: &str = "recipe.toml";
const WEIGHTS: &str = "weights.safetensors";

/// A network that is ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The model's id, from the recipe.
    pub id: ModelId,
    /// The ONNX file.
    pub file: Vec<u8>,
}

/// The network of a run's folder: `recipe.toml` says what it is, `weights.safetensors` has its averaged weights; where there
/// is no such file, as in a folder of the zoo, the network that was published with the recipe, `<id>.onnx`.
///
/// Of several folders of one network, the mean of their weights (uniform soup, Wortsman et al. 2022, section 2).
/// It makes sense only of runs that began with the same weights.
///
/// # Errors
/// When no run is given, a file is missing, does not parse or does not fit the others, or a weight is not finite.
pub fn export(folders: &[impl AsRef<Path>], license: &License) -> Result<Exported, Error> {
    let Some((first, others)) = folders.split_first() else {
        return Err(Error::usage("no run was given"));
    };
    let recipe_path = first.as_ref().join(RECIPE);
    let recipe = read_recipe(&recipe_path)?;
    for folder in others {
        let path = folder.as_ref().join(RECIPE);
        if read_recipe(&path)? != recipe {
            let problem = format!(
                "is of another network than {}; a mean needs runs of the same id, network and diffusion",
                recipe_path.display()
            );
            return Err(Error::input(&path, problem));
        }
    }
    let network = (recipe.network)
        .init(&Device::flex())
        .map_err(|error| Error::input(&recipe_path, error))?;
    let read = |folder: &Path| finite(weights(folder, &recipe.id, &network)?);
    let first_weights = read(first.as_ref())?;
    let others =
        others.iter().map(|folder| read(folder.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let weights = finite(mean(&first_weights, &others)?)?.to_safetensors()?;
    let network =
        (network.with_safetensors(weights)).map_err(|error| Error::input(first.as_ref(), error))?;
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

fn read_recipe(path: &Path) -> Result<Recipe, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::input(path, error))?;
    toml::from_str(&text).map_err(|error| Error::input(path, error))
}

/// The mean of weights, which must have the same names and shapes.
fn mean(first: &StateDict, others: &[StateDict]) -> Result<StateDict, Error> {
    for other in others {
        let shape = |of: &StateDict, name| of.get(name).map(|data| data.shape().to_vec());
        let mut names = first.iter().chain(other.iter()).map(|(name, _)| name);
        if let Some(name) = names.find(|name| shape(first, name) != shape(other, name)) {
            let problem = format!("its weight `{name}` does not fit the other runs'");
            return Err(Error::input(other.place().as_ref(), problem));
        }
    }
    let share = 1.0 / (1 + others.len()) as f32;
    let mean = |(name, data): (&str, &TensorData)| {
        let mut sums: Vec<f32> = data.iter().collect();
        for other in others.iter().filter_map(|other| other.get(name)) {
            sums.iter_mut().zip(other.iter::<f32>()).for_each(|(sum, value)| *sum += value);
        }
        sums.into_iter().map(|sum| sum * share).collect()
    };
    Ok(first.with_values("the mean of the runs", first.iter().map(mean).collect()))
}

/// The same weights, all of which are numbers that a network can compute with.
fn finite(weights: StateDict) -> Result<StateDict, Error> {
    let Some(name) = weights.not_finite() else { return Ok(weights) };
    let problem = format!(
        "its weight `{name}` is not finite, as after a training that diverged; train again with a lower training.rate"
    );
    Err(Error::input(weights.place().as_ref(), problem))
}

/// The weights of a run, or of a published model; errors call them by their file.
fn weights(folder: &Path, id: &ModelId, network: &Network) -> Result<StateDict, Error> {
    let path = folder.join(WEIGHTS);
    let published = folder.join(format!("{id}.onnx"));
    if path.exists() || !published.exists() {
        let bytes = fs::read(&path).map_err(|error| Error::input(&path, error))?;
        return Ok(StateDict::from_safetensors(path.display().to_string(), &bytes)?);
    }
    let failed = |error: &dyn std::fmt::Display| Error::input(&published, error);
    let bytes = fs::read(&published).map_err(|error| failed(&error))?;
    let own = network.state_dict().map_err(|error| failed(&error))?;
    let values = rddm_onnx::weights(&bytes, &own.shapes()).map_err(|error| failed(&error))?;
    Ok(own.with_values(published.display().to_string(), values))
}

/// What an export needs of a recipe; the trainer reads and checks the rest.
#[derive(PartialEq, Deserialize)]
struct Recipe {
    id: ModelId,
    network: NetworkConfig,
    #[serde(default)]
    diffusion: Diffusion,
}

/// The diffusion with the trainer's defaults, so that what is written out is the same as what is not.
#[derive(PartialEq, Deserialize)]
#[serde(default)]
struct Diffusion {
    timesteps: u32,
    alpha: Coefficients,
    beta2: Coefficients,
    sum_scale: f64,
    objective: Objective,
    time_encoding: TimeEncoding,
    conditional: bool,
}

impl Default for Diffusion {
    fn default() -> Self {
        Self {
            timesteps: 1000,
            alpha: Coefficients { shape: Shape::Decreased, ratio: 1.0 },
            beta2: Coefficients { shape: Shape::Increased, ratio: 1.0 },
            sum_scale: 0.01,
            objective: Objective::PredResNoise,
            time_encoding: TimeEncoding::Index,
            conditional: true,
        }
    }
}
