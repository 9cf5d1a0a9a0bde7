//! Where examples come from: a table `[[data]]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::wrong;
use crate::data::{Layout, Split};
use crate::degrade::{DegradationSpec, Range, no_range};
use crate::error::Error;

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
        #[serde(default)]
        weight: Weight,
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
        #[serde(default)]
        weight: Weight,
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
        #[serde(default)]
        weight: Weight,
    },
    /// Clean pictures as they are: what a generator learns, and what a restorer should leave alone.
    Clean {
        /// Folder of the pictures, below the data folder.
        clean: PathBuf,
        /// Share of the examples, against the other sources' weights.
        #[serde(default)]
        weight: Weight,
    },
    /// Clean pictures, degraded anew for each example.
    Degraded {
        /// Folder of the clean pictures, below the data folder.
        clean: PathBuf,
        /// What is done to them.
        degradation: DegradationSpec,
        /// Share of the examples, against the other sources' weights.
        #[serde(default)]
        weight: Weight,
    },
}

/// Weight of a source: a number, or several at even times from the training's beginning to its end, evenly from one to the
/// next. What is hard to find can be most of the examples first, and have its due share in the end. One of several may be 0,
/// before a source begins or after it ends, as long as the weights of all sources are never 0 together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a weight is a number, or several: from the beginning to the end")]
pub enum Weight {
    /// The same in all steps.
    Same(f64),
    /// Two or more, the first that of the beginning and the last that of the end.
    Moving(Vec<f64>),
}

impl Weight {
    /// The weight after a share of the training, 0 ..= 1.
    pub fn at(&self, done: f64) -> f64 {
        let place = done * self.stretches() as f64;
        self.between(place as usize, place.fract())
    }

    /// The same after `part` of `parts`, without rounding a place away from a number of the list.
    fn after(&self, part: usize, parts: usize) -> f64 {
        let place = part * self.stretches();
        self.between(place / parts, (place % parts) as f64 / parts as f64)
    }

    /// The weight a share of the way from a number of the list to the next; both count, so that nothing is rounded to 0.
    fn between(&self, index: usize, share: f64) -> f64 {
        let [from, to] = [index, index + 1].map(|at| self.numbers()[at.min(self.stretches())]);
        from * (1.0 - share) + to * share
    }

    /// How many stretches lie between its numbers.
    fn stretches(&self) -> usize {
        self.numbers().len() - 1
    }

    /// The numbers that the recipe gives.
    fn numbers(&self) -> &[f64] {
        match self {
            Self::Same(weight) => std::slice::from_ref(weight),
            Self::Moving(weights) => weights,
        }
    }

    /// The greatest that it gets.
    fn greatest(&self) -> f64 {
        self.numbers().iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    fn check(&self) -> Result<(), Error> {
        if matches!(self, Self::Moving(weights) if weights.len() < 2) {
            let problem = "one that moves has two numbers or more, from the beginning to the end";
            return wrong("[[data]] weight", problem.into());
        }
        if let Some(weight) = self.numbers().iter().find(|w| !(**w >= 0.0 && w.is_finite())) {
            return wrong("[[data]] weight", format!("{weight} is no finite number from 0 on"));
        }
        if self.greatest() == 0.0 {
            return wrong("[[data]] weight", "0; leave the source out, or give more".into());
        }
        Ok(())
    }

    /// Checks that weights have a finite sum above 0 in all steps. It is least where one of them bends.
    pub(super) fn check_all(weights: &[&Self]) -> Result<(), Error> {
        let most = weights.iter().map(|weight| weight.greatest()).sum::<f64>();
        if !most.is_finite() {
            return wrong(
                "[[data]] weight",
                "all together no finite number; give lower ones".into(),
            );
        }
        for parts in weights.iter().map(|weight| weight.stretches().max(1)) {
            for part in 0..=parts {
                let sum: f64 = weights.iter().map(|weight| weight.after(part, parts)).sum();
                if sum < f64::MIN_POSITIVE {
                    let problem = format!(
                        "{sum} of all sources together after {part}/{parts} of the training; give one of them more there"
                    );
                    return wrong("[[data]] weight", problem);
                }
            }
        }
        Ok(())
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::Same(1.0)
    }
}

impl Source {
    /// Checks what can be told without the rest of the recipe.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.weight().check()?;
        if let Some(problem) = self.gain().and_then(|gain| no_range(gain, 0.0, 10.0)) {
            return wrong("[[data]] gain", problem);
        }
        if let Source::Transferred { zoom: Some(zoom), .. } = self
            && let Some(problem) = no_range(*zoom, 1.0, 4.0)
        {
            return wrong("[[data]] zoom", problem);
        }
        if let Source::Transferred { lean: Some(lean), .. } = self
            && !(0.0..=2.0).contains(lean)
        {
            return wrong("[[data]] lean", format!("{lean} is not within 0 ..= 2"));
        }
        Ok(())
    }

    /// Whether its examples have a degraded side.
    pub(super) fn degrades(&self) -> bool {
        match self {
            Self::Clean { .. } => false,
            Self::Layout { layout, .. } => *layout != Layout::CelebA,
            Self::Pairs { .. } | Self::Transferred { .. } | Self::Degraded { .. } => true,
        }
    }

    /// Whether its examples have a mask; that of clean pictures is empty.
    pub(super) fn masks(&self) -> bool {
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
    pub fn weight(&self) -> &Weight {
        match self {
            Self::Pairs { weight, .. }
            | Self::Layout { weight, .. }
            | Self::Transferred { weight, .. }
            | Self::Clean { weight, .. }
            | Self::Degraded { weight, .. } => weight,
        }
    }
}
