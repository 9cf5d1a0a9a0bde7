//! The `unet` family against numbers of the official Python code (`RDDM_GOLDENS`, else `../shared/goldens`).

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

mod common;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use common::Goldens;
use rddm_networks::ChannelLayerNorm;
use rddm_networks::checkpoint::{self, Checkpoint, StateDict, Weights};
use rddm_networks::unet::{
    Attention, Block, Heads, LinearAttention, PreNorm, ResnetBlock, TimeMlp, UnetRes, Upsample,
    WeightStandardizedConv2d, downsample, sinusoidal_embedding,
};
use serde_json::Value;

#[test]
fn modules_match() {
    let Some(goldens) = Goldens::find() else { return };
    for case in goldens.of_kind("module") {
        let file = goldens.tensors(case["file"].as_str().unwrap());
        let weights = file.under("weights.");
        let x = || tensor::<4>(&file, "input.0");
        let time = || tensor::<2>(&file, "input.1");
        let axis = |name: &str, axis: usize| weights.get(name).unwrap().shape()[axis];
        let device = Device::flex();
        let heads = || Heads {
            count: case["heads"].as_u64().unwrap() as usize,
            width: case["dim_head"].as_u64().unwrap() as usize,
        };
        let groups = || case["groups"].as_u64().unwrap() as usize;
        let output: TensorData = match case["module"].as_str().unwrap() {
            "weight_standardized_conv" => {
                let new =
                    WeightStandardizedConv2d::new(axis("weight", 1), axis("weight", 0), &device);
                load(new, &weights).forward(x()).into_data()
            }
            "channel_layer_norm" => load(ChannelLayerNorm::new(axis("g", 1), &device), &weights)
                .forward(x())
                .into_data(),
            "block" => {
                let new =
                    Block::new(axis("proj.weight", 1), axis("proj.weight", 0), groups(), &device);
                load(new, &weights).forward(x(), None).into_data()
            }
            "resnet_block" | "resnet_block_same" => {
                let (input, output) =
                    (axis("block1.proj.weight", 1), axis("block1.proj.weight", 0));
                let new =
                    ResnetBlock::new(input, output, axis("mlp.1.weight", 1), groups(), &device);
                load(new, &weights).forward(x(), time()).into_data()
            }
            "linear_attention" => {
                let new = LinearAttention::new(axis("to_qkv.weight", 1), heads(), &device);
                load(new, &weights).forward(x()).into_data()
            }
            "attention" => {
                let new = Attention::new(axis("to_qkv.weight", 1), heads(), &device);
                load(new, &weights).forward(x()).into_data()
            }
            "residual_prenorm_linear_attention" => {
                let new = PreNorm::linear(axis("fn.fn.to_qkv.weight", 1), heads(), &device);
                load(new, &weights).forward(x()).into_data()
            }
            "downsample" => {
                load(downsample(axis("weight", 1), axis("weight", 0), &device), &weights)
                    .forward(x())
                    .into_data()
            }
            "upsample" => {
                load(Upsample::new(axis("1.weight", 1), axis("1.weight", 0), &device), &weights)
                    .forward(x())
                    .into_data()
            }
            "sinusoidal_embedding" => sinusoidal_embedding(
                tensor(&file, "input.0"),
                case["dim"].as_u64().unwrap() as usize,
            )
            .into_data(),
            "time_mlp" => {
                let new = TimeMlp::new(axis("1.weight", 1), axis("1.weight", 0), &device);
                load(new, &weights).forward(tensor(&file, "input.0")).into_data()
            }
            other => panic!("no module '{other}'"),
        };
        check(case, &output, file.get("output").unwrap());
    }
}

#[test]
fn networks_match() {
    let Some(goldens) = Goldens::find() else { return };
    for case in goldens.of_kind("network") {
        let weights = goldens.tensors(case["weights"].as_str().unwrap());
        let file = goldens.tensors(case["file"].as_str().unwrap());
        let (config, network) = UnetRes::from_state_dict(&weights, &Device::flex()).unwrap();
        let mults: Vec<usize> = serde_json::from_value(case["dim_mults"].clone()).unwrap();
        assert_eq!(
            (config.dim, &config.dim_mults, config.in_channels),
            (
                case["dim"].as_u64().unwrap() as usize,
                &mults,
                case["input_channels"].as_u64().unwrap() as usize
            ),
        );
        let times = match (file.contains("time.0"), config.outputs()) {
            (false, _) => ["time", "time"],
            (true, 1) => ["time.1", "time.1"],
            (true, _) => ["time.0", "time.1"],
        };
        let outputs = network.forward(tensor(&file, "x"), times.map(|name| tensor(&file, name)));
        assert_eq!(outputs.len(), config.outputs());
        for (k, output) in outputs.into_iter().enumerate() {
            check(case, &output.into_data(), file.get(&format!("output.{k}")).unwrap());
        }
    }
}

#[test]
fn names_go_both_ways() {
    let Some(goldens) = Goldens::find() else { return };
    for case in goldens.of_kind("network") {
        let weights = goldens.tensors(case["weights"].as_str().unwrap());
        let (_, network) = UnetRes::from_state_dict(&weights, &Device::flex()).unwrap();
        let back = checkpoint::state_dict(&network);
        assert_eq!(back.iter().collect::<Vec<_>>(), weights.iter().collect::<Vec<_>>());
    }
}

#[test]
fn checkpoints_open() {
    let Some(goldens) = Goldens::find() else { return };
    for case in goldens.of_kind("checkpoint") {
        let path = goldens.folder.join(case["checkpoint"].as_str().unwrap());
        let average = Checkpoint::open(&path, Weights::Average).unwrap();
        let model = Checkpoint::open(&path, Weights::Model).unwrap();
        let (config, _) = UnetRes::from_state_dict(&average.network, &Device::flex()).unwrap();
        assert_eq!(UnetRes::from_state_dict(&model.network, &Device::flex()).unwrap().0, config);
        assert_eq!(config.dim, case["dim"].as_u64().unwrap() as usize);
        let beta = average.tables.get("betas_cumsum").unwrap().try_to_vec::<f32>().unwrap();
        assert_eq!(beta.len(), case["timesteps"].as_u64().unwrap() as usize);
        let last = f64::from(*beta.last().unwrap());
        assert!((last * last - case["sum_scale"].as_f64().unwrap()).abs() < 1e-6);

        // The same weights as a bare safetensors file.
        let bare = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(bare.path(), average.network.to_safetensors().unwrap()).unwrap();
        let again = Checkpoint::open(bare.path(), Weights::Average).unwrap();
        assert_eq!(
            again.network.iter().collect::<Vec<_>>(),
            average.network.iter().collect::<Vec<_>>()
        );
    }
}

fn load<M: Module>(module: M, weights: &StateDict) -> M {
    checkpoint::load(module, weights).unwrap()
}

fn tensor<const D: usize>(file: &StateDict, name: &str) -> Tensor<D> {
    Tensor::from_data(file.get(name).unwrap().clone(), &Device::flex())
}

fn check(case: &Value, found: &TensorData, expected: &TensorData) {
    assert_eq!(found.shape(), expected.shape(), "{}", case["id"]);
    let pairs = found.iter::<f32>().zip(expected.iter::<f32>());
    let error = pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    let tolerance = case["tolerance"].as_f64().unwrap();
    println!("{}: {error:.2e} of {tolerance:.0e}", case["id"]);
    assert!(error <= tolerance, "{}: {error} > {tolerance}", case["id"]);
}
