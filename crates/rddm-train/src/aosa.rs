//! The automatic choice of the objective: a learnt `λ` decides between the residual and the noise
//! (Liu et al., CVPR 2024, section 3.4 and its supplement).
//!
//! One network with one output is trained as both at once until `λ` leaves the threshold around ½; from then on it is
//! trained as the objective that `λ` names.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rddm_core::Schedule;
use rddm_core::aosa::{Choice, choose};

use crate::error::Error;
use crate::loss::{Batch, at, distance};
use crate::recipe::Training;

/// The threshold of the paper.
pub const THRESHOLD: f32 = 0.01;

/// The learnt weight of the residual: an optimiser moves it beside the network's weights.
#[derive(Module, Debug)]
pub struct Lambda {
    lambda: Param<Tensor<1>>,
}

impl Lambda {
    /// `λ` at `value`; training starts at ½.
    pub fn new(value: f32, device: &Device) -> Self {
        Self { lambda: Param::from_tensor(Tensor::from_floats([value], device)) }
    }

    /// `λ` as the network's loss sees it.
    pub fn tensor(&self) -> Tensor<1> {
        self.lambda.val()
    }

    /// `λ` as a number.
    pub fn value(&self) -> f32 {
        self.lambda.val().into_scalar()
    }

    /// What `λ` says, given the threshold of `|λ - ½|`.
    pub fn choice(&self, threshold: f32) -> Choice {
        choose(self.value(), threshold)
    }
}

/// The sums of each example's time that tell residual from noise, `[n, 1, 1, 1]`.
#[derive(Debug, Clone)]
pub struct Sums {
    /// `ᾱ_t`.
    pub alpha_bar: Tensor<4>,
    /// `1 - ᾱ_t`, never 0.
    pub one_minus_alpha_bar: Tensor<4>,
}

impl Sums {
    /// The sums at `times`.
    ///
    /// # Errors
    /// When a time is not below the schedule's.
    pub fn new(schedule: &Schedule, times: &[usize], device: &Device) -> Result<Self, Error> {
        Ok(Self {
            alpha_bar: at(schedule.alpha_bar(), times, device)?,
            one_minus_alpha_bar: at(schedule.one_minus_alpha_bar(), times, device)?,
        })
    }
}

/// The losses of one output; scalars.
#[derive(Debug, Clone)]
pub struct Losses {
    /// Of the residual; none where the choice fell on the noise.
    pub residual: Option<Tensor<1>>,
    /// Of the noise; none where the choice fell on the residual.
    pub noise: Option<Tensor<1>>,
    /// What is minimised. It depends on `λ` only while the choice is open.
    pub total: Tensor<1>,
}

/// The losses of `output`, `[n, channels, h, w]`, which the network gave for `batch.x`.
///
/// Open: `res = λ·out + (1-λ)·res(out as noise)`, `ε = λ·ε(out as residual) + (1-λ)·out`, with
/// `res(ε) = I_in - Î_0`, `Î_0 = (I_t - ᾱ_t I_in - β̄_t ε)/(1 - ᾱ_t)` cut to [-1, 1], and
/// `ε(res) = (I_t - I_in - (ᾱ_t - 1) res)/β̄_t`; in total
/// `λ·L_res + (1-λ)·L_noise`. Decided: the loss of the one objective.
pub fn losses(
    output: Tensor<4>,
    batch: &Batch,
    sums: &Sums,
    lambda: &Lambda,
    choice: Choice,
    training: &Training,
) -> Losses {
    let to_residual = |output: Tensor<4>| distance(output - batch.residual.clone(), training);
    let to_noise = |output: Tensor<4>| distance(output - batch.noise.clone(), training);
    match choice {
        Choice::Residual => {
            let total = to_residual(output);
            Losses { residual: Some(total.clone()), noise: None, total }
        }
        Choice::Noise => {
            let total = to_noise(output);
            Losses { residual: None, noise: Some(total.clone()), total }
        }
        Choice::Open => {
            let weight = lambda.tensor();
            let rest = weight.clone().neg().add_scalar(1.0);
            let broad = |weight: &Tensor<1>| weight.clone().reshape([1, 1, 1, 1]);
            let from_noise = residual_of_noise(output.clone(), batch, sums);
            let from_residual = noise_of_residual(output.clone(), batch, sums);
            let residual = broad(&weight) * output.clone() + broad(&rest) * from_noise;
            let noise = broad(&weight) * from_residual + broad(&rest) * output;
            let (residual, noise) = (to_residual(residual), to_noise(noise));
            let total = weight * residual.clone() + rest * noise.clone();
            Losses { residual: Some(residual), noise: Some(noise), total }
        }
    }
}

fn residual_of_noise(noise: Tensor<4>, batch: &Batch, sums: &Sums) -> Tensor<4> {
    let input = batch.input();
    let rest =
        batch.x_t() - sums.alpha_bar.clone() * input.clone() - batch.beta_bar.clone() * noise;
    input - (rest / sums.one_minus_alpha_bar.clone()).clamp(-1.0, 1.0)
}

fn noise_of_residual(residual: Tensor<4>, batch: &Batch, sums: &Sums) -> Tensor<4> {
    let moved = sums.alpha_bar.clone().sub_scalar(1.0) * residual;
    (batch.x_t() - batch.input() - moved) / batch.beta_bar.clone()
}
