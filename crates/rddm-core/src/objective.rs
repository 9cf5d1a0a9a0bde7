use crate::error::names;

/// What the networks predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Objective {
    /// Residual and noise (SM-Res-N).
    PredResNoise,
    /// The residual alone (SM-Res); the noise follows.
    PredRes,
    /// The noise alone (SM-N); the residual follows.
    PredNoise,
    /// The clean picture and the noise.
    PredX0Noise,
    /// The residual, and residual + noise.
    PredResAddNoise,
    /// The clean picture, and clean picture + noise.
    PredX0AddNoise,
}

names!(Objective, "objective",
    PredResNoise => "pred_res_noise",
    PredRes => "pred_res",
    PredNoise => "pred_noise",
    PredX0Noise => "pred_x0_noise",
    PredResAddNoise => "pred_res_add_noise",
    PredX0AddNoise => "pred_x0_add_noise",
);

/// The sums of a schedule at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sums {
    /// `ᾱ_t`.
    pub alpha_bar: f32,
    /// `β̄_t`.
    pub beta_bar: f32,
    /// `1 - ᾱ_t`; 10⁻⁶ at the last time, and 0 before it only where a schedule is so steep that 32 bits have no more of it.
    pub one_minus_alpha_bar: f32,
}

/// One element of what a step uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// `Î_res`, within ± the limit of the residual, 1 or 2.
    pub residual: f32,
    /// `ε̂`.
    pub noise: f32,
    /// `Î_0`, in [-1, 1].
    pub x_start: f32,
}

impl Sums {
    /// The forward process: `I_t = I_0 + ᾱ_t I_res + β̄_t ε`.
    #[inline]
    pub fn forward(self, x_start: f32, residual: f32, noise: f32) -> f32 {
        x_start + self.alpha_bar * residual + self.beta_bar * noise
    }

    /// `ε = (I_t - I_in - (ᾱ_t - 1) I_res) / β̄_t`: the noise that a residual leaves. 0 where `β̄_t` is below 10⁻³⁰: there
    /// is no noise then, and a division by so little is beyond 32 bits.
    #[inline]
    pub fn noise_from_residual(self, x_t: f32, input: f32, residual: f32) -> f32 {
        if self.beta_bar < 1e-30 {
            return 0.0;
        }
        (x_t - input - (self.alpha_bar - 1.0) * residual) / self.beta_bar
    }

    /// `I_0 = (I_t - ᾱ_t I_in - β̄_t ε) / (1 - ᾱ_t)`: the clean picture that a noise leaves.
    #[inline]
    pub fn x_start_from_noise(self, x_t: f32, input: f32, noise: f32) -> f32 {
        (x_t - self.alpha_bar * input - self.beta_bar * noise) / self.one_minus_alpha_bar
    }

    /// `I_0 = I_t - ᾱ_t I_res - β̄_t ε`.
    #[inline]
    pub fn x_start_from_both(self, x_t: f32, residual: f32, noise: f32) -> f32 {
        x_t - self.alpha_bar * residual - self.beta_bar * noise
    }
}

impl Objective {
    /// How many outputs of networks it needs: 1 or 2.
    pub const fn outputs(self) -> usize {
        match self {
            Self::PredRes | Self::PredNoise => 1,
            _ => 2,
        }
    }

    /// Which of a step's two times the network of the one output (`outputs() == 1`) or of the first one gets: 1, the
    /// noise's, for [`Objective::PredNoise`], else 0.
    pub const fn first_time(self) -> usize {
        match self {
            Self::PredNoise => 1,
            _ => 0,
        }
    }

    /// What the networks should have said, from the truth: the targets of training. The second is 0 where there is
    /// but one output.
    #[inline]
    pub fn targets(self, x_start: f32, residual: f32, noise: f32) -> [f32; 2] {
        match self {
            Self::PredResNoise => [residual, noise],
            Self::PredRes => [residual, 0.0],
            Self::PredNoise => [noise, 0.0],
            Self::PredX0Noise => [x_start, noise],
            Self::PredResAddNoise => [residual, residual + noise],
            Self::PredX0AddNoise => [x_start, x_start + noise],
        }
    }

    /// Residual, noise and clean picture from one element of the networks' outputs.
    ///
    /// `input` is `I_in`, 0 for unconditional networks; `second` is not read where there is but one output. The residual is
    /// cut to ± `limit` ([`SamplerSpec::residual_limit`](crate::SamplerSpec::residual_limit)), the clean picture to [-1, 1],
    /// the noise is not.
    #[inline(always)]
    pub fn predict(
        self,
        sums: Sums,
        limit: f32,
        x_t: f32,
        input: f32,
        first: f32,
        second: f32,
    ) -> Prediction {
        // Not `clamp`, which looks whether the limits are in order, for each value.
        let cut = |residual: f32| residual.max(-limit).min(limit);
        match self {
            Self::PredResNoise => from_both(sums, x_t, cut(first), second),
            Self::PredResAddNoise => from_both(sums, x_t, cut(first), second - first),
            Self::PredRes => {
                let residual = cut(first);
                let noise = sums.noise_from_residual(x_t, input, residual);
                Prediction { residual, noise, x_start: clip(input - residual) }
            }
            Self::PredNoise => {
                let x_start = clip(sums.x_start_from_noise(x_t, input, first));
                Prediction { residual: cut(input - x_start), noise: first, x_start }
            }
            Self::PredX0Noise => from_start(cut(input - first), first, second),
            Self::PredX0AddNoise => from_start(cut(input - first), first, second - first),
        }
    }
}

#[inline]
fn from_both(sums: Sums, x_t: f32, residual: f32, noise: f32) -> Prediction {
    let x_start = clip(sums.x_start_from_both(x_t, residual, noise));
    Prediction { residual, noise, x_start }
}

#[inline]
fn from_start(residual: f32, x_start: f32, noise: f32) -> Prediction {
    Prediction { residual, noise, x_start: clip(x_start) }
}

#[inline]
pub(crate) fn clip(value: f32) -> f32 {
    value.clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Perfect networks of every objective give the truth back.
    #[test]
    fn predictions_invert_the_forward_process() {
        let (x_start, input, noise) = (0.3_f32, -0.2, 1.7);
        let residual = input - x_start;
        let sums = Sums { alpha_bar: 0.6, beta_bar: 0.08, one_minus_alpha_bar: 0.4 };
        let x_t = sums.forward(x_start, residual, noise);
        for &objective in Objective::ALL {
            let [first, second] = objective.targets(x_start, residual, noise);
            let got = objective.predict(sums, 1.0, x_t, input, first, second);
            assert!((got.residual - residual).abs() < 1e-6, "{objective}");
            assert!((got.noise - noise).abs() < 1e-5, "{objective}");
            assert!((got.x_start - x_start).abs() < 1e-6, "{objective}");
        }
    }

    #[test]
    fn residual_and_start_are_cut_and_noise_is_not() {
        let sums = Sums { alpha_bar: 1.0, beta_bar: 0.1, one_minus_alpha_bar: 1e-6 };
        for &objective in Objective::ALL {
            for limit in [1.0, 2.0] {
                let got = objective.predict(sums, limit, 0.5, 0.9, -7.0, 9.0);
                assert!(got.residual.abs() <= limit && got.x_start.abs() <= 1.0);
                assert!(got.noise.abs() > 1.0);
            }
        }
    }

    #[test]
    fn names_go_both_ways() {
        for objective in Objective::ALL {
            assert_eq!(objective.name().parse::<Objective>().unwrap(), *objective);
        }
    }
}
