//! A recipe: everything that is needed to train a network again, in one TOML file.

mod source;
mod training;

pub use source::{Source, Weight};
pub use training::{
    Augment, Distance, Finish, Growth, Jpeg, NoiseUnit, RateSchedule, Relight, Training,
};

use std::fs;
use std::path::Path;

use rddm_core::{Coefficients, Objective, ScheduleSpec, Shape, TimeEncoding};
use rddm_manifest::{Digest, ModelId};
use rddm_networks::NetworkConfig;
use serde::{Deserialize, Serialize};

use crate::degrade::DegradationSpec;
use crate::error::{Error, Kind};
use crate::text;
use crate::validate::sampler;

/// What is wrong with a recipe at `key`.
fn wrong<T>(key: &str, problem: String) -> Result<T, Error> {
    Err(Error::new(Kind::Recipe, format!("{key}: {problem}")))
}

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

/// A model that the network learns from: distillation (Hinton et al., 2015), of pictures.
///
/// Each output of the network is drawn to the teacher's of the same place, so that the teacher has to predict the same; a
/// teacher of fewer outputs teaches the first ones.
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
    /// What its answers are led away from; without it they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guide: Option<Guide>,
}

/// A worse network of the same task: where the teacher differs from it, the teacher is right, and more so further on
/// (autoguidance, Karras et al., NeurIPS 2024, equation 3). For generation, where what is learnt then is more often a likely
/// picture, and less often an unlikely one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guide {
    /// A model of the zoo.
    pub model: ModelId,
    /// Digest of its network's file.
    pub sha256: Digest,
    /// Its network, as its own recipe has it.
    pub network: NetworkConfig,
    /// Times the teacher's difference from it, within 1 ..= 10: at 1 the teacher's answers stay.
    pub scale: f64,
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
    /// What `β²_t` sums to, 1e-30 to 1; 1 for a network that generates.
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
        let text = fs::read_to_string(path).map_err(|error| Error::data(path, error))?;
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

    /// What is trained, of which the notes are no part.
    pub(crate) fn without_notes(&self) -> Self {
        Self { notes: String::new(), ..self.clone() }
    }

    fn check(&self) -> Result<(), Error> {
        if self.schema != 1 {
            return wrong("schema", format!("{} is unknown; this program reads 1", self.schema));
        }
        if let Err(error) = self.id.parse::<ModelId>() {
            return wrong("id", error.to_string());
        }
        self.network.check().map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
        if let Some(start) = &self.start {
            start.network(&self.network)?;
        }
        if self.data.is_empty() {
            return wrong("[[data]]", "no source; give at least one".into());
        }
        for source in &self.data {
            source.check()?;
        }
        Weight::check_all(&self.data.iter().map(Source::weight).collect::<Vec<_>>())?;
        let training = &self.training;
        training.check()?;
        if self.validation.every == 0 {
            return wrong("validation.every", "0; give at least 1".into());
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
        if let Some(teacher) = &self.teacher {
            if !(0.0..=1.0).contains(&teacher.weight) {
                return wrong(
                    "teacher.weight",
                    format!("{} is not within 0 ..= 1", teacher.weight),
                );
            }
            self.check_teacher("teacher.network", &teacher.network)?;
            if let Some(guide) = &teacher.guide {
                if !(1.0..=10.0).contains(&guide.scale) {
                    let problem = format!("{} is not within 1 ..= 10", guide.scale);
                    return wrong("teacher.guide.scale", problem);
                }
                self.check_teacher("teacher.guide.network", &guide.network)?;
                if guide.network.outputs() < teacher.network.outputs() {
                    let problem = "it has fewer outputs than the teacher";
                    return wrong("teacher.guide.network", problem.into());
                }
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
        if training.within_mask && !self.masked() {
            return wrong("training.within_mask", "the network takes no mask".into());
        }
        self.check_network()?;
        if self.validation.steps.iter().any(|&steps| steps == 0 || steps > self.diffusion.timesteps)
        {
            return wrong("validation.steps", "not within 1 ..= timesteps".into());
        }
        if self.validation.steps.is_empty() {
            return wrong("validation.steps", "empty; give at least one number".into());
        }
        self.validation.steps.iter().try_for_each(|&steps| sampler(self, steps).map(|_| ()))
    }
}

impl Recipe {
    /// Checks that a network which teaches, in the table `key`, takes the recipe's examples.
    fn check_teacher(&self, key: &str, teaches: &NetworkConfig) -> Result<(), Error> {
        teaches.check().map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
        let sides = |network: &NetworkConfig| (network.channels(), network.in_channels());
        if sides(teaches) != sides(&self.network) {
            let problem =
                "it takes other pictures than the network: compare channels and in_channels";
            return wrong(key, problem.into());
        }
        let two = self.diffusion.time_encoding == TimeEncoding::AlphaBarBetaBar;
        if matches!(teaches, NetworkConfig::Edge(_)) && teaches.takes_two_times() != two {
            let problem = "it is told other times: compare its times and diffusion.time_encoding";
            return wrong(key, problem.into());
        }
        let training = &self.training;
        let mut crops = training.grow.iter().map(|growth| growth.crop).chain([training.crop]);
        let multiple = teaches.multiple();
        if let Some(crop) = crops.find(|crop| !crop.is_multiple_of(multiple)) {
            return wrong(key, format!("a crop of {crop} is no multiple of its {multiple}"));
        }
        Ok(())
    }

    /// Checks that the network takes and gives what the diffusion is about.
    fn check_network(&self) -> Result<(), Error> {
        let (network, diffusion) = (&self.network, &self.diffusion);
        let (needed, objective) = (diffusion.objective.outputs(), diffusion.objective);
        if network.outputs() != needed {
            let problem = format!(
                "{objective} needs {needed} outputs, the network has {}; change the network or the objective",
                network.outputs()
            );
            return wrong("diffusion.objective", problem);
        }
        let fewer = self.start.as_ref().is_some_and(|start| start.outputs.is_some());
        if fewer && objective == Objective::PredNoise {
            let problem = "the first output, which is kept, is no noise; give another objective or leave it out";
            return wrong("start.outputs", problem.into());
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
        let generates = !diffusion.conditional;
        if let Some(source) = self.data.iter().find(|source| generates && source.degrades()) {
            let problem = format!(
                "a network that generates (diffusion.conditional = false) learns from clean pictures, and {} has degraded ones",
                source.name()
            );
            return wrong("[[data]]", problem);
        }
        if generates && diffusion.sum_scale < 1.0 {
            let problem = format!(
                "{}; a network that generates begins with noise of deviation 1, which only a sum of 1.0 teaches it",
                diffusion.sum_scale
            );
            return wrong("diffusion.sum_scale", problem);
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
        let drawn = self.test_degradation().is_some();
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

    /// What degrades the pictures that are measured: the first degradation; none where no source degrades.
    pub fn test_degradation(&self) -> Option<&DegradationSpec> {
        self.data.iter().find_map(|source| match source {
            Source::Degraded { degradation, .. } => Some(degradation),
            _ => None,
        })
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
