//! What a network is trained to do (Liu et al., CVPR 2024, equation 12 and section 3.4).

use burn::tensor::{Device, Tensor, TensorData};
use rddm_core::{Objective, Schedule, TimeEncoding};

use crate::error::{Error, Kind};
use crate::examples::Examples;
use crate::recipe::{Distance, NoiseUnit, Training};

/// Examples at their times: what a network sees and what it should have said.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `concat(I_t, I_in)`, `[n, 2 channels, h, w]`, values about [-1, 1]; `I_t` alone for generation.
    pub x: Tensor<4>,
    /// What the network is told of the times: two of `[n]`.
    pub times: [Tensor<1>; 2],
    /// `I_res = I_in - I_0`, `[n, channels, h, w]`.
    pub residual: Tensor<4>,
    /// `ε`, unit normal, `[n, channels, h, w]`.
    pub noise: Tensor<4>,
    /// `β̄_t` of each example, `[n, 1, 1, 1]`.
    pub beta_bar: Tensor<4>,
}

impl Batch {
    /// Diffuses clean pictures to `times`, one each, as the trainer does: `I_t = I_0 + ᾱ_t I_res + β̄_t ε`.
    ///
    /// All pictures are `[n, channels, h, w]` in [-1, 1]; `input` is `I_in`, none for generation, where the residual is
    /// `-I_0`. `mask` is a third input, `[n, any, h, w]`.
    ///
    /// # Errors
    /// When the numbers of pictures and times differ, or a time is not below the schedule's.
    pub fn diffuse(
        x_start: Tensor<4>,
        input: Option<Tensor<4>>,
        mask: Option<Tensor<4>>,
        noise: Tensor<4>,
        times: &[usize],
        schedule: &Schedule,
        time_encoding: TimeEncoding,
    ) -> Result<Self, Error> {
        let device = x_start.device();
        let [count, _, height, width] = x_start.dims();
        let wrong = |problem| Err(Error::new(Kind::Data, problem));
        if times.len() != count {
            return wrong(format!("{} times for {count} pictures", times.len()));
        }
        if let Some(t) = times.iter().find(|&&t| t >= schedule.timesteps()) {
            let problem = format!("time {t} is not below the schedule's {}", schedule.timesteps());
            return wrong(problem);
        }
        let mut examples = Examples::new([height, width]);
        for (index, &t) in times.iter().enumerate() {
            let of = |all: &Tensor<4>| {
                let values = all.clone().narrow(0, index, 1).into_data();
                values.iter::<f32>().collect::<Vec<_>>()
            };
            let degraded = input.as_ref().map(of);
            let values = of(&x_start).into_iter().zip(of(&noise)).enumerate();
            let values = values.map(|(at, (clean, noise))| {
                (clean, degraded.as_ref().map(|degraded| degraded[at]), noise)
            });
            let mask = mask.as_ref().map(of).unwrap_or_default();
            examples.add(t, schedule, time_encoding, values, mask.into_iter());
        }
        Ok(examples.on(&device))
    }

    /// `I_t`, `[n, channels, h, w]`.
    pub fn x_t(&self) -> Tensor<4> {
        let [_, channels, _, _] = self.residual.dims();
        self.x.clone().narrow(1, 0, channels)
    }

    /// `I_in`, `[n, channels, h, w]`: 0 for generation.
    pub fn input(&self) -> Tensor<4> {
        let [_, channels, _, _] = self.residual.dims();
        if self.x.dims()[1] < 2 * channels {
            return self.residual.zeros_like();
        }
        self.x.clone().narrow(1, channels, channels)
    }

    /// `I_0 = I_in - I_res`, `[n, channels, h, w]`.
    pub fn x_start(&self) -> Tensor<4> {
        self.input() - self.residual.clone()
    }

    /// Where errors count alone with [`Training::within_mask`]: 1 where the mask is above 0, else 0, `[n, 1, h, w]`.
    pub(crate) fn inside(&self, training: &Training) -> Option<Tensor<4>> {
        let pictures = 2 * self.residual.dims()[1];
        let planes = self.x.dims()[1].saturating_sub(pictures);
        (training.within_mask && planes > 0).then(|| {
            let mask = self.x.clone().narrow(1, pictures, planes).max_dim(1);
            mask.greater_elem(-1.0).float()
        })
    }

    /// What the network should have said, in the order of its outputs.
    pub fn targets(&self, objective: Objective) -> Vec<Tensor<4>> {
        let (residual, noise) = (self.residual.clone(), self.noise.clone());
        match objective {
            Objective::PredResNoise => vec![residual, noise],
            Objective::PredRes => vec![residual],
            Objective::PredNoise => vec![noise],
            Objective::PredX0Noise => vec![self.x_start(), noise],
            Objective::PredResAddNoise => vec![residual.clone(), residual + noise],
            Objective::PredX0AddNoise => vec![self.x_start(), self.x_start() + noise],
        }
    }
}

/// The loss of predictions: a scalar, the sum of each output's mean distance from its truth.
///
/// `predictions` are what the network gave for `batch.x`, in the order of `objective`. The output that holds the noise
/// counts in [`Training::noise_unit`] and with [`Training::noise_weight`].
pub fn loss(
    predictions: &[Tensor<4>],
    batch: &Batch,
    objective: Objective,
    training: &Training,
) -> Tensor<1> {
    loss_from(predictions, batch.targets(objective), batch, objective, training)
}

/// [`loss`] with other `targets` than the truth, in the order of the outputs; those that have none do not count.
pub(crate) fn loss_from(
    predictions: &[Tensor<4>],
    targets: impl IntoIterator<Item = Tensor<4>>,
    batch: &Batch,
    objective: Objective,
    training: &Training,
) -> Tensor<1> {
    let noisy = match objective {
        Objective::PredRes => None,
        Objective::PredNoise => Some(0),
        _ => Some(1),
    };
    let inside = batch.inside(training);
    let terms = predictions.iter().zip(targets).enumerate();
    let terms = terms.map(|(place, (output, target))| {
        let error = counted(output.clone() - target, inside.as_ref());
        if noisy != Some(place) {
            return distance(error, training);
        }
        let error = match training.noise_unit {
            NoiseUnit::Unit => error,
            NoiseUnit::Picture => error * batch.beta_bar.clone(),
        };
        distance(error, training).mul_scalar(training.noise_weight)
    });
    terms.reduce(|sum, term| sum + term).unwrap_or_else(|| Tensor::zeros([1], &batch.x.device()))
}

/// The part of an error that counts: where `inside` is 1, or all of it.
pub(crate) fn counted(error: Tensor<4>, inside: Option<&Tensor<4>>) -> Tensor<4> {
    match inside {
        Some(inside) => error * inside.clone(),
        None => error,
    }
}

/// The size of an error, a scalar.
pub(crate) fn distance(error: Tensor<4>, training: &Training) -> Tensor<1> {
    match training.loss {
        Distance::L1 => error.abs().mean(),
        Distance::L2 => error.square().mean(),
        Distance::Psnr => {
            let quarter = error.square().mul_scalar(0.25).flatten::<2>(1, 3).mean_dim(1);
            let least = 10.0_f64.powf(-0.1 * training.psnr_limit);
            quarter.add_scalar(least).log().mean().mul_scalar(10.0 / std::f64::consts::LN_10)
        }
    }
}

/// A table's values at `times`, `[n, 1, 1, 1]`.
///
/// # Errors
/// When a time is not below the table's length.
pub(crate) fn at(table: &[f32], times: &[usize], device: &Device) -> Result<Tensor<4>, Error> {
    let value = |&t: &usize| {
        let problem = || format!("time {t} is not below the schedule's {}", table.len());
        table.get(t).copied().ok_or_else(|| Error::new(Kind::Data, problem()))
    };
    let values: Vec<f32> = times.iter().map(value).collect::<Result<_, _>>()?;
    Ok(Tensor::from_data(TensorData::new(values, [times.len(), 1, 1, 1]), device))
}
