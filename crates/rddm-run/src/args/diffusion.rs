//! The options of the diffusion, for those who know what they ask for.

use rddm_core::{Coefficients, Method, Objective, Shape};
use rddm_manifest::Manifest;
use rddm_runtime::RestorerBuilder;

use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Diffusion (the model's own unless given)")]
pub(crate) struct Diffusion {
    /// What of the networks' outputs the sampler goes by: pred_res_noise, pred_res, pred_noise…
    /// With pred_noise and a single step, engines may be dozens of levels apart: rounding is divided by 1e-6 there.
    #[arg(long, value_name = "NAME")]
    objective: Option<Objective>,
    /// The way back: ddim, ancestral (all time steps), or path_independent (the residual, then the noise).
    #[arg(long, value_name = "NAME")]
    method: Option<Method>,
    /// Schedule of the residual, increased, decreased, average or normal, with its exponent if any:
    /// decreased:2. The networks are told the times of their own schedule that fit best.
    #[arg(long, value_name = "SHAPE", value_parser = coefficients)]
    alpha: Option<Coefficients>,
    /// Schedule of the noise, likewise.
    #[arg(long, value_name = "SHAPE", value_parser = coefficients)]
    beta2: Option<Coefficients>,
    /// What the noise's schedule sums to.
    #[arg(long, value_name = "X")]
    sum_scale: Option<f64>,
}

impl Diffusion {
    /// Tells a builder what was asked for.
    pub(crate) fn tell<'m>(
        &self,
        mut builder: RestorerBuilder<'m>,
        manifest: &Manifest,
    ) -> Result<RestorerBuilder<'m>, Failure> {
        if let Some(objective) = self.objective {
            builder = builder.objective(objective);
        }
        if let Some(method) = self.method {
            builder = builder.method(method);
        }
        if self.alpha.is_some() || self.beta2.is_some() || self.sum_scale.is_some() {
            let mut schedule = rddm_runtime::sampler_of(manifest)?.schedule;
            schedule.alpha = self.alpha.unwrap_or(schedule.alpha);
            schedule.beta2 = self.beta2.unwrap_or(schedule.beta2);
            schedule.sum_scale = self.sum_scale.unwrap_or(schedule.sum_scale);
            builder = builder.schedule(schedule);
        }
        Ok(builder)
    }
}

/// `SHAPE` or `SHAPE:EXPONENT`.
fn coefficients(text: &str) -> Result<Coefficients, String> {
    let (shape, ratio) = text.split_once(':').unwrap_or((text, "1"));
    let shape: Shape = shape.parse().map_err(|error: rddm_core::Error| error.to_string())?;
    match ratio.parse::<f64>() {
        Ok(ratio) if ratio.is_finite() => Ok(Coefficients { shape, ratio }),
        _ => Err(format!("{ratio:?} is no exponent; write a shape such as decreased:2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_exponents() {
        let coefficients = |text| coefficients(text).map(|found| (found.shape, found.ratio));
        assert_eq!(coefficients("average"), Ok((Shape::Average, 1.0)));
        assert_eq!(coefficients("decreased:0.5"), Ok((Shape::Decreased, 0.5)));
        assert!(coefficients("sideways").is_err() && coefficients("normal:much").is_err());
    }
}
