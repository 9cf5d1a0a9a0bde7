//! The folder of a training run.
//!
//! ```text
//! recipe.toml            what is trained
//! log.jsonl              one line a measurement
//! curve.svg              the log, plotted
//! weights.safetensors    the averaged weights, renewed at each checkpoint
//! checkpoint/            what a training that was stopped goes on from
//!   state.json  network.bpk  average.bpk  optimizer.bpk
//! lock                   held by the process that trains; empty
//! ```
//! A checkpoint is written beside its place and renamed, so that a kill leaves the one before.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use rddm_manifest::Digest;
use rddm_networks::Network;
use rddm_networks::checkpoint::StateDict;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};
use crate::recipe::Recipe;

/// The folder of a training run, which no other process writes to until this is dropped.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    /// The system releases it when a process ends, however it ends.
    _lock: File,
}

/// Where a training stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// Optimiser steps done.
    pub step: usize,
    /// Seconds spent in them, over all sittings.
    pub seconds: f64,
    /// Sum of the losses that no line of the log tells yet, and how many they are.
    #[serde(default)]
    pub losses: (f64, usize),
    /// [`DataSet::digest`](crate::data::DataSet::digest) of the pictures; empty of an earlier version.
    #[serde(default)]
    pub pictures: String,
    /// SHA-256 of the recipe without its notes, so that a checkpoint is not taken for another's.
    pub recipe: String,
}

/// All that a training goes on from.
pub struct Checkpoint {
    /// Where it stands.
    pub state: State,
    /// The weights that are trained.
    pub network: Network,
    /// Their moving average.
    pub average: Network,
    /// The optimiser's memory.
    pub optimizer: ModuleOptimizer,
}

/// Where a checkpoint lies; a kill between two renames leaves only the one before.
const PLACES: [&str; 2] = ["checkpoint", "checkpoint.old"];

const WEIGHTS: &str = "weights.safetensors";

const PARTS: [&str; 3] = ["network.bpk", "average.bpk", "optimizer.bpk"];

impl Run {
    /// Opens a run's folder, which is made if it is missing, for `recipe`.
    ///
    /// # Errors
    /// When it cannot be written, another process writes to it, or it holds a run of another recipe.
    pub fn open(folder: &Path, recipe: &Recipe) -> Result<Self, Error> {
        Self::claim(folder)?.of(recipe)
    }

    /// A folder for a run, whatever it holds, which is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be written, or another process writes to it.
    pub(crate) fn claim(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|error| Error::run(folder, error))?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|error| Error::run(&path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let problem = "another process trains here; wait for its end, or give another folder with --out";
                Err(Error::run(folder, problem))
            }
            Err(TryLockError::Error(error)) => Err(Error::run(&path, error)),
        }
    }

    /// The same as the folder of `recipe`'s run.
    ///
    /// # Errors
    /// When it cannot be written, or holds a run of another recipe.
    pub(crate) fn of(self, recipe: &Recipe) -> Result<Self, Error> {
        let path = self.path("recipe.toml");
        if path.exists() {
            if Recipe::read(&path)?.without_notes() != recipe.without_notes() {
                return Err(Error::run(
                    &self.folder,
                    "holds a run of another recipe; give another folder with --out",
                ));
            }
        } else {
            write(&path, recipe.to_toml()?.as_bytes())?;
        }
        Ok(self)
    }

    /// Whether a folder holds a checkpoint to go on from.
    pub fn begun(folder: &Path) -> bool {
        PLACES.iter().any(|place| folder.join(place).exists())
    }

    /// A file of the run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a checkpoint and the averaged weights.
    ///
    /// # Errors
    /// When the folder cannot be written, or the averaged weights are not finite; the checkpoint before is kept.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (weights, _) = self.weights(checkpoint)?;
        let part = self.path("checkpoint.part");
        remove(&part)?;
        if let Err(error) = self.replace_checkpoint(&part, checkpoint) {
            // Where the disk is full, half a checkpoint would take the room of what comes next.
            let _ = remove(&part);
            return Err(error);
        }
        write(&self.path(WEIGHTS), &weights)
    }

    /// Writes a checkpoint to the folder `part`, then renames it.
    fn replace_checkpoint(&self, part: &Path, checkpoint: &Checkpoint) -> Result<(), Error> {
        let [place, old] = PLACES.map(|place| self.path(place));
        let failed = |error: &dyn std::fmt::Display| Error::run(part, error);
        fs::create_dir(part).map_err(|error| failed(&error))?;
        let records = [
            checkpoint.network.clone().into_record().into_bytes(),
            checkpoint.average.clone().into_record().into_bytes(),
            checkpoint.optimizer.into_bytes(),
        ];
        for (name, record) in PARTS.into_iter().zip(records) {
            write(&part.join(name), &record.map_err(|error| failed(&error))?)?;
        }
        let state = serde_json::to_vec_pretty(&checkpoint.state).map_err(|e| failed(&e))?;
        write(&part.join("state.json"), &state)?;
        // After a kill between two renames the old one is all that there is.
        if place.exists() {
            remove(&old)?;
            fs::rename(&place, &old).map_err(|error| failed(&error))?;
        }
        fs::rename(part, &place).map_err(|error| failed(&error))?;
        remove(&old)
    }

    /// Writes the averaged weights, `weights.safetensors`, unless they are there.
    ///
    /// # Errors
    /// When they cannot be written, or are not finite.
    pub fn save_weights(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (path, (weights, values)) = (self.path(WEIGHTS), self.weights(checkpoint)?);
        // The file of an earlier version holds the same in other bytes.
        let there = fs::read(&path).ok();
        let there = there.and_then(|bytes| StateDict::from_safetensors(WEIGHTS, &bytes).ok());
        let same = there.is_some_and(|there| values.iter().eq(there.iter()));
        if same { Ok(()) } else { write(&path, &weights) }
    }

    /// The averaged weights, as a file and by name.
    fn weights(&self, checkpoint: &Checkpoint) -> Result<(Vec<u8>, StateDict), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::run(&self.path(WEIGHTS), error);
        let weights = checkpoint.average.to_safetensors().map_err(|error| failed(&error))?;
        let values =
            StateDict::from_safetensors(WEIGHTS, &weights).map_err(|error| failed(&error))?;
        match values.not_finite() {
            Some(_) => Err(Error::diverged("the weights are not finite", checkpoint.state.step)),
            None => Ok((weights, values)),
        }
    }

    /// The checkpoint in the networks and the optimiser that are given, or, where there is none, these.
    ///
    /// # Errors
    /// When it is damaged, or of another recipe.
    pub fn load_or(&self, new: Checkpoint) -> Result<Checkpoint, Error> {
        let places = PLACES.map(|place| self.path(place));
        let Some(place) = places.into_iter().find(|place| place.exists()) else {
            return Ok(new);
        };
        let failed = |error: &dyn std::fmt::Display| {
            Error::run(&place, format!("{error}; remove the folder to begin again"))
        };
        let text = fs::read(place.join("state.json")).map_err(|error| failed(&error))?;
        let state: State = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
        // Of an earlier version, the digest is of the notes too.
        let noted = || digest(&Recipe::read(&self.path("recipe.toml"))?);
        if state.recipe != new.state.recipe && state.recipe != noted()? {
            return Err(Error::run(&place, "is of another recipe; give another folder with --out"));
        }
        let network = |module: Network, name: &str| {
            let record = ModuleRecord::load(place.join(name)).map_err(|error| failed(&error))?;
            module.try_load_record(record).map_err(|error| failed(&error))
        };
        Ok(Checkpoint {
            state: State { recipe: new.state.recipe, ..state },
            network: network(new.network, PARTS[0])?,
            average: network(new.average, PARTS[1])?,
            optimizer: new.optimizer.load(place.join(PARTS[2])).map_err(|error| failed(&error))?,
        })
    }
}

impl State {
    /// The beginning of a training of `recipe`.
    ///
    /// # Errors
    /// Never for a recipe that was parsed.
    pub fn new(recipe: &Recipe) -> Result<Self, Error> {
        let recipe = digest(&recipe.without_notes())?;
        Ok(Self { step: 0, seconds: 0.0, losses: (0.0, 0), pictures: String::new(), recipe })
    }
}

fn digest(recipe: &Recipe) -> Result<String, Error> {
    Ok(Digest::of(recipe.to_toml()?.as_bytes()).hex())
}

/// Writes a file beside its place and renames it; its folder is made if it is missing. Where `path` is a link, the file that it
/// leads to is replaced; a device or a pipe is written to.
///
/// # Errors
/// When it cannot be written; a file that was there before is kept.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(|error| Error::run(path, error))?;
    }
    rddm_image::write_bytes(path, bytes, true)
        .map_err(|error| Error::new(Kind::Run, error.to_string()))
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::run(folder, error))
        }
        _ => Ok(()),
    }
}
