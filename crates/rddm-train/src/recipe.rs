//! A recipe: everything that is needed to train a network again, in one TOML file.

use std::fs;
use std::path::{Path, PathBuf};

use rddm_core::{Coefficients, Objective, ScheduleSpec, Shape, TimeEncoding};
use rddm_manifest::{Digest, ModelId};
use rddm_networks::NetworkConfig;
use serde::{Deserialize, Serialize};

use crate::data::{Layout, Split};
use crate::degrade::{DegradationSpec, Range, no_range};
use crate::error::{Error, Kind};
use crate::text;

/// A recipe, as `recipe.toml` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Version of this form: 1.
    pub schema: u32,
    /// Name of the model that it makes.
    pub id: String,
    /// What the author wants a reader to know: what was tried, what it gained.
    #[serde(default)]
    pub notes: String,
    /// The network.
    pub network: NetworkConfig,
    /// The diffusion that the network learns.
    #[serde(default)]
    pub diffusion: Diffusion,
    /// The model whose weights it begins with; new ones without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The model whose answers are learnt beside the truth; none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<Teacher>,
    /// Where examples come from.
    pub data: Vec<Source>,
    /// How long and how it is trained.
    pub training: Training,
    /// What is measured on the way.
    pub validation: Validation,
}

/// The weights that a training begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// A model of the zoo whose network has the recipe's shape.
    pub model: ModelId,
    /// Digest of its network's file, so that the recipe means the same after a newer version is published.
    pub sha256: Digest,
    /// The blocks of its network where they are fewer than the recipe's; the further ones add nothing until they are trained,
    /// so that a training in a larger network begins with what the smaller one has learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Vec<usize>>,
    /// How many outputs its network has where they are more than the recipe's; the first ones are kept, so that a network of
    /// the residual alone begins with one of residual and noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<usize>,
}

impl Start {
    /// The network of its model, of which the recipe's is `network`.
    pub(crate) fn network(&self, network: &NetworkConfig) -> Result<NetworkConfig, Error> {
        let wrong = |key| move |error| Error::new(Kind::Recipe, format!("start.{key}: {error}"));
        let mut begun = network.clone();
        if let Some(blocks) = &self.blocks {
            begun = begun.with_fewer_blocks(blocks).map_err(wrong("blocks"))?;
        }
        if let Some(outputs) = self.outputs {
            begun = begun.with_more_outputs(outputs).map_err(wrong("outputs"))?;
        }
        Ok(begun)
    }
}

/// A larger model that a smaller one learns from: distillation (Hinton et al., 2015), of pictures.
///
/// The first output of the network is drawn to the teacher's, so that the teacher has to predict the same: the residual,
/// or the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teacher {
    /// A model of the zoo.
    pub model: ModelId,
    /// Digest of its network's file.
    pub sha256: Digest,
    /// Its network, as its own recipe has it.
    pub network: NetworkConfig,
    /// What its answers count, within 0 ..= 1; the truth counts the rest.
    pub weight: f64,
}

/// The diffusion of a recipe; the defaults are the paper's for restoration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Diffusion {
    /// Number of time steps `T`.
    pub timesteps: usize,
    /// Coefficients `α_t` of the residual.
    pub alpha: Curve,
    /// Coefficients `β²_t` of the noise.
    pub beta2: Curve,
    /// What `β²_t` sums to; 0 makes a diffusion of the residual alone.
    pub sum_scale: f64,
    /// What the network predicts.
    #[serde(with = "text")]
    pub objective: Objective,
    /// What the network is told of the time.
    #[serde(with = "text")]
    pub time_encoding: TimeEncoding,
    /// Whether there is a degraded picture; without one the network generates, and the residual is `-I_0`.
    pub conditional: bool,
    /// What a validation cuts the residual to, as the manifest's `sampler.residual_limit`.
    pub residual_limit: f32,
}

/// A curve of coefficients over the time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Its shape.
    #[serde(with = "text")]
    pub shape: Shape,
    /// The exponent of a rising or falling shape.
    pub ratio: f64,
}

/// Where examples come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// Pictures that lie in two folders under the same name, degraded and clean.
    Pairs {
        /// Folder of the degraded pictures, below the data folder.
        input: PathBuf,
        /// Folder of the clean pictures, below the data folder.
        target: PathBuf,
        /// Folder of the masks, below the data folder: white where the picture is degraded. For networks that take one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask: Option<PathBuf>,
        /// What the residuals `I_in - I_0` are multiplied by, drawn evenly; 1 without it. For degradations of which a multiple
        /// is one too, as noise is at another sensitivity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gain: Option<Range>,
        /// Share of the examples, against the other sources' weights.
        #[serde(default = "one")]
        weight: f64,
    },
    /// A data set in the folders in which its authors give it out.
    Layout {
        /// Which one.
        layout: Layout,
        /// Its folder, below the data folder.
        folder: PathBuf,
        /// Which part of it.
        #[serde(default)]
        split: Split,
        /// What the residuals are multiplied by, as in `pairs`; of pictures without a degraded side there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gain: Option<Range>,
        /// Share of the examples, against the other sources' weights.
        #[serde(default = "one")]
        weight: f64,
    },
    /// The residuals of pairs, `I_in - I_0`, added to other clean pictures: few scenes of a degradation that adds, such as
    /// rain, on many.
    Transferred {
        /// Folder of the degraded pictures, below the data folder.
        input: PathBuf,
        /// Folder of their clean pictures, below the data folder.
        target: PathBuf,
        /// Folder of the clean pictures that get the residuals, below the data folder.
        clean: PathBuf,
        /// What the residuals are multiplied by, drawn evenly; 1 without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gain: Option<Range>,
        /// How far, at most, the residuals are made to lean to either side, pixels a row: another wind for the same rain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lean: Option<f32>,
        /// Whether the residuals are the same in all channels, as light that white streaks add: then the channel that
        /// saturates least tells those of the others, and parts where all are saturated are left out.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        grey: bool,
        /// How many times the clean pictures are enlarged, drawn evenly; not at all without it. Small pictures are sharper
        /// than what a camera takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zoom: Option<Range>,
        /// Share of the examples, against the other sources' weights.
        #[serde(default = "one")]
        weight: f64,
    },
    /// Clean pictures as they are: what a generator learns, and what a restorer should leave alone.
    Clean {
        /// Folder of the pictures, below the data folder.
        clean: PathBuf,
        /// Share of the examples, against the other sources' weights.
        #[serde(default = "one")]
        weight: f64,
    },
    /// Clean pictures, degraded anew for each example.
    Degraded {
        /// Folder of the clean pictures, below the data folder.
        clean: PathBuf,
        /// What is done to them.
        degradation: DegradationSpec,
        /// Share of the examples, against the other sources' weights.
        #[serde(default = "one")]
        weight: f64,
    },
}

fn one() -> f64 {
    1.0
}

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
    /// Share of the training after which the average is the plain mean of the weights after each step since (stochastic
    /// weight averaging, Izmailov et al., 2018); it is best with a rate that stays.
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
    /// It stays, and `ema` alone calms the weights: a network that sees few pictures learns them less by heart.
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

/// What is measured on the way, on pictures that are kept out of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// Steps between two validations.
    pub every: usize,
    /// Pictures whose name starts with one of these are kept out of training, in every source; those of pairs and of
    /// degraded pictures are validated.
    pub hold_out: Vec<String>,
    /// Side of the middle part that is restored, pixels.
    pub crop: usize,
    /// Pictures a source, at most.
    pub pictures: usize,
    /// Numbers of sampling steps that are tried.
    pub steps: Vec<usize>,
    /// Seed by which pictures that are held out, and test pictures, are degraded; the training's without it. A test stays what
    /// it was when a model is trained anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl Default for Curve {
    fn default() -> Self {
        Self { shape: Shape::Decreased, ratio: 1.0 }
    }
}

impl Default for Diffusion {
    fn default() -> Self {
        Self {
            timesteps: 1000,
            alpha: Curve::default(),
            beta2: Curve { shape: Shape::Increased, ratio: 1.0 },
            sum_scale: 0.01,
            objective: Objective::PredResNoise,
            time_encoding: TimeEncoding::Index,
            conditional: true,
            residual_limit: 1.0,
        }
    }
}

impl Default for Training {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 10_000,
            batch: 8,
            crop: 64,
            augment: Augment::Turn,
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

impl Default for Validation {
    fn default() -> Self {
        let hold_out = Vec::new();
        Self { every: 500, hold_out, crop: 256, pictures: 8, steps: vec![1], seed: None }
    }
}

impl Diffusion {
    /// The diffusion as the mathematics take it.
    pub fn schedule(&self) -> ScheduleSpec {
        let coefficients = |curve: Curve| Coefficients { shape: curve.shape, ratio: curve.ratio };
        ScheduleSpec {
            timesteps: self.timesteps,
            alpha: coefficients(self.alpha),
            beta2: coefficients(self.beta2),
            sum_scale: self.sum_scale,
        }
    }
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// When the file cannot be read, is no recipe, or asks for what cannot be; the text names the key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::new(Kind::Recipe, format!("{}: {error}", path.display())))?;
        Self::parse(&text)
            .map_err(|error| Error::new(Kind::Recipe, format!("{}: {error}", path.display())))
    }

    /// Parses and checks the text of a recipe.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let recipe: Self =
            toml::from_str(text).map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe as text.
    ///
    /// # Errors
    /// Never for a recipe that was parsed.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|error| Error::new(Kind::Recipe, error.to_string()))
    }

    fn check(&self) -> Result<(), Error> {
        let wrong =
            |key: &str, problem: String| Err(Error::new(Kind::Recipe, format!("{key}: {problem}")));
        if self.schema != 1 {
            return wrong("schema", format!("{} is unknown; this program reads 1", self.schema));
        }
        self.network.check().map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
        if let Some(start) = &self.start {
            start.network(&self.network)?;
        }
        if self.data.is_empty() {
            return wrong("[[data]]", "no source; give at least one".into());
        }
        if self.data.iter().any(|source| !(source.weight() > 0.0 && source.weight().is_finite())) {
            return wrong("[[data]] weight", "not a positive number".into());
        }
        for source in &self.data {
            if let Some(problem) = source.gain().and_then(|gain| no_range(gain, 0.0, 10.0)) {
                return wrong("[[data]] gain", problem);
            }
            if let Source::Transferred { zoom: Some(zoom), .. } = source
                && let Some(problem) = no_range(*zoom, 1.0, 4.0)
            {
                return wrong("[[data]] zoom", problem);
            }
            if let Source::Transferred { lean: Some(lean), .. } = source
                && !(0.0..=2.0).contains(lean)
            {
                return wrong("[[data]] lean", format!("{lean} is not within 0 ..= 2"));
            }
        }
        let training = &self.training;
        if let Some(problem) = training.zoom.and_then(|zoom| no_range(zoom, 1.0, 4.0)) {
            return wrong("training.zoom", problem);
        }
        if let Some(Relight { exposure, balance, contrast }) = training.relight {
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
        if let Some(Jpeg { share, quality }) = training.jpeg {
            if !(0.0..=1.0).contains(&share) {
                return wrong("training.jpeg.share", format!("{share} is not within 0 ..= 1"));
            }
            if let Some(problem) = no_range(quality, 1.0, 100.0) {
                return wrong("training.jpeg.quality", problem);
            }
        }
        for (key, value) in [
            ("training.steps", training.steps),
            ("training.batch", training.batch),
            ("training.workers", training.workers),
            ("training.checkpoint_every", training.checkpoint_every),
            ("validation.every", self.validation.every),
        ] {
            if value == 0 {
                return wrong(key, "0; give at least 1".into());
            }
        }
        let multiple = self.network.multiple();
        let crops = training.grow.iter().map(|growth| ("training.grow.crop", growth.crop));
        for (key, value) in crops
            .chain([("training.crop", training.crop), ("validation.crop", self.validation.crop)])
        {
            if value == 0 || !value.is_multiple_of(multiple) {
                return wrong(key, format!("{value} is no multiple of the network's {multiple}"));
            }
        }
        for batch in training.grow.iter().map(|growth| growth.batch).chain([training.batch]) {
            if batch == 0 || !batch.is_multiple_of(training.workers) {
                let problem =
                    format!("{} do not share a batch of {batch} evenly", training.workers);
                return wrong("training.workers", problem);
            }
        }
        if !training.grow.is_sorted_by(|a, b| a.after < b.after) {
            return wrong("training.grow", "after does not rise from one to the next".into());
        }
        let starts = training.grow.iter().map(|growth| ("training.grow.after", growth.after));
        let finish = training.finish.iter().map(|finish| ("training.finish.after", finish.after));
        let mean = training.mean_after.iter().map(|after| ("training.mean_after", *after));
        for (key, value) in starts
            .chain(finish)
            .chain(mean)
            .chain([("training.last_time", training.last_time), ("training.ema", training.ema)])
        {
            if !(0.0..=1.0).contains(&value) {
                return wrong(key, format!("{value} is not within 0 ..= 1"));
            }
        }
        if let Some(teacher) = &self.teacher {
            teacher.network.check().map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
            if !(0.0..=1.0).contains(&teacher.weight) {
                return wrong(
                    "teacher.weight",
                    format!("{} is not within 0 ..= 1", teacher.weight),
                );
            }
            let sides = |network: &NetworkConfig| (network.channels(), network.in_channels());
            if sides(&teacher.network) != sides(&self.network) {
                let problem =
                    "it takes other pictures than the network: compare channels and in_channels";
                return wrong("teacher.network", problem.into());
            }
            let crops = [training.crop].into_iter().chain(training.grow.iter().map(|g| g.crop));
            let multiple = teacher.network.multiple();
            if let Some(crop) = crops.into_iter().find(|crop| !crop.is_multiple_of(multiple)) {
                let problem = format!("{crop} is no multiple of the teacher's {multiple}");
                return wrong("training.crop", problem);
            }
        }
        if training.afar {
            // A network that fills does so before it shrinks.
            let fills = matches!(&self.network, NetworkConfig::Edge(edge) if edge.fill > 0);
            let others = self.teacher.is_some() || training.jpeg.is_some();
            if fills || self.network.shrink() == 1 || others {
                let problem = "it needs a network that shrinks and does not fill, no teacher and no training.jpeg";
                return wrong("training.afar", problem.into());
            }
            for source in &self.data {
                if let Source::Degraded { degradation, .. } = source {
                    self.seen(degradation)?;
                }
            }
        }
        if !(10.0..=100.0).contains(&training.psnr_limit) {
            let problem = format!("{} is not within 10 ..= 100 dB", training.psnr_limit);
            return wrong("training.psnr_limit", problem);
        }
        if training.within_mask && !self.masked() {
            return wrong("training.within_mask", "the network takes no mask".into());
        }
        self.check_network()?;
        if self.validation.steps.iter().any(|&steps| steps == 0 || steps > self.diffusion.timesteps)
        {
            return wrong("validation.steps", "not within 1 ..= timesteps".into());
        }
        Ok(())
    }
}

impl Recipe {
    /// Checks that the network takes and gives what the diffusion is about.
    fn check_network(&self) -> Result<(), Error> {
        let wrong =
            |key: &str, problem: String| Err(Error::new(Kind::Recipe, format!("{key}: {problem}")));
        let (network, diffusion) = (&self.network, &self.diffusion);
        let (needed, objective) = (diffusion.objective.outputs(), diffusion.objective);
        if network.outputs() != needed {
            let problem = format!(
                "{objective} needs {needed} outputs, the network has {}; change the network or the objective",
                network.outputs()
            );
            return wrong("diffusion.objective", problem);
        }
        let channels = network.channels();
        let pictures = if diffusion.conditional { 2 } else { 1 };
        if network.in_channels() != pictures * channels && !self.masked() {
            let mask = if diffusion.conditional { ", 1 more with a mask" } else { "" };
            let problem = format!(
                "{} for {pictures} pictures of {channels} channels; give {}{mask}",
                network.in_channels(),
                pictures * channels
            );
            return wrong("network.in_channels", problem);
        }
        if let Some(source) = self.data.iter().find(|source| self.masked() && !source.masks()) {
            let problem = format!(
                "the network takes a mask (in_channels = {}) and {} has none",
                network.in_channels(),
                source.name()
            );
            return wrong("[[data]]", problem);
        }
        if diffusion.time_encoding == TimeEncoding::AlphaBarBetaBar && !network.takes_two_times() {
            let problem = "alpha_bar_beta_bar needs a network that is told two times";
            return wrong("diffusion.time_encoding", problem.into());
        }
        let drawn = self.data.iter().any(|source| matches!(source, Source::Degraded { .. }));
        if channels != 3 && (channels != 1 || drawn) {
            let problem = format!("{channels}; take 3, or 1 for pairs and clean pictures");
            return wrong("network.channels", problem);
        }
        Ok(())
    }
}

impl Recipe {
    /// Side of the examples of step `step`, as the network sees them.
    pub fn example_side(&self, step: usize) -> usize {
        let (side, _) = self.training.examples(step);
        side / self.example_shrink()
    }

    /// How many times smaller examples are made before the network sees them.
    pub(crate) fn example_shrink(&self) -> usize {
        if self.training.afar { self.network.shrink() } else { 1 }
    }

    /// Seed of the first picture that is degraded to be measured; the next ones have the next.
    pub fn test_seed(&self) -> u64 {
        self.validation.seed.unwrap_or(self.training.seed)
    }

    /// A degradation as examples get it: of pictures that are shrunk before with [`Training::afar`].
    ///
    /// # Errors
    /// When it cannot be drawn on those.
    pub(crate) fn seen(&self, degradation: &DegradationSpec) -> Result<DegradationSpec, Error> {
        if !self.training.afar {
            return Ok(degradation.clone());
        }
        degradation.afar(self.network.shrink()).ok_or_else(|| {
            let problem =
                "training.afar: it is for shadows and exposures, which look the same from afar";
            Error::new(Kind::Recipe, problem)
        })
    }

    /// Whether the network is told where a picture is degraded: a mask after the pictures.
    pub fn masked(&self) -> bool {
        self.diffusion.conditional && self.network.in_channels() == 2 * self.network.channels() + 1
    }
}

impl Training {
    /// Side and number of the examples of step `step`, `0 ..`.
    pub fn examples(&self, step: usize) -> (usize, usize) {
        let done = step as f64 / self.steps as f64;
        let grown = self.grow.iter().rev().find(|growth| done >= growth.after);
        grown.map_or((self.crop, self.batch), |growth| (growth.crop, growth.batch))
    }

    /// The same with the loss of step `step`, `0 ..`.
    pub fn at(&self, step: usize) -> Self {
        let done = step as f64 / self.steps as f64;
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

impl Source {
    /// Whether its examples have a mask; that of clean pictures is empty.
    fn masks(&self) -> bool {
        match self {
            Self::Pairs { mask, .. } => mask.is_some(),
            Self::Degraded { degradation, .. } => degradation.masks(),
            Self::Layout { layout, .. } => *layout == Layout::Istd,
            Self::Clean { .. } => true,
            Self::Transferred { .. } => false,
        }
    }

    /// The folder that a reader knows it by.
    pub fn name(&self) -> String {
        match self {
            Self::Layout { folder, .. } => folder,
            Self::Pairs { input, .. } | Self::Transferred { input, .. } => input,
            Self::Degraded { clean, .. } | Self::Clean { clean, .. } => clean,
        }
        .display()
        .to_string()
    }

    /// What the residuals of its pairs are multiplied by.
    pub(crate) fn gain(&self) -> Option<Range> {
        match self {
            Self::Pairs { gain, .. }
            | Self::Layout { gain, .. }
            | Self::Transferred { gain, .. } => *gain,
            Self::Clean { .. } | Self::Degraded { .. } => None,
        }
    }

    /// Share of the examples, against the other sources' weights.
    pub fn weight(&self) -> f64 {
        match self {
            Self::Pairs { weight, .. }
            | Self::Layout { weight, .. }
            | Self::Transferred { weight, .. }
            | Self::Clean { weight, .. }
            | Self::Degraded { weight, .. } => *weight,
        }
    }
}
