//! How long and how a network is trained: the table `[training]`.

use serde::{Deserialize, Serialize};

use super::wrong;
use crate::degrade::{Range, no_range};
use crate::error::Error;

/// How long and how a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Seed of the first weights and of every example.
    pub seed: u64,
    /// Number of optimiser steps.
    pub steps: usize,
    /// Examples a step.
    pub batch: usize,
    /// Side of an example, pixels.
    pub crop: usize,
    /// Side, pixels, that the middle square of every picture is scaled to when it is read; as large as the files without it. For
    /// what is learnt whole, as faces are, of which crops would show parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<u32>,
    /// How examples are mirrored and turned.
    pub augment: Augment,
    /// How many times examples are enlarged, drawn evenly, degraded and clean side alike; not at all without it. What is
    /// degraded anew is enlarged before, and of what is transferred the residual is. Noise gets coarser by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoom: Option<Range>,
    /// Other light on clean pictures that are degraded anew, get residuals or stay as they are, so that few pictures are
    /// less easily learnt by heart; the light that they were taken in without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relight: Option<Relight>,
    /// How degraded sides are stored, clean pictures as they are aside; not as JPEG without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jpeg: Option<Jpeg>,
    /// Larger examples later in the training, in the order of their beginnings; fewer make a batch that costs the same.
    pub grow: Vec<Growth>,
    /// Highest learning rate of Adam; it rises over `warmup` steps, then goes as `rate_schedule` says.
    pub rate: f64,
    /// How the rate goes after its rise.
    pub rate_schedule: RateSchedule,
    /// Steps over which the rate rises.
    pub warmup: usize,
    /// Decay of the moving average of the weights, at most.
    pub ema: f64,
    /// Share of the training, below 1, after which the average is the plain mean of the weights after each step since
    /// (stochastic weight averaging, Izmailov et al., 2018); it is best with a rate that stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_after: Option<f64>,
    /// Distance of a prediction from the truth.
    pub loss: Distance,
    /// Another distance for the last part of the training: [`Distance::Psnr`] is best begun with weights that are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    /// The PSNR, dB, beyond which [`Distance::Psnr`] sees nothing more to gain. A low limit keeps a picture that is all but
    /// right, such as a clean one that should be left alone, from outweighing the others.
    pub psnr_limit: f64,
    /// Weight of the noise's error beside the residual's.
    pub noise_weight: f64,
    /// Unit in which the noise's error is counted.
    pub noise_unit: NoiseUnit,
    /// Share of the examples at the last time `T - 1`, where sampling starts; the other times are uniform.
    pub last_time: f64,
    /// Counts errors only where the mask is above 0: what it leaves out is kept when the network runs, and a network that need
    /// not be right there need not know the mask's border to the pixel.
    pub within_mask: bool,
    /// For a network that shrinks its input: shrinks the pictures first, degrades what is left, and counts errors on it, which
    /// takes a part of the time. `crop`, `grow`, `zoom` and the degradations are in pixels of the whole pictures, which are what
    /// is validated. For shadows and exposures; what else is degraded anew does not look the same from afar.
    pub afar: bool,
    /// Replicas of the network that share each batch, one thread each.
    pub workers: usize,
    /// Steps between two checkpoints.
    pub checkpoint_every: usize,
}

/// Other light on a picture: its linear light is multiplied, and falls less hard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relight {
    /// By how much in all channels, drawn evenly in its logarithm.
    pub exposure: Range,
    /// By how much, at most, red and blue are multiplied or divided besides, less 1: the white balance.
    pub balance: f32,
    /// By how much what a stored value differs from its channel's mean is multiplied, drawn evenly.
    pub contrast: Range,
}

impl Default for Relight {
    fn default() -> Self {
        Self { exposure: [1.0; 2], balance: 0.0, contrast: [1.0; 2] }
    }
}

/// Photographs that are stored as JPEG with half of the rows and columns of the colour (4:2:0).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jpeg {
    /// Share of the examples that are, within 0 ..= 1.
    pub share: f64,
    /// Its quality, 1 to 100, drawn evenly.
    pub quality: Range,
}

/// Examples of another size from a part of the training on.
///
/// A network that has seen small crops alone takes the zeros beyond their borders for a part of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// Share of the steps that are done when it begins, within 0 ..= 1.
    pub after: f64,
    /// Side of an example, pixels.
    pub crop: usize,
    /// Examples a step.
    pub batch: usize,
}

/// The distance in the last part of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// Share of the steps that are done when it begins, within 0 ..= 1.
    pub after: f64,
    /// Distance of a prediction from the truth.
    pub loss: Distance,
}

/// How examples are mirrored and turned, at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// As they are.
    None,
    /// Left and right exchanged: for what has an up and a down, as rain has.
    Mirror,
    /// All eight mirrored and turned forms of a square.
    Turn,
}

/// How the learning rate goes after its rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSchedule {
    /// Down to zero at the last step, along a cosine.
    Cosine,
    /// It stays, and [`Training::ema`] or [`Training::mean_after`] calms the weights: a network that sees few pictures
    /// learns them less by heart.
    Constant,
}

/// Distance of a prediction from the truth, a mean over everything unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// `|a - b|`.
    L1,
    /// `(a - b)²`.
    L2,
    /// The negative PSNR in dB of differences of 2, the whole range, up to [`Training::psnr_limit`]:
    /// `10 log10(mean (a - b)² / 4 + 10^(-psnr_limit / 10))`, a mean over pictures.
    Psnr,
}

/// Unit in which the noise's error is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseUnit {
    /// Of the unit normal `ε`, as in the paper.
    Unit,
    /// Of the picture, `β̄_t ε`: what the error does to the restored picture.
    Picture,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 10_000,
            batch: 8,
            crop: 64,
            augment: Augment::Turn,
            fit: None,
            zoom: None,
            relight: None,
            jpeg: None,
            grow: Vec::new(),
            rate: 1e-3,
            rate_schedule: RateSchedule::Cosine,
            warmup: 200,
            ema: 0.999,
            mean_after: None,
            loss: Distance::L1,
            finish: None,
            psnr_limit: 60.0, // Rounding to 8 bits leaves 59.
            noise_weight: 1.0,
            noise_unit: NoiseUnit::Picture,
            last_time: 0.5,
            within_mask: false,
            afar: false,
            workers: 1,
            checkpoint_every: 500,
        }
    }
}

impl Training {
    /// Checks what can be told without the rest of the recipe.
    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(problem) = self.zoom.and_then(|zoom| no_range(zoom, 1.0, 4.0)) {
            return wrong("training.zoom", problem);
        }
        if let Some(Relight { exposure, balance, contrast }) = self.relight {
            if let Some(problem) = no_range(exposure, 0.01, 100.0) {
                return wrong("training.relight.exposure", problem);
            }
            if let Some(problem) = no_range(contrast, 0.0, 1.0) {
                return wrong("training.relight.contrast", problem);
            }
            if !(0.0..=10.0).contains(&balance) {
                let problem = format!("{balance} is not within 0 ..= 10");
                return wrong("training.relight.balance", problem);
            }
        }
        if let Some(Jpeg { share, quality }) = self.jpeg {
            if !(0.0..=1.0).contains(&share) {
                return wrong("training.jpeg.share", format!("{share} is not within 0 ..= 1"));
            }
            if let Some(problem) = no_range(quality, 1.0, 100.0) {
                return wrong("training.jpeg.quality", problem);
            }
        }
        for (key, value) in [
            ("training.steps", self.steps),
            ("training.batch", self.batch),
            ("training.workers", self.workers),
            ("training.checkpoint_every", self.checkpoint_every),
            ("training.fit", self.fit.map_or(1, |side| side as usize)),
        ] {
            if value == 0 {
                return wrong(key, "0; give at least 1".into());
            }
        }
        for batch in self.grow.iter().map(|growth| growth.batch).chain([self.batch]) {
            if batch == 0 || !batch.is_multiple_of(self.workers) {
                let problem = format!("{} do not share a batch of {batch} evenly", self.workers);
                return wrong("training.workers", problem);
            }
        }
        if !self.grow.is_sorted_by(|a, b| a.after < b.after) {
            return wrong("training.grow", "after does not rise from one to the next".into());
        }
        let starts = self.grow.iter().map(|growth| ("training.grow.after", growth.after));
        let finish = self.finish.iter().map(|finish| ("training.finish.after", finish.after));
        for (key, value) in starts
            .chain(finish)
            .chain([("training.last_time", self.last_time), ("training.ema", self.ema)])
        {
            if !(0.0..=1.0).contains(&value) {
                return wrong(key, format!("{value} is not within 0 ..= 1"));
            }
        }
        if let Some(after) = self.mean_after
            && !(0.0..1.0).contains(&after)
        {
            let problem = format!("{after} is not within 0 .. 1, where steps are left for a mean");
            return wrong("training.mean_after", problem);
        }
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return wrong("training.rate", format!("{} is not above 0", self.rate));
        }
        if !(self.noise_weight >= 0.0 && self.noise_weight.is_finite()) {
            let problem = format!("{} is not 0 or more", self.noise_weight);
            return wrong("training.noise_weight", problem);
        }
        if !(10.0..=100.0).contains(&self.psnr_limit) {
            let problem = format!("{} is not within 10 ..= 100 dB", self.psnr_limit);
            return wrong("training.psnr_limit", problem);
        }
        Ok(())
    }

    /// Share of the training that lies before step `step`, `0 ..`; all of it beyond the last one, where a choice of the
    /// objective may go.
    pub fn done(&self, step: usize) -> f64 {
        (step as f64 / self.steps as f64).min(1.0)
    }

    /// Side and number of the examples of step `step`, `0 ..`.
    pub fn examples(&self, step: usize) -> (usize, usize) {
        let done = self.done(step);
        let grown = self.grow.iter().rev().find(|growth| done >= growth.after);
        grown.map_or((self.crop, self.batch), |growth| (growth.crop, growth.batch))
    }

    /// The same with the loss of step `step`, `0 ..`.
    pub fn at(&self, step: usize) -> Self {
        let done = self.done(step);
        let finish = self.finish.filter(|finish| done >= finish.after);
        Self { loss: finish.map_or(self.loss, |finish| finish.loss), ..self.clone() }
    }

    /// Side of the largest example.
    pub fn largest_crop(&self) -> usize {
        self.grow.iter().map(|growth| growth.crop).fold(self.crop, usize::max)
    }

    /// Side of the largest square that is cut from a picture: less than that of an example where all are enlarged.
    pub fn largest_cut(&self) -> usize {
        let largest = self.largest_crop();
        self.zoom.map_or(largest, |[least, _]| (largest as f32 / least).ceil() as usize)
    }
}
