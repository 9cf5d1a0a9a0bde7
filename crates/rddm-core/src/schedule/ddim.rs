use alloc::format;
use alloc::vec::Vec;

use super::Schedule;
use super::coefficients::check_timesteps;
use crate::error::names;
use crate::linspace::linspace;
use crate::{Error, ErrorKind};

/// The forms of DDIM's (and DDPM's) betas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DdimBetas {
    /// Evenly spaced from `beta_start` to `beta_end`.
    Linear,
    /// Evenly spaced in the square root.
    ScaledLinear,
    /// Of the cosine `ᾱ(s) = cos²((s + 0.008)/1.008 · π/2)`, at most 0.999; start and end have no effect.
    SquaredCosine,
}

names!(DdimBetas, "form of DDIM betas",
    Linear => "linear",
    ScaledLinear => "scaled_linear",
    SquaredCosine => "squaredcos_cap_v2",
);

/// The `α_0` and `β²_0` of a schedule made from sums, which differences leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FirstStep {
    /// Zero, as the paper's code trains.
    Zero,
    /// Those of `t = 1`, as the paper's code samples.
    RepeatSecond,
}

names!(FirstStep, "first step",
    Zero => "zero",
    RepeatSecond => "repeat_second",
);

/// A schedule of DDIM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DdimSpec {
    /// The number of time steps, at least 2.
    pub timesteps: usize,
    /// The form of the betas.
    pub betas: DdimBetas,
    /// The first beta, between 0 and 1.
    pub beta_start: f64,
    /// The last beta, between 0 and 1.
    pub beta_end: f64,
}

impl Default for DdimSpec {
    /// 1000 steps, linear from 0.0001 to 0.02.
    fn default() -> Self {
        Self { timesteps: 1000, betas: DdimBetas::Linear, beta_start: 1e-4, beta_end: 0.02 }
    }
}

impl DdimSpec {
    /// The betas of all steps.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchedule`] for a number of time steps or betas out of range.
    pub fn betas(&self) -> Result<Vec<f64>, Error> {
        check_timesteps(self.timesteps)?;
        let inside = |beta: f64| beta > 0.0 && beta < 1.0;
        if !(inside(self.beta_start) && inside(self.beta_end)) {
            return Err(Error::new(
                ErrorKind::InvalidSchedule,
                format!(
                    "DDIM's betas run from {} to {}; both must lie between 0 and 1",
                    self.beta_start, self.beta_end
                ),
            ));
        }
        let last = (self.timesteps - 1) as f64;
        let between =
            |start: f64, end: f64, step: usize| start + (end - start) * step as f64 / last;
        Ok((0..self.timesteps)
            .map(|step| match self.betas {
                DdimBetas::Linear => between(self.beta_start, self.beta_end, step),
                DdimBetas::ScaledLinear => {
                    let root =
                        between(libm::sqrt(self.beta_start), libm::sqrt(self.beta_end), step);
                    root * root
                }
                DdimBetas::SquaredCosine => {
                    let count = self.timesteps as f64;
                    let ratio = cosine((step + 1) as f64 / count) / cosine(step as f64 / count);
                    (1.0 - ratio).min(0.999)
                }
            })
            .collect())
    }

    /// The betas as f32 arithmetic gives them.
    fn single_betas(&self) -> Result<Vec<f32>, Error> {
        let betas = self.betas()?;
        let point =
            |start: f64, end: f64, step| linspace(start as f32, end as f32, self.timesteps, step);
        Ok(betas
            .into_iter()
            .enumerate()
            .map(|(step, beta)| match self.betas {
                DdimBetas::Linear => point(self.beta_start, self.beta_end, step),
                DdimBetas::ScaledLinear => {
                    let root = point(libm::sqrt(self.beta_start), libm::sqrt(self.beta_end), step);
                    root * root
                }
                DdimBetas::SquaredCosine => beta as f32,
            })
            .collect())
    }

    /// DDIM's `ᾱ_t`, the products of `1 - β`.
    ///
    /// # Errors
    /// As [`DdimSpec::betas`].
    pub fn alpha_products(&self) -> Result<Vec<f64>, Error> {
        let mut product = 1.0;
        let mut products = self.betas()?;
        for value in &mut products {
            product *= 1.0 - *value;
            *value = product;
        }
        Ok(products)
    }
}

/// The sums `(ᾱ, β̄²)` of RDDM that walk as DDIM does: `ᾱ = 1 - √ᾱ_DDIM`, `β̄² = 1 - ᾱ_DDIM`, from DDIM's products.
pub fn ddim_to_rddm(alpha_products: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let alpha_bar = alpha_products.iter().map(|&product| 1.0 - libm::sqrt(product)).collect();
    let beta2_bar = alpha_products.iter().map(|&product| 1.0 - product).collect();
    (alpha_bar, beta2_bar)
}

impl Schedule {
    /// The schedule that walks as DDIM does.
    ///
    /// It is computed in f32 as the paper's code does, since its `α_t` and `β²_t` are the differences of sums that
    /// hardly rise at the end, where rounding shows: betas, `1 - β`, the kept products and the sums are each rounded.
    ///
    /// # Errors
    /// As [`DdimSpec::betas`].
    pub fn from_ddim(spec: &DdimSpec, first_step: FirstStep) -> Result<Self, Error> {
        let mut product = 1.0;
        let (alpha_bar, beta2_bar): (Vec<f64>, Vec<f64>) = spec
            .single_betas()?
            .into_iter()
            .map(|beta| {
                product *= f64::from(1.0 - beta);
                let kept = product as f32;
                (f64::from(1.0 - libm::sqrtf(kept)), f64::from(1.0 - kept))
            })
            .unzip();
        Self::from_sums(&alpha_bar, &beta2_bar, first_step)
    }
}

fn cosine(share: f64) -> f64 {
    let value = libm::cos((share + 0.008) / 1.008 * core::f64::consts::FRAC_PI_2);
    value * value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_products_follow_the_closed_form() {
        let spec = DdimSpec { betas: DdimBetas::SquaredCosine, ..DdimSpec::default() };
        let products = spec.alpha_products().unwrap();
        // The last steps are capped, so the products leave the cosine there.
        for step in [0, 1, 10, 500, 990] {
            let expected = cosine((step + 1) as f64 / 1000.0) / cosine(0.0);
            assert!((products[step] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn sums_satisfy_the_identity_of_ddim() {
        let spec = DdimSpec { betas: DdimBetas::ScaledLinear, ..DdimSpec::default() };
        let (alpha_bar, beta2_bar) = ddim_to_rddm(&spec.alpha_products().unwrap());
        for (alpha, beta2) in alpha_bar.iter().zip(&beta2_bar) {
            assert!(((1.0 - alpha) * (1.0 - alpha) + beta2 - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn betas_out_of_range_are_refused() {
        for (beta_start, beta_end) in [(0.0, 0.5), (0.1, 1.0), (f64::NAN, 0.5), (0.1, -0.5)] {
            let spec = DdimSpec { beta_start, beta_end, ..DdimSpec::default() };
            assert_eq!(spec.betas().unwrap_err().kind(), ErrorKind::InvalidSchedule);
        }
        assert!(DdimSpec { timesteps: 0, ..DdimSpec::default() }.betas().is_err());
    }
}
