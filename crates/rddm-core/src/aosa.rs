//! The automatic objective selection of the paper: should a network predict the residual or the noise?
//!
//! One network with one output is trained as both at once, weighed by a learnt `λ`: its output stands for the residual
//! with weight `λ` and for the noise with `1 - λ`. When `λ` has moved further than a threshold from ½, training goes on
//! as the objective that it moved to.

use crate::{Objective, Sums};

/// What `λ` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Still open: train as both.
    Open,
    /// `λ` rose: predict the residual.
    Residual,
    /// `λ` fell: predict the noise.
    Noise,
}

impl Choice {
    /// The objective to go on with; none while the choice is open.
    pub const fn objective(self) -> Option<Objective> {
        match self {
            Self::Open => None,
            Self::Residual => Some(Objective::PredRes),
            Self::Noise => Some(Objective::PredNoise),
        }
    }
}

/// Decides by `λ`: open while `|λ - ½| < threshold`. The paper's threshold is 0.01.
pub fn choose(lambda: f32, threshold: f32) -> Choice {
    if (lambda - 0.5).abs() < threshold {
        Choice::Open
    } else if lambda > 0.5 {
        Choice::Residual
    } else {
        Choice::Noise
    }
}

/// Residual and noise of one output while the choice is open:
/// `res = λ·out + (1-λ)·res(out as noise)`, `ε = λ·ε(out as residual) + (1-λ)·out`.
///
/// Nothing is cut to [-1, 1] here, since this is a loss's argument.
pub fn blend(lambda: f32, sums: Sums, x_t: f32, input: f32, output: f32) -> [f32; 2] {
    let residual = input - sums.x_start_from_noise(x_t, input, output);
    let noise = sums.noise_from_residual(x_t, input, output);
    [lambda * output + (1.0 - lambda) * residual, lambda * noise + (1.0 - lambda) * output]
}

/// The loss while the choice is open: `λ·L_res + (1-λ)·L_noise`.
pub fn total(lambda: f32, residual_loss: f32, noise_loss: f32) -> f32 {
    lambda * residual_loss + (1.0 - lambda) * noise_loss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_falls_outside_the_threshold() {
        assert_eq!(choose(0.5, 0.01), Choice::Open);
        assert_eq!(choose(0.509, 0.01), Choice::Open);
        assert_eq!(choose(0.52, 0.01).objective(), Some(Objective::PredRes));
        assert_eq!(choose(0.47, 0.01).objective(), Some(Objective::PredNoise));
    }

    #[test]
    fn the_ends_of_lambda_are_the_two_objectives() {
        let sums = Sums { alpha_bar: 0.4, beta_bar: 0.2, one_minus_alpha_bar: 0.6 };
        let (x_start, input, noise) = (0.1_f32, 0.5, -0.8);
        let residual = input - x_start;
        let x_t = sums.forward(x_start, residual, noise);
        for (lambda, output) in [(1.0, residual), (0.0, noise)] {
            let [got_residual, got_noise] = blend(lambda, sums, x_t, input, output);
            assert!((got_residual - residual).abs() < 1e-6);
            assert!((got_noise - noise).abs() < 1e-6);
        }
    }
}
