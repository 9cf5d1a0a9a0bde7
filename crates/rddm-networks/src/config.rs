//! What a recipe says of a network.

use serde::{Deserialize, Serialize};

use crate::edge::EdgeConfig;

/// A network as a recipe's `[network]` table names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NetworkConfig {
    /// A small network for small machines.
    Edge(EdgeConfig),
}

impl NetworkConfig {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// When a width, a count or a factor cannot make a network; the text names the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Edge(config) => config.check(),
        }
    }

    /// What height and width of its input must be multiples of.
    pub fn multiple(&self) -> usize {
        match self {
            Self::Edge(config) => config.multiple(),
        }
    }

    /// How far, in pixels, an input pixel can be from an output pixel that it changes.
    pub fn receptive_radius(&self) -> usize {
        match self {
            Self::Edge(config) => config.receptive_radius(),
        }
    }
}

/// A network that cannot be built as the recipe asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[network] {key}: {problem}")]
pub struct ConfigError {
    key: &'static str,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }

    /// The recipe's key that is wrong.
    pub fn key(&self) -> &'static str {
        self.key
    }
}
