//! The engines that networks are run on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::{Device, Tensor as BurnTensor, TensorData};
use ndarray::ArrayView4;
use rddm_export::official;
use rddm_manifest::{Objective, Role, TimeEncoding};
use rddm_networks::checkpoint::{Checkpoint, StateDict, Weights};
use rddm_networks::unet::{Networks, UnetConfig, UnetRes};
use rddm_runtime::{EngineOptions, Network};

use crate::tensors::Tensor;

/// What predicts in a trajectory.
pub trait Predictor {
    /// The outputs for a batch `x` `[n, c, h, w]` at two times, each `[n]`: the residual's and the noise's. A network
    /// of one time has its own in both places.
    fn predict(&mut self, x: &Tensor, times: [&[f32]; 2]) -> Result<Vec<Tensor>, String>;
}

/// A network of the official code, out of a checkpoint or a file of weights.
pub struct Model {
    pub config: UnetConfig,
    pub network: UnetRes,
    path: PathBuf,
    weights: Weights,
}

impl Model {
    pub fn open(path: PathBuf, weights: Weights, device: &Device) -> Result<Self, String> {
        let file = Checkpoint::open(&path, weights).map_err(|error| error.to_string())?;
        let (config, network) = built(&file.network, device)?;
        Ok(Self { config, network, path, weights })
    }

    /// Whether it is as the manifest says.
    pub fn check(&self, said: &Shape) -> Result<(), String> {
        said.check(&self.config)
    }

    /// Runs every engine; one that can't take the network says why.
    pub fn engines(&self, objective: &str) -> Vec<(&'static str, Attempt)> {
        let burn: Box<dyn Predictor> = Box::new(Burn(self.network.clone()));
        let mut engines = vec![("burn", Ok(burn))];
        for &name in onnx_engines() {
            let onnx = self.onnx(name, objective);
            engines.push((name, onnx.map(|onnx| Box::new(onnx) as Box<dyn Predictor>)));
        }
        engines
    }

    fn onnx(&self, engine: &str, objective: &str) -> Result<Onnx, String> {
        let files = exported(&self.path, self.weights, objective)?;
        let networks = files.iter().map(|file| Ok((load(engine, &file.onnx)?, file.time)));
        Ok(Onnx(networks.collect::<Result<_, String>>()?))
    }
}

/// A network of these weights.
pub fn built(weights: &StateDict, device: &Device) -> Result<(UnetConfig, UnetRes), String> {
    UnetRes::from_state_dict(weights, device).map_err(|error| error.to_string())
}

/// A network's shape in the manifest's words.
#[derive(serde::Deserialize)]
pub struct Shape {
    dim: usize,
    dim_mults: Vec<usize>,
    input_channels: Option<usize>,
    pub networks: String,
}

impl Shape {
    pub fn check(&self, config: &UnetConfig) -> Result<(), String> {
        let networks = match config.networks {
            Networks::Two => "two",
            Networks::Shared => "shared",
            Networks::One => "one",
        };
        let same = networks == self.networks
            && config.dim == self.dim
            && config.dim_mults == self.dim_mults
            && self.input_channels.is_none_or(|channels| config.in_channels == channels);
        if same { Ok(()) } else { Err(format!("the weights are of another network: {config:?}")) }
    }
}

/// A network in ONNX, and which of the two times it gets.
struct File {
    onnx: Vec<u8>,
    time: usize,
}

type Exports = BTreeMap<(PathBuf, String), Result<Rc<[File]>, String>>;

thread_local! {
    /// Many cases have the same weights.
    static EXPORTS: RefCell<Exports> = RefCell::default();
}

/// The files that `rddm-export official` writes of a checkpoint or a file of weights.
fn exported(path: &Path, weights: Weights, objective: &str) -> Result<Rc<[File]>, String> {
    let key = (path.to_owned(), objective.to_owned());
    if let Some(files) = EXPORTS.with_borrow(|exports| exports.get(&key).cloned()) {
        return files;
    }
    let files = export(path, weights, objective);
    EXPORTS.with_borrow_mut(|exports| exports.insert(key, files.clone()));
    files
}

fn export(path: &Path, weights: Weights, objective: &str) -> Result<Rc<[File]>, String> {
    let options = official::Options {
        id: "golden".parse().map_err(text)?,
        task: "golden".parse().map_err(text)?,
        license: "MIT".parse().map_err(text)?,
        weights,
        objective: Some(serde_json::from_value::<Objective>(objective.into()).map_err(text)?),
        time_encoding: TimeEncoding::Index,
        steps: 5,
        sum_scale: None,
    };
    let exported = official::export(path, &options).map_err(text)?;
    let files = exported.files.into_iter().zip(&exported.draft.networks);
    let time = |role| if role == Role::Noise { 1 } else { 0 };
    Ok(files.map(|((_, onnx), network)| File { onnx, time: time(network.role) }).collect())
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// burn on its CPU device.
struct Burn(UnetRes);

impl Predictor for Burn {
    fn predict(&mut self, x: &Tensor, times: [&[f32]; 2]) -> Result<Vec<Tensor>, String> {
        let times = times.map(|time| vector(time, &device()));
        self.0.forward(to_burn(x, &device()), times).into_iter().map(from_burn).collect()
    }
}

/// An engine that took a network, or why it could not.
pub type Attempt = Result<Box<dyn Predictor>, String>;

/// Networks in ONNX, one after the other.
struct Onnx(Vec<(Box<dyn Network>, usize)>);

impl Predictor for Onnx {
    fn predict(&mut self, x: &Tensor, times: [&[f32]; 2]) -> Result<Vec<Tensor>, String> {
        let [count, channels, height, width] =
            <[usize; 4]>::try_from(x.shape.as_slice()).map_err(|_| "pictures have four axes")?;
        let length = channels * height * width;
        let mut outputs: Vec<Tensor> = Vec::new();
        // One picture at a time, since an engine gives a whole batch the same time.
        for (index, picture) in x.values.chunks_exact(length).enumerate() {
            let mut picture = picture.to_vec();
            if channels == 9 {
                // A file takes the mask as a sampler has it: one plane in [-1, 1].
                picture.truncate(7 * height * width);
                picture[6 * height * width..].iter_mut().for_each(|mask| *mask = 2.0 * *mask - 1.0);
            }
            let channels = picture.len() / (height * width);
            let picture =
                ArrayView4::from_shape([1, channels, height, width], &picture).map_err(text)?;
            let mut at = 0;
            for (network, time) in &mut self.0 {
                for answer in network.run(picture, &[times[*time][index]]).map_err(text)? {
                    let mut shape = answer.shape().to_vec();
                    shape[0] = count;
                    if outputs.len() == at {
                        outputs.push(Tensor { shape, values: Vec::new() });
                    }
                    outputs[at].values.extend(answer.iter());
                    at += 1;
                }
            }
        }
        Ok(outputs)
    }
}

/// tract always; ONNX Runtime where its library is named, and in CI, where nobody may leave it out.
pub fn onnx_engines() -> &'static [&'static str] {
    if missing().is_none() { &["tract", "ort"] } else { &["tract"] }
}

/// What is said of an engine that is left out.
pub fn missing() -> Option<&'static str> {
    let demanded = env::var_os("CI").is_some() || env::var_os("ORT_DYLIB_PATH").is_some();
    (!demanded).then_some("ONNX RUNTIME IS LEFT OUT: set ORT_DYLIB_PATH to its shared library")
}

pub fn load(engine: &str, onnx: &[u8]) -> Result<Box<dyn Network>, String> {
    let mut options = EngineOptions::default();
    if engine == "ort" {
        let library = env::var_os("ORT_DYLIB_PATH");
        options.library = Some(library.ok_or("ORT_DYLIB_PATH names no ONNX Runtime")?.into());
    }
    rddm_runtime::engine(engine).and_then(|engine| engine.load(onnx, &options)).map_err(text)
}

pub fn device() -> Device {
    Device::flex()
}

/// The tensor on a device; it must have `D` axes.
pub fn to_burn<const D: usize>(tensor: &Tensor, device: &Device) -> BurnTensor<D> {
    let data = TensorData::new(tensor.values.clone(), tensor.shape.clone());
    BurnTensor::<D>::from_data(data, device)
}

pub fn vector(values: &[f32], device: &Device) -> BurnTensor<1> {
    BurnTensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

pub fn from_burn<const D: usize>(tensor: BurnTensor<D>) -> Result<Tensor, String> {
    let shape = tensor.dims().to_vec();
    let values = tensor.into_data().try_to_vec().map_err(|error| format!("{error:?}"))?;
    Ok(Tensor { shape, values })
}
