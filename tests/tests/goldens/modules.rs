//! The parts of the official U-Net, each alone.

use burn::module::Module;
use burn::tensor::Tensor as BurnTensor;
use ndarray::ArrayView4;
use rddm_networks::checkpoint::{StateDict, load as load_weights};
use rddm_networks::unet;
use rddm_onnx::{Dim, ExportSpec, Input, Metadata};
use serde::Deserialize;

use crate::compare::{Measured, absolute};
use crate::engines::{device, load, onnx_engines, to_burn};
use crate::report::Run;
use crate::set::{Case, Set};
use crate::tensors::{Tensor, Tensors};

#[derive(Deserialize)]
struct Settings {
    module: String,
    tolerance: f64,
    eps: Option<f64>,
    groups: Option<usize>,
    heads: Option<usize>,
    dim_head: Option<usize>,
    dim: Option<usize>,
}

pub fn module(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: Settings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let weights = StateDict::from_safetensors(case.file.as_str(), &set.bytes(&case.file)?)
        .map_err(|error| error.to_string())?
        .under("weights.");
    Part { settings: &settings, golden: &golden, weights: &weights }.runs()
}

struct Part<'a> {
    settings: &'a Settings,
    golden: &'a Tensors,
    weights: &'a StateDict,
}

impl Part<'_> {
    fn runs(&self) -> Result<Vec<Run>, String> {
        if self.settings.eps.is_some_and(|eps| eps != 1e-5) {
            return Err("the networks' eps is 1e-5".to_owned());
        }
        let device = &device();
        match self.settings.module.as_str() {
            "weight_standardized_conv" => {
                let [output, input] = self.convolution("weight")?;
                let module = unet::WeightStandardizedConv2d::new(input, output, device);
                self.all(module, |module, x| module.forward(x))
            }
            "channel_layer_norm" => {
                let module = rddm_networks::ChannelLayerNorm::new(self.channels()?, device);
                self.all(module, |module, x| module.forward(x))
            }
            "block" => {
                let [output, input] = self.convolution("proj.weight")?;
                let module = unet::Block::new(input, output, self.groups()?, device);
                match self.golden.find("input.2") {
                    None => self.all(module, |module, x| module.forward(x, None)),
                    Some(shift) => {
                        let scale = self.golden.get("input.1")?;
                        self.all(module, |module, x| {
                            let (scale, shift) =
                                (to_burn(scale, &x.device()), to_burn(shift, &x.device()));
                            module.forward(x, Some(unet::Modulation { scale, shift }))
                        })
                    }
                }
            }
            "resnet_block" | "resnet_block_same" => {
                let [output, input] = self.convolution("block1.proj.weight")?;
                let time = self.golden.get("input.1")?;
                let [_, width] = time.shape[..] else {
                    return Err("input.1 is no time".to_owned());
                };
                let module = unet::ResnetBlock::new(input, output, width, self.groups()?, device);
                self.all(module, |module, x| {
                    let time = to_burn(time, &x.device());
                    module.forward(x, time)
                })
            }
            "linear_attention" => {
                let module = unet::LinearAttention::new(self.channels()?, self.heads()?, device);
                self.all(module, |module, x| module.forward(x))
            }
            "attention" => {
                let module = unet::Attention::new(self.channels()?, self.heads()?, device);
                self.all(module, |module, x| module.forward(x))
            }
            "residual_prenorm_linear_attention" => {
                let module = unet::PreNorm::linear(self.channels()?, self.heads()?, device);
                self.all(module, |module, x| module.forward(x))
            }
            "downsample" => {
                let [output, input] = self.convolution("weight")?;
                let module = unet::downsample(input, output, device);
                self.all(module, |module, x| module.forward(x))
            }
            "upsample" => {
                let [output, input] = self.convolution("1.weight")?;
                let module = unet::Upsample::new(input, output, device);
                self.all(module, |module, x| module.forward(x))
            }
            "sinusoidal_embedding" => {
                let width = self.width()?;
                self.all(Stateless, |_, x| picture(unet::sinusoidal_embedding(times(x), width)))
            }
            "time_mlp" => {
                let output = self.golden.get("weights.3.weight")?.shape[0];
                let module = unet::TimeMlp::new(self.width()?, output, device);
                self.all(module, |module, x| picture(module.forward(times(x))))
            }
            other => Err(format!("the suite knows no module \"{other}\"")),
        }
    }

    /// Runs `forward` in burn, and in every engine as a file of the golden's shape. Inputs beside the first are
    /// constants of the file.
    fn all<M: Module>(
        &self,
        module: M,
        forward: impl Fn(&M, BurnTensor<4>) -> BurnTensor<4>,
    ) -> Result<Vec<Run>, String> {
        let module = load_weights(module, self.weights).map_err(|error| error.to_string())?;
        let mut x = self.golden.get("input.0")?.clone();
        // Engines take pictures; times are pictures of one pixel.
        x.shape.resize(4, 1);
        let got = forward(&module, to_burn(&x, &device()));
        let burn = got.into_data().try_to_vec().map_err(|error| format!("{error:?}"));
        let mut runs = vec![Run::new("burn", burn.and_then(|got| self.compared(&got)))];
        let file = written(&x, |scope| {
            let module = scope.module(&module)?;
            scope.output("y", forward(&module, scope.input::<4>("x")?))
        });
        for &engine in onnx_engines() {
            let got = file.as_ref().map_err(Clone::clone).and_then(|file| answer(engine, file, &x));
            runs.push(Run::new(engine, got.and_then(|got| self.compared(&got))));
        }
        Ok(runs)
    }

    fn compared(&self, got: &[f32]) -> Result<Measured, String> {
        absolute(got, self.golden.values("output")?, self.settings.tolerance)
    }

    fn channels(&self) -> Result<usize, String> {
        let tensor = self.golden.get("input.0")?;
        tensor.shape.get(1).copied().ok_or_else(|| "input.0 has no channels".to_owned())
    }

    /// Output and input channels of a convolution's weight.
    fn convolution(&self, name: &str) -> Result<[usize; 2], String> {
        match self.golden.get(&format!("weights.{name}"))?.shape[..] {
            [output, input, _, _] => Ok([output, input]),
            _ => Err(format!("{name} is no convolution's weight")),
        }
    }

    fn groups(&self) -> Result<usize, String> {
        self.settings.groups.ok_or_else(|| "the case names no groups".to_owned())
    }

    fn width(&self) -> Result<usize, String> {
        self.settings.dim.ok_or_else(|| "the case names no dim".to_owned())
    }

    fn heads(&self) -> Result<unet::Heads, String> {
        match (self.settings.heads, self.settings.dim_head) {
            (Some(count), Some(width)) => Ok(unet::Heads { count, width }),
            _ => Err("the case names no heads".to_owned()),
        }
    }
}

/// What has no weights.
#[derive(Module, Debug)]
struct Stateless;

fn times(x: BurnTensor<4>) -> BurnTensor<1> {
    let count = x.dims()[0];
    x.reshape([count])
}

fn picture(rows: BurnTensor<2>) -> BurnTensor<4> {
    let [count, width] = rows.dims();
    rows.reshape([count, width, 1, 1])
}

fn written(
    x: &Tensor,
    forward: impl Fn(&rddm_onnx::Scope<'_>) -> Result<(), rddm_onnx::Error>,
) -> Result<Vec<u8>, String> {
    let dims = x.shape.iter().map(|&length| Dim::Fixed(length)).collect();
    let spec = ExportSpec {
        inputs: vec![Input { name: "x".to_owned(), dims }],
        outputs: vec!["y".to_owned()],
        metadata: Metadata { name: "golden".to_owned(), ..Metadata::default() },
    };
    rddm_onnx::export(&spec, forward).map_err(|error| error.to_string())
}

fn answer(engine: &str, onnx: &[u8], x: &Tensor) -> Result<Vec<f32>, String> {
    let shape = <[usize; 4]>::try_from(x.shape.as_slice()).map_err(|_| "four axes")?;
    let batch = ArrayView4::from_shape(shape, &x.values).map_err(|error| error.to_string())?;
    let outputs = load(engine, onnx)?.run(batch, &[]).map_err(|error| error.to_string())?;
    Ok(outputs.iter().flatten().copied().collect())
}
