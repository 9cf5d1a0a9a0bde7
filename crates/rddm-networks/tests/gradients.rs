//! The gradients that training goes by, against differences of the loss.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

mod drawn;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use drawn::drawn;
use rddm_networks::edge::{Edge, EdgeConfig};

/// Moves one parameter, the `index`th, along a direction drawn from a seed.
struct Mover {
    at: usize,
    index: usize,
    by: f32,
}

fn direction<const D: usize>(like: &Tensor<D>, index: usize) -> Tensor<D> {
    let numbers: Vec<f32> = (0..like.shape().num_elements())
        .map(|i| (((i * 7919 + index * 104_729) % 1009) as f32 / 504.5) - 1.0)
        .collect();
    Tensor::<1>::from_floats(numbers.as_slice(), &like.device()).reshape(like.shape())
}

impl ModuleMapper for Mover {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let moved = self.at == self.index;
        self.at += 1;
        let (index, by) = (self.index, self.by);
        if moved {
            param.map(|value| value.clone() + direction(&value, index).mul_scalar(by))
        } else {
            param
        }
    }
}

struct Slopes<'a> {
    gradients: &'a GradientsParams,
    slopes: Vec<(String, f32)>,
}

impl ModuleVisitor for Slopes<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id).expect("every parameter has a gradient");
        let along = direction(&gradient, self.slopes.len());
        let slope: f32 = (gradient * along).sum().into_scalar();
        self.slopes.push((format!("{:?}", param.shape()), slope));
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let device = Device::flex();
    device.seed(5);
    let config = EdgeConfig {
        widths: vec![8, 16, 24],
        blocks: vec![1, 1, 2],
        time_width: 16,
        ..EdgeConfig::default()
    };
    let x = Tensor::<4>::random([2, 6, 32, 48], Distribution::Normal(0.0, 1.0), &device);
    let weights = Tensor::<4>::random([2, 3, 32, 48], Distribution::Normal(0.0, 1.0), &device);
    let time = Tensor::<1>::from_floats([3.0, 17.0], &device);
    let loss = |network: &Edge, device: &Device| {
        let move_to = |tensor: &Tensor<4>| Tensor::<4>::from_data(tensor.to_data(), device);
        let time = Tensor::<1>::from_data(time.to_data(), device);
        let outputs = network.forward(move_to(&x), [time.clone(), time]);
        ((outputs[0].clone() + outputs[1].clone().square()) * move_to(&weights)).sum()
    };
    let training = device.clone().autodiff();
    let network = drawn(config.init(&training)).set_require_grad(true);
    let gradients = GradientsParams::from_grads(loss(&network, &training).backward(), &network);
    let mut found = Slopes { gradients: &gradients, slopes: Vec::new() };
    network.visit(&mut found);
    let network = network.valid();
    let largest = found.slopes.iter().map(|(_, slope)| slope.abs()).fold(0.0, f32::max);
    for (index, (shape, slope)) in found.slopes.iter().enumerate() {
        let at = |by: f32| -> f64 {
            let moved = network.clone().map(&mut Mover { at: 0, index, by });
            f64::from(loss(&moved, &device).into_scalar::<f32>())
        };
        let step = 3e-4;
        let difference = (at(step) - at(-step)) / (2.0 * f64::from(step));
        let error = (difference - f64::from(*slope)).abs();
        // The loss is a sum of thousands in f32, and a step crosses kinks of the ReLU.
        let allowed = 0.05 * difference.abs() + 0.005 * f64::from(largest);
        assert!(error < allowed, "parameter {index} {shape}: {slope} against {difference}");
    }
}
