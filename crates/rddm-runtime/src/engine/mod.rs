//! Engines: what runs an ONNX network. To add one, add a file with its [`Engine`] and a line in
//! the table of this module.

use std::{fmt, path::PathBuf, str::FromStr};

use ndarray::{Array4, ArrayView4};

use crate::{Error, ErrorKind};

#[cfg(feature = "ort")]
mod ort;
mod tract;

/// The engines that are compiled in, the default one first.
pub fn engines() -> &'static [&'static dyn Engine] {
    &[
        &tract::Tract,
        #[cfg(feature = "ort")]
        &ort::OnnxRuntime,
    ]
}

/// The engine of a name.
///
/// # Errors
/// [`ErrorKind::Engine`] if no engine of that name is compiled in; the text lists those that are.
///
/// ```
/// assert_eq!(rddm_runtime::engine("tract")?.name(), "tract");
/// assert!(rddm_runtime::engine("torch").is_err());
/// # Ok::<(), rddm_runtime::Error>(())
/// ```
pub fn engine(name: &str) -> Result<&'static dyn Engine, Error> {
    engines().iter().copied().find(|engine| engine.name() == name).ok_or_else(|| {
        let names: Vec<_> = engines().iter().map(|engine| engine.name()).collect();
        let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
        let next = match (name, cfg!(feature = "ort")) {
            ("ort", false) => "; build with the feature `ort` to have ONNX Runtime",
            _ => "",
        };
        let what =
            format!("there is no engine `{shown}` in this build, only {}{next}", names.join(", "));
        Error::new(ErrorKind::Engine, what)
    })
}

/// Something that runs ONNX networks.
pub trait Engine: Send + Sync {
    /// The name that options use.
    fn name(&self) -> &'static str;

    /// One line for people.
    fn summary(&self) -> &'static str;

    /// The devices that it could run on here, the ones that are there and the ones that are not.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if the engine itself cannot be loaded.
    fn devices(&self, options: &EngineOptions) -> Result<Vec<DeviceInfo>, Error>;

    /// Makes a network ready to run. The bytes must have been verified before.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`], [`ErrorKind::Device`], or [`ErrorKind::Network`] for bytes that are
    /// no ONNX network, need other files, or use what the engine does not have.
    fn load(&self, onnx: &[u8], options: &EngineOptions) -> Result<Box<dyn Network>, Error>;
}

/// A batch of pictures, `[n, c, h, w]`.
pub(crate) type Batch<'a> = ArrayView4<'a, f32>;

/// What a network gives, in its own order, each `[n, c, h, w]`.
pub(crate) type Outputs = Vec<Array4<f32>>;

/// A network that is ready to run.
pub trait Network: Send {
    /// Names of its inputs in the order of the file: the picture, then one or two times.
    fn inputs(&self) -> &[String];

    /// Names of its outputs in the order of the file.
    fn outputs(&self) -> &[String];

    /// The device that it runs on, as [`Device`] would name it.
    fn device(&self) -> &str;

    /// Runs the network on a batch `[n, c, h, w]` with values in [-1, 1].
    ///
    /// `times` has one value for each input after the first; the whole batch gets it. The result
    /// has the outputs in the order of [`Network::outputs`], each `[n, c', h, w]`.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] if the network does not take such a batch or fails in a node.
    fn run(&mut self, x: ArrayView4<'_, f32>, times: &[f32]) -> Result<Vec<Array4<f32>>, Error>;

    /// The memory that running a batch of `shape` `[n, c, h, w]` takes.
    ///
    /// # Errors
    /// As [`Network::run`].
    fn footprint(&self, shape: [usize; 4]) -> Result<Footprint, Error>;

    /// Stays ready for at most so many shapes of batches, those that were run last, of all forks
    /// together: as many as there are pictures under way. An engine that makes nothing ready for a
    /// shape has nothing to do.
    fn keep(&self, shapes: usize) {
        let _ = shapes;
    }

    /// The same network once more, to run in another thread. Weights are shared where the engine
    /// can share them; what a fork has of its own is made when it first runs.
    ///
    /// # Errors
    /// As [`Engine::load`].
    fn fork(&self) -> Result<Box<dyn Network>, Error>;
}

/// Memory that a network takes, in bytes. An estimate from the sizes of its tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Footprint {
    /// For the weights.
    pub weights: u64,
    /// Whether every fork that has run holds the weights anew; else all share them.
    pub own_weights: bool,
    /// For the tensors that are alive at once while it runs, in each thread.
    pub running: u64,
    /// Beside the weights, while it is made ready for a shape, by one thread at a time.
    pub preparing: u64,
    /// Whether it keeps more than this of what it took; see [`EngineOptions::lean`].
    pub keeps_more: bool,
}

/// How an engine is to run networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// The device.
    pub device: Device,
    /// The shared library of an engine that is loaded at run time (`libonnxruntime.so`,
    /// `onnxruntime.dll`, …). A bare file name is looked up as the system does; any other path is
    /// taken as it is.
    pub library: Option<PathBuf>,
    /// Threads inside one network; 0 and 1 both mean one.
    pub threads: usize,
    /// Whether what a batch took goes back at once, so that estimates hold; ONNX Runtime takes 5 to 30 % more time for it.
    pub lean: bool,
}

/// What a network runs on. Written `cpu`, `auto`, or a name with an optional number (`cuda`, `cuda:1`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The best that the engine finds; [`Network::device`] says what it took.
    Auto,
    /// An accelerator by the engine's own name for it, and its number.
    Named(String, u32),
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || {
            let shown: String = text.chars().take(40).flat_map(char::escape_default).collect();
            let what = format!(
                "`{shown}` is no device; write cpu, auto, or a name such as cuda or cuda:1"
            );
            Error::new(ErrorKind::Device, what)
        };
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, number.parse().map_err(|_| refused())?),
            None => (text, 0),
        };
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        match name {
            "cpu" if number == 0 => Ok(Self::Cpu),
            "auto" if number == 0 => Ok(Self::Auto),
            "" | "cpu" | "auto" => Err(refused()),
            name if plain && name.len() <= 32 => Ok(Self::Named(name.to_owned(), number)),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.pad("cpu"),
            Self::Auto => f.pad("auto"),
            Self::Named(name, 0) => f.pad(name),
            Self::Named(name, number) => f.pad(&format!("{name}:{number}")),
        }
    }
}

/// A device that an engine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// Its name as an option.
    pub device: Device,
    /// Whether it can be used here.
    pub available: bool,
    /// What it is, or why it cannot be used and what to do.
    pub detail: String,
}
