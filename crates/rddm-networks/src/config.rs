//! What a recipe says of a network.

use serde::{Deserialize, Serialize};

use crate::edge::EdgeConfig;
use crate::unet::{Networks, UnetConfig};

/// A network as a recipe's `[network]` table names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NetworkConfig {
    /// A small network for small machines.
    Edge(EdgeConfig),
    /// The official U-Net, for parity and for GPUs.
    Unet(UnetConfig),
}

impl NetworkConfig {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// When a width, a count or a factor cannot make a network; the text names the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Edge(config) => config.check(),
            Self::Unet(config) => config.check(),
        }
    }

    /// What height and width of its input must be multiples of.
    pub fn multiple(&self) -> usize {
        match self {
            Self::Edge(config) => config.multiple(),
            Self::Unet(config) => config.multiple(),
        }
    }

    /// How many times smaller it makes its input, on each side, before it looks at it.
    pub fn shrink(&self) -> usize {
        match self {
            Self::Edge(config) => config.shrink,
            Self::Unet(_) => 1,
        }
    }

    /// Channels of a picture.
    pub fn channels(&self) -> usize {
        match self {
            Self::Edge(config) => config.channels,
            Self::Unet(config) => config.channels,
        }
    }

    /// Channels of the input: `I_t`, and `I_in` and the mask where there are.
    pub fn in_channels(&self) -> usize {
        match self {
            Self::Edge(config) => config.in_channels,
            Self::Unet(config) => config.in_channels,
        }
    }

    /// How many pictures it predicts.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Edge(config) => config.outputs,
            Self::Unet(config) => config.outputs(),
        }
    }

    /// The same network with `blocks` residual blocks at each resolution.
    ///
    /// # Errors
    /// When it is no network of the `edge` family, has another number of resolutions, or has fewer blocks at one of them.
    pub fn with_fewer_blocks(&self, blocks: &[usize]) -> Result<Self, ConfigError> {
        let Self::Edge(config) = self else {
            return Err(ConfigError::new("family", "only a network of the edge family grows"));
        };
        let most = &config.blocks;
        if blocks.len() != most.len() || blocks.iter().zip(most).any(|(fewer, most)| fewer > most) {
            let problem =
                format!("{blocks:?} where the recipe has {most:?}; give as many, none larger");
            return Err(ConfigError::new("blocks", problem));
        }
        let fewer = Self::Edge(EdgeConfig { blocks: blocks.to_vec(), ..config.clone() });
        fewer.check()?;
        Ok(fewer)
    }

    /// The same network with `outputs` outputs.
    ///
    /// # Errors
    /// When it is no network of the `edge` family, or has more outputs.
    pub fn with_more_outputs(&self, outputs: usize) -> Result<Self, ConfigError> {
        let Self::Edge(config) = self else {
            let problem = "only a network of the edge family leaves outputs out";
            return Err(ConfigError::new("family", problem));
        };
        if outputs < config.outputs {
            let problem = format!("{outputs} where the recipe has {}; give more", config.outputs);
            return Err(ConfigError::new("outputs", problem));
        }
        let more = Self::Edge(EdgeConfig { outputs, ..config.clone() });
        more.check()?;
        Ok(more)
    }

    /// Whether it can be told the sum of the residual and that of the noise as two times.
    pub fn takes_two_times(&self) -> bool {
        match self {
            Self::Edge(config) => config.times == 2,
            Self::Unet(config) => config.networks == Networks::Two,
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
