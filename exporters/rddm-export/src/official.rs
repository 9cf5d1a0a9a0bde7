//! A checkpoint of the official Python code, with a draft of its manifest.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use rddm_core::coefficients;
use rddm_manifest::{
    Coefficients, Draft, DraftNetwork, License, Method, MirrorMean, ModelId, Objective, Padding,
    Picture, Precision, Role, SCHEMA, Sampler, Shape, TimeEncoding,
};
use rddm_networks::checkpoint::{Checkpoint, StateDict, Weights};
use rddm_networks::unet::{Networks, UnetConfig, UnetRes};

use crate::Error;
use crate::network::{Border, to_onnx};

/// What a checkpoint does not say of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The model's id.
    pub id: ModelId,
    /// What it does.
    pub task: ModelId,
    /// The licence of its weights.
    pub license: License,
    /// Which of a trainer's two sets of weights to take.
    pub weights: Weights,
    /// What the network predicts. Without one: residual and noise, which one network alone cannot predict.
    pub objective: Option<Objective>,
    /// What the networks see as the time.
    pub time_encoding: TimeEncoding,
    /// Sampling steps by default.
    pub steps: u32,
    /// What `β²` sums to. Without one: what the checkpoint's tables sum to, else 0.01 with a degraded picture, 1 without.
    pub sum_scale: Option<f64>,
}

/// A checkpoint that is ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// Names and bytes of the ONNX files.
    pub files: Vec<(String, Vec<u8>)>,
    /// The entry for `model.toml`.
    pub draft: Draft,
}

/// The networks of an official checkpoint (`.pt` as the trainer saves it, a bare state dict, or safetensors).
///
/// Nothing in the file is executed. The schedule of the draft is the one whose sums the checkpoint holds; the official default, a
/// decreasing `α` and a rising `β²`, where it holds none.
///
/// # Errors
/// When the file is no such checkpoint, lacks what the options ask for, or holds the sums of no schedule that a manifest has a
/// name for. A network that is told `ᾱ` and `β̄` is not bound to those of its training and gets the default then.
pub fn export(path: &Path, options: &Options) -> Result<Exported, Error> {
    let checkpoint = Checkpoint::open(path, options.weights)?;
    let (config, network) = UnetRes::from_state_dict(&checkpoint.network, &Device::flex())?;
    let objective = objective(options, &config)?;
    let (conditional, mask) = inputs(path, &config)?;
    let exporter = Exporter { options, config: &config, objective };
    let networks = exporter.networks(&network)?;
    let default_scale = if conditional { 0.01 } else { 1.0 };
    let sum_scale =
        options.sum_scale.or_else(|| table_scale(&checkpoint.tables)).unwrap_or(default_scale);
    let curve = |table: Option<Vec<f64>>, name, default| {
        let shape = table.map_or(Some(default), |table| shape(&table));
        let bound = options.time_encoding != TimeEncoding::AlphaBarBetaBar;
        match shape {
            None if bound => {
                let problem = format!(
                    "'{name}' holds the sums of no schedule that is known (increased, decreased, average, normal), and a network that is told \
                     the time's index is bound to its own; was it saved with convert_to_ddim? Save it without"
                );
                Err(Error::input(path, problem))
            }
            shape => Ok(Coefficients { shape: shape.unwrap_or(default), ratio: 1.0 }),
        }
    };
    let table = |name| sums(&checkpoint.tables, name);
    let squares = table("betas_cumsum").map(|sums| sums.iter().map(|sum| sum * sum).collect());
    let alpha = curve(table("alphas_cumsum"), "alphas_cumsum", Shape::Decreased)?;
    let beta2 = curve(squares, "betas_cumsum", Shape::Increased)?;
    let draft = Draft {
        schema: SCHEMA,
        id: options.id.clone(),
        version: "0.1.0".parse()?,
        task: options.task.clone(),
        summary: "Exported from a checkpoint of the official code".parse()?,
        license: options.license.clone(),
        least_runtime: "0.1.0".parse()?,
        commit: None,
        networks: networks.iter().map(|(network, _)| network.clone()).collect(),
        sampler: Sampler {
            timesteps: timesteps(&checkpoint.tables),
            alpha,
            beta2,
            sum_scale,
            objective,
            steps: options.steps,
            eta: 0.0,
            residual_limit: 1.0,
            mirror: false,
            mirror_mean: MirrorMean::Arithmetic,
            confirm: false,
            time_encoding: options.time_encoding,
            conditional,
            method: Method::Ddim,
        },
        picture: Picture {
            channels: config.channels as u32,
            mask,
            multiple: config.multiple() as u32,
            padding: Padding::Reflect,
            tile: 256,
            // Attention sees the whole picture: no overlap makes tiles exact, this one hides their borders.
            overlap: 64,
            size: None,
            upright: false,
        },
        training_data: Vec::new(),
    };
    draft.to_toml()?;
    let files = networks
        .into_iter()
        .map(|(network, file)| (network.file.as_str().to_owned(), file))
        .collect();
    Ok(Exported { files, draft })
}

/// What is the same for each network of a checkpoint.
struct Exporter<'a> {
    options: &'a Options,
    config: &'a UnetConfig,
    objective: Objective,
}

impl Exporter<'_> {
    fn networks(&self, network: &UnetRes) -> Result<Vec<(DraftNetwork, Vec<u8>)>, Error> {
        match network {
            UnetRes::One(one) => {
                let predicts = self.objective.predicts();
                let border = self.border(predicts, false);
                let file = to_onnx(&border, &one.unet0, |unet, x, [time, _]| {
                    vec![unet.forward(self.seen(x), time)]
                })?;
                Ok(vec![self.entry(&border, predicts[0], "", file)?])
            }
            UnetRes::Two(two) => [(&two.unet0, Role::Residual), (&two.unet1, Role::Noise)]
                .into_iter()
                .map(|(unet, role)| {
                    let border = self.border(std::slice::from_ref(&role), false);
                    let file = to_onnx(&border, unet, |unet, x, [time, _]| {
                        vec![unet.forward(self.seen(x), time)]
                    })?;
                    self.entry(&border, role, &format!("-{role}"), file)
                })
                .collect(),
            UnetRes::Shared(shared) => {
                let two_times = self.options.time_encoding == TimeEncoding::AlphaBarBetaBar;
                let border = self.border(&[Role::Residual, Role::Noise], two_times);
                let file = to_onnx(&border, shared, |unet, x, [time, _]| {
                    unet.forward(self.seen(x), time).into()
                })?;
                Ok(vec![self.entry(&border, Role::Joint, "", file)?])
            }
        }
    }

    /// What the networks take for `x`. A sampler gives a mask of one plane in [-1, 1]; the official code's is a picture in [0, 1].
    fn seen(&self, x: Tensor<4>) -> Tensor<4> {
        if !mask_is_picture(self.config) {
            return x;
        }
        let channels = self.config.channels;
        let mask = x.clone().narrow(1, 2 * channels, 1).add_scalar(1.0).mul_scalar(0.5);
        let mut planes = vec![x.narrow(1, 0, 2 * channels)];
        planes.resize(1 + channels, mask);
        Tensor::cat(planes, 1)
    }

    fn border<'b>(&'b self, outputs: &'b [Role], two_times: bool) -> Border<'b> {
        Border {
            id: self.options.id.as_str(),
            in_channels: if mask_is_picture(self.config) {
                2 * self.config.channels + 1
            } else {
                self.config.in_channels
            },
            multiple: self.config.multiple(),
            outputs,
            two_times,
            entries: vec![("license".to_owned(), self.options.license.as_str().to_owned())],
        }
    }

    fn entry(
        &self,
        border: &Border<'_>,
        role: Role,
        suffix: &str,
        file: Vec<u8>,
    ) -> Result<(DraftNetwork, Vec<u8>), Error> {
        let network = DraftNetwork {
            role,
            precision: Precision::Fp32,
            file: format!("{}{suffix}.onnx", self.options.id.as_str()).parse()?,
            mirrors: Vec::new(),
            opset: rddm_onnx::OPSET as u32,
            inputs: border.inputs(),
            outputs: border.outputs(),
        };
        Ok((network, file))
    }
}

fn objective(options: &Options, config: &UnetConfig) -> Result<Objective, Error> {
    let objective = match (options.objective, config.networks) {
        (Some(objective), _) => objective,
        (None, Networks::Two | Networks::Shared) => Objective::PredResNoise,
        (None, Networks::One) => {
            return Err(Error::usage(
                "the checkpoint has one network, which predicts the residual or the noise and does not say which: \
                 give --objective pred_res or --objective pred_noise",
            ));
        }
    };
    if objective.predicts().len() != config.outputs() {
        return Err(Error::usage(format!(
            "the objective {objective} needs {} outputs, the checkpoint's networks have {}",
            objective.predicts().len(),
            config.outputs()
        )));
    }
    Ok(objective)
}

/// Whether the networks see a degraded picture, and whether a mask.
fn inputs(path: &Path, config: &UnetConfig) -> Result<(bool, bool), Error> {
    match (config.in_channels, config.channels) {
        (inputs, channels) if inputs == channels => Ok((false, false)),
        (inputs, channels) if inputs == 2 * channels => Ok((true, false)),
        (inputs, channels) if inputs == 2 * channels + 1 || mask_is_picture(config) => {
            Ok((true, true))
        }
        (inputs, channels) => {
            let problem = format!("networks of {inputs} input channels for pictures of {channels}");
            Err(Error::input(path, problem))
        }
    }
}

/// Whether the networks see a mask of as many channels as the pictures, as the official code gives it.
fn mask_is_picture(config: &UnetConfig) -> bool {
    config.in_channels == 3 * config.channels
}

fn timesteps(tables: &StateDict) -> u32 {
    tables.get("alphas_cumsum").map_or(1000, |table| table.num_elements() as u32)
}

/// A table of the checkpoint; none where it is not there, or empty of noise.
fn sums(tables: &StateDict, name: &str) -> Option<Vec<f64>> {
    let table = tables.get(name)?.as_slice::<f32>().ok()?;
    let sums: Vec<f64> = table.iter().map(|&sum| f64::from(sum)).collect();
    sums.last().is_some_and(|&last| last > 0.0).then_some(sums)
}

/// The shape whose sums these are, but for their scale.
fn shape(sums: &[f64]) -> Option<Shape> {
    let last = *sums.last()?;
    let known = [
        (Shape::Increased, rddm_core::Shape::Increased),
        (Shape::Decreased, rddm_core::Shape::Decreased),
        (Shape::Average, rddm_core::Shape::Average),
        (Shape::Normal, rddm_core::Shape::Normal),
    ];
    known.into_iter().find_map(|(named, shape)| {
        let each = coefficients(rddm_core::Coefficients::of(shape), sums.len()).ok()?;
        let mut sum = 0.0;
        let near = each.iter().zip(sums).all(|(one, found)| {
            sum += one;
            // The official tables are of 32 bits.
            (sum - found / last).abs() < 1e-3
        });
        near.then_some(named)
    })
}

/// `β̄²_T`, rounded to what a recipe would say.
fn table_scale(tables: &StateDict) -> Option<f64> {
    let table = tables.get("betas_cumsum")?;
    let last = f64::from(*table.as_slice::<f32>().ok()?.last()?);
    let scale = (last * last * 1e6).round() / 1e6;
    (scale > 0.0).then_some(scale)
}
