//! The averaged weights of training runs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use rddm_manifest::{License, ModelId, Objective, TimeEncoding};
use rddm_networks::NetworkConfig;
use rddm_networks::checkpoint::StateDict;
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
/// Of several runs of one network, the mean of their weights (uniform soup, Wortsman et al. 2022, section 2).
/// It makes sense only of runs that began with the same weights.
///
/// # Errors
/// When no run is given, a file is missing, does not parse or does not fit the others.
pub fn export(folders: &[impl AsRef<Path>], license: &License) -> Result<Exported, Error> {
    let Some(first) = folders.first() else { return Err(Error::usage("no run was given")) };
    let (recipe_path, weights_path) = paths(first.as_ref());
    let recipe = read_recipe(&recipe_path)?;
    for folder in &folders[1..] {
        let (path, _) = paths(folder.as_ref());
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
        .map_err(|error| Error::input(&recipe_path, error))?
        .with_safetensors(weights(folders)?)
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

fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("recipe.toml"), folder.join("weights.safetensors"))
}

fn read_recipe(path: &Path) -> Result<Recipe, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::input(path, error))?;
    toml::from_str(&text).map_err(|error| Error::input(path, error))
}

/// The mean of the runs' weights, as a safetensors file; of one run its own file.
fn weights(folders: &[impl AsRef<Path>]) -> Result<Vec<u8>, Error> {
    let mut sums: BTreeMap<String, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    for (index, folder) in folders.iter().enumerate() {
        let (_, path) = paths(folder.as_ref());
        let bytes = fs::read(&path).map_err(|error| Error::input(&path, error))?;
        if folders.len() == 1 {
            return Ok(bytes);
        }
        let state = StateDict::from_safetensors(path.display().to_string(), &bytes)
            .map_err(|error| Error::input(&path, error))?;
        for (name, data) in state.iter() {
            let shape = data.shape().to_vec();
            let values = data.as_slice::<f32>().map_err(|error| Error::input(&path, error))?;
            match sums.entry(name.to_owned()) {
                Entry::Vacant(entry) if index == 0 => {
                    entry.insert((shape, values.to_vec()));
                }
                Entry::Occupied(mut entry) if entry.get().0 == shape => {
                    let sums = &mut entry.get_mut().1;
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
                _ => {
                    let problem = format!("its weight `{name}` does not fit the other runs'");
                    return Err(Error::input(&path, problem));
                }
            }
        }
    }
    let share = 1.0 / folders.len() as f32;
    let means = sums.into_iter().map(|(name, (shape, values))| {
        let means: Vec<f32> = values.into_iter().map(|sum| sum * share).collect();
        (name, TensorData::new(means, shape))
    });
    let place = "the mean of the runs";
    (StateDict::new(place, means).to_safetensors())
        .map_err(|error| Error::input(Path::new(place), error))
}

/// What an export needs of a recipe; the trainer reads and checks the rest.
#[derive(PartialEq, Deserialize)]
struct Recipe {
    id: ModelId,
    network: NetworkConfig,
    #[serde(default)]
    diffusion: Diffusion,
}

#[derive(PartialEq, Deserialize)]
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
