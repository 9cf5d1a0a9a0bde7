//! Samplers as a trajectory's manifest entry describes them, and their walks beside golden ones.

use rddm_core::{
    DdimSpec, Details, FirstStep, Method, Objective, Sampler, SamplerSpec, Schedule, ScheduleSpec,
    TimeEncoding,
};

use crate::compare::{Measured, absolute};
use crate::engines::Predictor;
use crate::tensors::{Tensor, Tensors, uncentred};

/// What a sampler is made from, in the manifest's words.
pub struct Plan<'a> {
    pub objective: &'a str,
    pub timesteps: usize,
    pub steps: usize,
    pub sampler: &'a str,
    pub sum_scale: f64,
    pub conditional: bool,
    pub eta: f32,
    pub schedule: &'a str,
    pub time: &'a str,
}

impl Plan<'_> {
    pub fn sampler(&self) -> Result<Sampler, String> {
        let text = |error: rddm_core::Error| error.to_string();
        let spec = SamplerSpec {
            schedule: ScheduleSpec {
                timesteps: self.timesteps,
                sum_scale: self.sum_scale,
                ..ScheduleSpec::default()
            },
            objective: self.objective.parse().map_err(text)?,
            steps: self.steps,
            // The official code has η only in its unconditional sampler.
            eta: if self.conditional { 0.0 } else { self.eta },
            time_encoding: match self.time {
                "index" => TimeEncoding::Index,
                "alpha_bar*T, beta_bar*T" => TimeEncoding::AlphaBarBetaBar,
                other => return Err(format!("the suite knows no time \"{other}\"")),
            },
            conditional: self.conditional,
            method: match self.sampler {
                "deterministic" => Method::Ddim,
                other => other.parse().map_err(text)?,
            },
            // As the official code has it.
            residual_limit: 1.0,
        };
        match self.walked()? {
            None => Sampler::new(spec).map_err(text),
            Some(schedule) => Sampler::with_schedule(spec, &schedule).map_err(text),
        }
    }

    /// `linear default`, or `from_ddim BETAS, first_step FIRST`.
    fn walked(&self) -> Result<Option<Schedule>, String> {
        if self.schedule == "linear default" {
            return Ok(None);
        }
        let unknown = || format!("the suite knows no schedule \"{}\"", self.schedule);
        let (betas, first_step) = self
            .schedule
            .strip_prefix("from_ddim ")
            .and_then(|rest| rest.split_once(", first_step "))
            .ok_or_else(unknown)?;
        let spec = DdimSpec {
            timesteps: self.timesteps,
            betas: betas.parse().map_err(|_| unknown())?,
            ..DdimSpec::default()
        };
        let first_step: FirstStep = first_step.parse().map_err(|_| unknown())?;
        Schedule::from_ddim(&spec, first_step).map(Some).map_err(|error| error.to_string())
    }
}

/// A golden walk: what goes in, and every picture on the way.
pub struct Walk<'a> {
    golden: &'a Tensors,
    shape: Vec<usize>,
    /// `I_in` in [-1, 1]; empty where there is none.
    input: Vec<f32>,
    mask: Option<Vec<f32>>,
    /// The start, in [-1, 1].
    start: Vec<f32>,
    /// Noise that steps draw, in order.
    draws: Vec<&'a Tensor>,
    /// The pictures after each step, in [0, 1].
    pictures: Vec<&'a Tensor>,
}

impl<'a> Walk<'a> {
    pub fn new(sampler: &Sampler, golden: &'a Tensors) -> Result<Self, String> {
        let mut pictures = golden.numbered("picture");
        let shape = pictures.first().ok_or("the golden has no picture.0")?.shape.clone();
        // Of draws of other shapes, which are no pictures' noise, the sampler has no use.
        let mut draws = golden.numbered("noise");
        draws.retain(|noise| noise.shape == shape);
        let input =
            if sampler.conditional() { golden.get("x_input")?.centred() } else { Vec::new() };
        let mut start = vec![0.0; shape.iter().product()];
        let recorded = if sampler.conditional() { Some(pictures.remove(0)) } else { None };
        if draws.is_empty() {
            start = recorded.ok_or("the golden has neither the start nor its noise")?.centred();
        } else {
            let noise = draws.remove(0);
            sampler.start(&input, &noise.values, &mut start).map_err(|error| error.to_string())?;
        }
        if let Some(recorded) = recorded {
            let measured = absolute(&uncentred(&start), &recorded.values, 1e-6)?;
            if !measured.passes() {
                return Err(format!("the start is off by {:.2e}", measured.error));
            }
        }
        if pictures.len() != sampler.steps().len() {
            let (got, expected) = (sampler.steps().len(), pictures.len());
            return Err(format!("the sampler has {got} steps and the golden {expected}"));
        }
        let needed = sampler.steps().iter().filter(|step| step.needs_noise).count();
        if needed != draws.len() {
            return Err(format!("the sampler draws {needed} times and the golden {}", draws.len()));
        }
        let mask = golden.find("mask").map(|mask| mask.values.clone());
        Ok(Self { golden, shape, input, mask, start, draws, pictures })
    }

    /// Walks with a network's predictions; the error is the last picture's.
    pub fn predicted(
        &self,
        sampler: &Sampler,
        predictor: &mut dyn Predictor,
        tolerance: f64,
    ) -> Result<Measured, String> {
        let mut x = self.start.clone();
        let mut draws = self.draws.iter();
        for (index, step) in sampler.steps().iter().enumerate() {
            let first = sampler.objective().first_time();
            let times = [step.times[first], step.times[1]].map(|time| vec![time; self.shape[0]]);
            let outputs = predictor.predict(&self.stacked(&x)?, [&times[0], &times[1]])?;
            let first = outputs.first().ok_or("the network gave nothing")?;
            let second = outputs.get(1).map(|output| output.values.as_slice());
            let z = if step.needs_noise { draws.next() } else { None };
            let z = z.map(|noise| noise.values.as_slice());
            sampler
                .step(index, &mut x, &self.input, &first.values, second, z)
                .map_err(|error| error.to_string())?;
        }
        let last = self.pictures.last().ok_or("the golden has no step")?;
        absolute(&uncentred(&x), &last.values, tolerance)
    }

    /// Walks with what the golden's networks predicted, where that was recorded: the sampler's arithmetic alone. The
    /// error is that of all pictures, residuals, noises and clean pictures. None where nothing was recorded.
    pub fn replayed(&self, sampler: &Sampler, tolerance: f64) -> Result<Option<Measured>, String> {
        let residuals = self.golden.numbered("residual");
        let noises = self.golden.numbered("predicted_noise");
        let starts = self.golden.numbered("x_start");
        if residuals.is_empty() {
            return Ok(None);
        }
        let count = sampler.steps().len();
        if [residuals.len(), noises.len(), starts.len()] != [count; 3] {
            return Err(format!(
                "the golden recorded {} predictions for {count} steps",
                residuals.len()
            ));
        }
        let mut x = self.start.clone();
        let mut draws = self.draws.iter();
        let mut worst = Measured { error: 0.0, tolerance };
        for (index, step) in sampler.steps().iter().enumerate() {
            let (residual, noise, x_start) =
                (&residuals[index].values, &noises[index].values, &starts[index].values);
            let [first, second] =
                outputs(sampler.objective(), &self.input, residual, noise, x_start);
            let z = if step.needs_noise { draws.next() } else { None };
            let mut got = [vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; x.len()]];
            let [got_residual, got_noise, got_start] = &mut got;
            let details = Details { residual: got_residual, noise: got_noise, x_start: got_start };
            sampler
                .step_with_details(
                    index,
                    &mut x,
                    &self.input,
                    &first,
                    Some(&second),
                    z.map(|noise| noise.values.as_slice()),
                    details,
                )
                .map_err(|error| error.to_string())?;
            for (got, golden) in got.iter().zip([residual, noise, x_start]) {
                worst = worst.worse(absolute(got, golden, tolerance)?);
            }
            worst = worst.worse(absolute(&uncentred(&x), &self.pictures[index].values, tolerance)?);
        }
        Ok(Some(worst))
    }

    /// `concat(x_t, x_input[, mask])` along the channels.
    fn stacked(&self, x: &[f32]) -> Result<Tensor, String> {
        let [count, channels, height, width] =
            <[usize; 4]>::try_from(self.shape.as_slice()).map_err(|_| "pictures have four axes")?;
        let mut parts = vec![x];
        if !self.input.is_empty() {
            parts.push(&self.input);
        }
        parts.extend(self.mask.as_deref());
        let length = channels * height * width;
        let values = (0..count)
            .flat_map(|index| {
                parts.iter().flat_map(move |part| &part[index * length..(index + 1) * length])
            })
            .copied()
            .collect();
        Ok(Tensor { shape: vec![count, channels * parts.len(), height, width], values })
    }
}

/// Outputs of networks that give these predictions.
fn outputs(
    objective: Objective,
    input: &[f32],
    residual: &[f32],
    noise: &[f32],
    x_start: &[f32],
) -> [Vec<f32>; 2] {
    let targets = (0..residual.len()).map(|index| {
        let (residual, mut x_start) = (residual[index], x_start[index]);
        if matches!(objective, Objective::PredX0Noise | Objective::PredX0AddNoise) {
            let input = input.get(index).copied().unwrap_or_default();
            x_start = uncut(input, residual, x_start);
        }
        objective.targets(x_start, residual, noise[index])
    });
    let (first, second) = targets.map(|[first, second]| (first, second)).unzip();
    [first, second]
}

/// The clean picture that a network said, of which `residual` and `x_start` were cut to [-1, 1].
fn uncut(input: f32, residual: f32, x_start: f32) -> f32 {
    if residual.abs() < 1.0 {
        input - residual
    } else if x_start.abs() < 1.0 {
        x_start
    } else {
        // So far outside that both are cut.
        2.0 * x_start
    }
}
