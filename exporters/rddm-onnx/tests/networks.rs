//! Small networks of the operations that restoration networks are made of, exported and run at sizes never traced.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "test code")]

mod engines;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d, PixelShuffle,
    PixelShuffleConfig, PixelUnshuffle, PixelUnshuffleConfig,
};
use burn::tensor::activation::{gelu, relu, silu, softmax};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use rddm_onnx::{Dim, ErrorKind, ExportSpec, Input, Metadata, export, halved, weights};

use engines::Plain;

/// Batch, height and width that no recording has.
const SIZES: [[usize; 3]; 4] = [[1, 16, 24], [2, 40, 8], [3, 32, 32], [1, 8, 136]];
const TOLERANCE: f32 = 1e-4;

fn spec(inputs: &[(&str, usize)], outputs: &[&str]) -> ExportSpec {
    let dims = |channels| match channels {
        0 => vec![Dim::any("n")],
        _ => vec![
            Dim::any("n"),
            Dim::Fixed(channels),
            Dim::multiple_of("h", 8),
            Dim::multiple_of("w", 8),
        ],
    };
    ExportSpec {
        inputs: inputs
            .iter()
            .map(|(name, channels)| Input { name: (*name).into(), dims: dims(*channels) })
            .collect(),
        outputs: outputs.iter().map(|name| (*name).into()).collect(),
        metadata: Metadata { name: "test".into(), ..Metadata::default() },
    }
}

fn burn<const D: usize>(plain: &Plain) -> Tensor<D> {
    Tensor::from_data(TensorData::new(plain.values.clone(), plain.dims.clone()), &Device::flex())
}

fn plain<const D: usize>(tensor: Tensor<D>) -> Plain {
    let data = tensor.into_data();
    Plain { dims: data.shape().to_vec(), values: data.as_slice::<f32>().unwrap().to_vec() }
}

/// Runs `file` in every engine on pictures of `channels` channels (and times) and compares with `reference`.
fn compare(
    name: &str,
    file: &[u8],
    channels: usize,
    timed: bool,
    reference: impl Fn(Tensor<4>, Tensor<1>) -> Vec<Plain>,
) {
    for (index, [n, h, w]) in SIZES.into_iter().enumerate() {
        let x = Plain::noise(&[n, channels, h, w], index as u64 + 1);
        let time =
            Plain { dims: vec![n], values: (0..n).map(|i| 999.0 - 301.0 * i as f32).collect() };
        let expected = reference(burn(&x), burn(&time));
        let inputs = if timed { vec![x, time] } else { vec![x] };
        let mut answers = vec![("tract", engines::tract(file, &inputs))];
        answers.extend(engines::onnx_runtime(file, &inputs).map(|answer| ("ONNX Runtime", answer)));
        for (engine, answer) in answers {
            assert_eq!(answer.len(), expected.len());
            let distance =
                answer.iter().zip(&expected).map(|(a, b)| a.distance(b)).fold(0.0, f32::max);
            eprintln!("{name}: {n}x{h}x{w} {engine} {distance:e}");
            assert!(distance <= TOLERANCE, "{name} in {engine} at {n}x{h}x{w}: {distance:e}");
        }
    }
}

/// The plain U: unshuffled picture, residual blocks with the time as a bias, one level down and up, two outputs.
#[derive(Module, Debug)]
struct Plain2 {
    unshuffle: PixelUnshuffle,
    stem: Conv2d,
    time: Linear,
    first: Conv2d,
    bias: Linear,
    second: Conv2d,
    down: Conv2d,
    up: Conv2d,
    shuffle: PixelShuffle,
    head: Conv2d,
}

impl Plain2 {
    fn new() -> Self {
        let device = Device::flex();
        let three = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(&device)
        };
        Self {
            unshuffle: PixelUnshuffleConfig::new(2).init(),
            stem: three(24, 8),
            time: LinearConfig::new(16, 16).init(&device),
            first: three(8, 8),
            bias: LinearConfig::new(16, 8).init(&device),
            second: three(8, 8),
            down: Conv2dConfig::new([8, 16], [2, 2]).with_stride([2, 2]).init(&device),
            up: Conv2dConfig::new([16, 32], [1, 1]).init(&device),
            shuffle: PixelShuffleConfig::new(2).init(),
            head: three(8, 24),
        }
    }

    fn forward(&self, x: Tensor<4>, time: Tensor<1>) -> Vec<Tensor<4>> {
        let frequencies =
            Tensor::<1>::from_floats([1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005], &time.device());
        let angles = time.unsqueeze_dim::<2>(1) * frequencies.unsqueeze_dim::<2>(0);
        let time =
            silu(self.time.forward(Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1)));
        let x = self.stem.forward(self.unshuffle.forward(x));
        let bias = self.bias.forward(time).unsqueeze_dims::<4>(&[2, 3]);
        let x = x.clone() + self.second.forward(relu(self.first.forward(x) + bias));
        let x = x.clone() + self.shuffle.forward(self.up.forward(self.down.forward(x)));
        self.shuffle.forward(self.head.forward(x)).chunk(2, 1)
    }

    fn export(&self) -> Vec<u8> {
        export(&spec(&[("x", 6), ("time", 0)], &["residual", "noise"]), |scope| {
            let network = scope.module(self)?;
            let outputs = network.forward(scope.input::<4>("x")?, scope.input::<1>("time")?);
            let mut outputs = outputs.into_iter();
            scope.output("residual", outputs.next().unwrap())?;
            scope.output("noise", outputs.next().unwrap())
        })
        .unwrap()
    }
}

#[test]
fn plain_u() {
    let network = Plain2::new();
    let file = network.export();
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains("stem.weight") && text.contains("DepthToSpace"));
    assert!(!text.contains("Transpose"), "the pixel shuffles became operators of their own");
    compare("plain u", &file, 6, true, |x, time| {
        network.forward(x, time).into_iter().map(plain).collect()
    });
}

/// The weights of [`Plain2`].
const PLAIN2: [(&str, &[usize]); 16] = [
    ("stem.weight", &[8, 24, 3, 3]),
    ("stem.bias", &[8]),
    ("time.weight", &[16, 16]),
    ("time.bias", &[16]),
    ("first.weight", &[8, 8, 3, 3]),
    ("first.bias", &[8]),
    ("bias.weight", &[16, 8]),
    ("bias.bias", &[8]),
    ("second.weight", &[8, 8, 3, 3]),
    ("second.bias", &[8]),
    ("down.weight", &[16, 8, 2, 2]),
    ("down.bias", &[16]),
    ("up.weight", &[32, 16, 1, 1]),
    ("up.bias", &[32]),
    ("head.weight", &[24, 8, 3, 3]),
    ("head.bias", &[24]),
];

#[test]
fn the_weights_of_a_larger_network_are_no_smaller_ones() {
    let file = Plain2::new().export();
    assert_eq!(weights(&file, &PLAIN2).unwrap().len(), 16);
    let error = weights(&file, &PLAIN2[..15]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);
    assert!(error.to_string().contains("`head.bias`"), "{error}");
}

/// The convolution with its weights as 16 bits hold them.
fn rounded(convolution: &mut Conv2d) {
    convolution.weight = convolution.weight.clone().map(|weight| {
        let data = weight.to_data().convert::<f16>().convert::<f32>();
        Tensor::from_data(data, &weight.device())
    });
}

#[test]
fn weights_of_16_bits_are_those_weights_rounded() {
    let mut network = Plain2::new();
    let file = network.export();
    let half = halved(&file).unwrap();
    assert!(half.len() < file.len() * 2 / 3, "{} of {}", half.len(), file.len());
    assert_eq!(halved(&half).unwrap(), half);

    let Plain2 { stem, first, second, down, up, head, .. } = &mut network;
    for convolution in [stem, first, second, down, up, head] {
        rounded(convolution);
    }
    compare("in 16 bits", &half, 6, true, |x, time| {
        network.forward(x, time).into_iter().map(plain).collect()
    });
    let stem = weights(&half, &PLAIN2).unwrap().remove(0);
    assert_eq!(network.stem.weight.to_data().as_slice::<f32>().unwrap(), stem);

    // A field that this crate does not know, as another program may have written, would be lost.
    let unknown = [half.as_slice(), &[0xa8, 0x06, 1]].concat();
    assert_eq!(halved(&unknown).unwrap_err().kind(), ErrorKind::Weights);
}

/// What the official U-Net adds: softmax over pixels, attention over all pixels, norms, standardised weights, resizes.
#[derive(Module, Debug)]
struct Attentive {
    queries: Conv2d,
    standardised: Conv2d,
    norm: LayerNorm,
    out: Conv2d,
}

impl Attentive {
    fn new() -> Self {
        let device = Device::flex();
        Self {
            queries: Conv2dConfig::new([4, 24], [1, 1]).with_bias(false).init(&device),
            standardised: Conv2dConfig::new([8, 4], [1, 1]).init(&device),
            norm: LayerNormConfig::new(4).init(&device),
            out: Conv2dConfig::new([4, 3], [1, 1]).init(&device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, _, h, w] = x.dims();
        let parts = self.queries.forward(x.clone()).reshape([n, 3, 2, 4, h * w]);
        let part = |index| parts.clone().narrow(1, index, 1).reshape([n, 2, 4, h * w]);
        let (q, k, v) = (softmax(part(0), 2), softmax(part(1), 3), part(2));
        let context = k.matmul(v.swap_dims(2, 3));
        let linear = context.swap_dims(2, 3).matmul(q).reshape([n, 8, h, w]);
        let mut convolution = self.standardised.clone();
        convolution.weight = convolution.weight.map(|weight| {
            let [o, i, kh, kw] = weight.dims();
            let flat = weight.reshape([o, i * kh * kw]);
            let mean = flat.clone().mean_dim(1);
            let centred = flat - mean;
            let variance = (centred.clone() * centred.clone()).mean_dim(1);
            (centred / (variance + 1e-5).sqrt()).reshape([o, i, kh, kw])
        });
        let y = gelu(convolution.forward(linear)) + x;
        let y = self.norm.forward(y.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
        let nearest = || InterpolateOptions::new(InterpolateMode::Nearest);
        let half = interpolate(y, nearest().with_scale_factor([0.5, 0.5]));
        let whole = interpolate(half, nearest().with_scale_factor([2.0, 2.0]));
        let mean = whole.clone().mean_dim(2).mean_dim(3).expand([n, 4, h, w]);
        self.out.forward(whole - mean).tanh().clamp(-0.9, 0.9)
    }
}

#[test]
fn attentive() {
    let network = Attentive::new();
    let file = export(&spec(&[("x", 4)], &["y"]), |scope| {
        let network = scope.module(&network)?;
        scope.output("y", network.forward(scope.input::<4>("x")?))
    })
    .unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(!text.contains("Sqrt_2"), "the weight's standardisation is folded");
    compare("attentive", &file, 4, false, |x, _| vec![plain(network.forward(x))]);
}

#[test]
fn a_mean_over_channels_is_a_convolution() {
    let forward = |x: Tensor<4>| {
        let centred = x.clone() - x.mean_dim(1);
        let variance = centred.clone().square().mean_dim(1);
        centred / (variance + 1e-5).sqrt()
    };
    let file = export(&spec(&[("x", 6)], &["y"]), |scope| {
        scope.output("y", forward(scope.input::<4>("x")?))
    })
    .unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains("Conv") && !text.contains("ReduceMean"));
    compare("channel norm", &file, 6, false, |x, _| vec![plain(forward(x))]);
}

#[test]
fn an_unshuffled_picture_with_other_readers_stays_a_view() {
    let unshuffle = PixelUnshuffleConfig::new(4).init();
    let forward = |x: Tensor<4>| {
        let [n, c, h, w] = x.dims();
        let ones = Tensor::<4>::ones([n, c * 16, h / 4, w / 4], &x.device());
        Tensor::cat(vec![unshuffle.forward(x) * 2.0, ones], 1).slice([
            0..n,
            1..40,
            0..h / 4,
            1..w / 4,
        ])
    };
    let file = export(&spec(&[("x", 3)], &["y"]), |scope| {
        scope.output("y", forward(scope.input::<4>("x")?))
    })
    .unwrap();
    compare("unshuffled", &file, 3, false, |x, _| vec![plain(forward(x))]);
}

#[test]
fn what_cannot_be_a_graph_is_named() {
    let spec = spec(&[("x", 3)], &["y"]);
    let by_size = export(&spec, |scope| {
        let x = scope.input::<4>("x")?;
        let height = x.dims()[2] as f32;
        scope.output("y", x * height)
    });
    assert_eq!(by_size.as_ref().unwrap_err().kind(), ErrorKind::DependsOnSize);

    let unknown =
        export(&spec, |scope| scope.output("y", scope.input::<4>("x")?.sort(1))).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unsupported);
    assert!(unknown.to_string().contains("Sort"), "{unknown}");

    let missing = export(&spec, |_| Ok(())).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Specification);
    let constant = export(&spec, |scope| scope.output("y", Tensor::<1>::ones([3], scope.device())))
        .unwrap_err();
    assert_eq!(constant.kind(), ErrorKind::Specification);
}
