//! The shapes and the reach of the `edge` family.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

mod drawn;

use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use drawn::drawn;
use rddm_networks::checkpoint::state_dict;
use rddm_networks::edge::{BlockKind, EdgeConfig, Norm};
use rddm_networks::{Network, NetworkConfig};

fn small() -> EdgeConfig {
    EdgeConfig { widths: vec![8, 12], blocks: vec![1, 1], time_width: 8, ..EdgeConfig::default() }
}

/// The time as networks of one time are given it.
fn twice(time: Tensor<1>) -> [Tensor<1>; 2] {
    [time.clone(), time]
}

#[test]
fn keeps_the_size_and_splits_the_head() {
    let device = Device::flex();
    let network = small().init(&device);
    for [n, h, w] in [[1, 4, 4], [2, 16, 28]] {
        let x = Tensor::<4>::ones([n, 6, h, w], &device);
        let outputs = network.forward(x, twice(Tensor::full([n], 500.0, &device)));
        assert_eq!(outputs.len(), 2);
        for output in outputs {
            assert_eq!(output.dims(), [n, 3, h, w]);
        }
    }
}

/// Of either kind of block; the further ones learn.
#[test]
fn further_blocks_change_nothing_until_they_are_trained() {
    let device = Device::flex().autodiff();
    for block in [BlockKind::Plain, BlockKind::Naf] {
        let few = EdgeConfig { block, ..small() };
        let more = EdgeConfig { blocks: vec![2, 3], ..few.clone() };
        let [few, more] = [few, more].map(|config| NetworkConfig::Edge(config).init(&device));
        let few = drawn(few.unwrap());
        let deep = few.clone().deepened(more.unwrap());
        assert!(deep.num_params() > few.num_params());
        let x = Tensor::<4>::random([1, 6, 16, 16], Distribution::Uniform(-1.0, 1.0), &device);
        let time = Tensor::<1>::from_floats([999.0], &device);
        let answer = |network: &Network| network.forward(x.clone(), twice(time.clone())).remove(0);
        let (before, after) = (answer(&few), answer(&deep));
        let norm = |x: Tensor<4>| -> f32 { x.abs().max().into_scalar() };
        assert!(norm(before.clone()) > 0.1, "{}", norm(before));
        assert!(norm(before.clone() - after.clone()) == 0.0);
        let gradients = GradientsParams::from_grads(after.sum().backward(), &deep);
        let trained = SgdConfig::new().init().step(1e-3, deep, gradients);
        assert!(norm(before - answer(&trained)) > 0.0);
        let weights = state_dict(&trained);
        let idle: Vec<_> = (weights.iter())
            .filter(|(_, data)| data.as_slice::<f32>().unwrap().iter().all(|value| *value == 0.0))
            .map(|(name, _)| name)
            .collect();
        assert!(idle.is_empty(), "{idle:?} learn nothing");
    }
}

/// Of a network with and without a part that multiplies; what is left learns.
#[test]
fn the_first_outputs_stay_as_they_are() {
    let device = Device::flex().autodiff();
    for light in [false, true] {
        let two = NetworkConfig::Edge(EdgeConfig { light, ..small() });
        let two = two.init(&device).unwrap();
        // What is drawn is not trained, what is read is.
        let weights = drawn(two.clone()).to_safetensors().unwrap();
        let two = two.with_safetensors(weights).unwrap();
        let one = two.clone().with_first_outputs(1);
        let shape = NetworkConfig::Edge(EdgeConfig { light, outputs: 1, ..small() });
        assert_eq!(one.num_params(), shape.init(&device).unwrap().num_params());
        let x = Tensor::<4>::random([1, 6, 16, 16], Distribution::Uniform(-1.0, 1.0), &device);
        let time = Tensor::<1>::from_floats([999.0], &device);
        let answer = |network: &Network| network.forward(x.clone(), twice(time.clone()));
        let (before, after) = (answer(&two), answer(&one));
        assert_eq!((before.len(), after.len()), (2, 1));
        let far: f32 = (before[0].clone() - after[0].clone()).abs().max().into_scalar();
        assert!(far < 1e-5, "{far}");
        let gradients = GradientsParams::from_grads(after[0].clone().sum().backward(), &one);
        let trained = SgdConfig::new().init().step(1e-3, one.clone(), gradients);
        for ((name, before), (_, after)) in state_dict(&one).iter().zip(state_dict(&trained).iter())
        {
            assert_ne!(before, after, "{name} learns nothing");
        }
    }
}

#[test]
fn the_time_changes_the_answer() {
    let device = Device::flex();
    let network = drawn(small().init(&device));
    let x = Tensor::<4>::ones([1, 6, 8, 8], &device);
    let at = |time: f32| {
        network.forward(x.clone(), twice(Tensor::from_floats([time], &device))).remove(0)
    };
    let difference: f32 = (at(999.0) - at(10.0)).abs().max().into_scalar();
    assert!(difference > 1e-4, "{difference}");
}

/// Nothing beyond the stated radius may change a pixel, or tiles would show.
#[test]
fn the_receptive_radius_bounds_the_reach() {
    let device = Device::flex();
    let naf = EdgeConfig { block: BlockKind::Naf, norm: Norm::Channel, ..small() };
    let flat = EdgeConfig { widths: vec![8], blocks: vec![3], light: true, ..small() };
    let three = EdgeConfig { widths: vec![8, 8, 8], ..EdgeConfig::default() };
    let shrunk = EdgeConfig { shrink: 3, unshuffle: 1, light: true, ..small() };
    let filled = EdgeConfig { in_channels: 7, fill: 3, ..small() };
    for config in [small(), naf, flat, three, shrunk, filled] {
        let channels = config.in_channels;
        let network = drawn(config.init(&device));
        let radius = config.receptive_radius();
        let side = 2 * (radius + 2 * config.multiple());
        let time = Tensor::<1>::from_floats([300.0], &device);
        let at = side / 2;
        let answer = |values: Vec<f32>| -> Vec<f32> {
            let x =
                Tensor::<4>::from_data(TensorData::new(values, [1, channels, side, side]), &device);
            network.forward(x, twice(time.clone())).remove(0).into_data().try_to_vec().unwrap()
        };
        let flat = vec![0.1_f32; channels * side * side];
        let mut touched = flat.clone();
        for channel in 0..channels {
            touched[(channel * side + at) * side + at] = 5.0;
        }
        let (flat, touched) = (answer(flat), answer(touched));
        let mut reach = 0;
        for (index, (a, b)) in flat.iter().zip(&touched).enumerate() {
            if a != b {
                let (y, x) = (index / side % side, index % side);
                reach = reach.max(y.abs_diff(at)).max(x.abs_diff(at));
            }
        }
        assert!(reach <= radius, "reaches {reach}, states {radius}");
        assert!(reach * 2 > radius, "reaches {reach} only, states {radius}");
    }
}

/// What is lost below a mask comes back in the residual, whatever it is, so that the restored picture has nothing of it.
#[test]
fn what_a_mask_marks_is_not_seen() {
    let device = Device::flex();
    let config = EdgeConfig { in_channels: 7, fill: 3, outputs: 1, ..small() };
    let network = drawn(config.init(&device));
    let random = |channels| {
        let values = Distribution::Uniform(-1.0, 1.0);
        Tensor::<4>::random([1, channels, 16, 16], values, &device)
    };
    let (clean, mask) = (random(3), random(1).sign());
    let restored = |below: Tensor<4>| {
        let marked = (mask.clone() + 1.0) * 0.5;
        let degraded = clean.clone() + marked * (below - clean.clone());
        let x = Tensor::cat(vec![degraded.clone(), degraded.clone(), mask.clone()], 1);
        let time = twice(Tensor::from_floats([999.0], &device));
        degraded - network.forward(x, time).remove(0)
    };
    let (one, other) = (restored(random(3)), restored(random(3)));
    let difference: f32 = (one.clone() - other).abs().max().into_scalar();
    assert!(difference < 1e-5, "{difference}");
    let found: f32 = (one - clean).abs().max().into_scalar();
    assert!(found > 0.1, "{found}");
}

#[test]
fn a_config_that_makes_no_network_names_its_key() {
    let wrong = EdgeConfig { blocks: vec![1], ..EdgeConfig::default() };
    assert_eq!(wrong.check().unwrap_err().key(), "blocks");
    let wrong = EdgeConfig { time_width: 7, ..EdgeConfig::default() };
    assert_eq!(wrong.check().unwrap_err().key(), "time_width");
    let wrong = EdgeConfig { in_channels: 3, light: true, ..EdgeConfig::default() };
    assert_eq!(wrong.check().unwrap_err().key(), "light");
    let wrong = EdgeConfig { fill: 2, ..EdgeConfig::default() };
    assert_eq!(wrong.check().unwrap_err().key(), "fill");
    assert!(EdgeConfig::default().check().is_ok());
}

#[test]
fn a_new_network_predicts_nothing() {
    let device = Device::flex();
    let x = Tensor::<4>::ones([1, 6, 8, 8], &device);
    let network = EdgeConfig { light: true, ..small() }.init(&device);
    let outputs = network.forward(x, twice(Tensor::from_floats([999.0], &device)));
    let largest: f32 = outputs[0].clone().abs().max().into_scalar();
    assert_eq!(largest, 0.0);
}
