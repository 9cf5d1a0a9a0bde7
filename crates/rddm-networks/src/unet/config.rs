//! What a recipe, or an official state dict, says of a network of the `unet` family.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{Heads, UnetRes};
use crate::ConfigError;
use crate::checkpoint::StateDict;

/// How many networks predict what (the official `share_encoder`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Networks {
    /// Two whole networks (`share_encoder` 0): the residual, the noise.
    Two,
    /// One encoder, two decoders (`share_encoder` 1): the residual's has no skips, the noise's has.
    Shared,
    /// One network (`share_encoder` -1): the residual or the noise.
    One,
}

/// The shape of a network of the `unet` family.
///
/// The defaults are the official ones: 64 channels, four resolutions, two networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnetConfig {
    /// Channels at the finest resolution: a multiple of 8.
    pub dim: usize,
    /// Channels at each resolution as multiples of `dim`, finest first; the resolution halves from one to the next.
    pub dim_mults: Vec<usize>,
    /// Channels of a picture: 3 (RGB) or 1 (grey).
    pub channels: usize,
    /// Channels of the input: `I_t`, and `I_in` and the mask where there are.
    pub in_channels: usize,
    /// How many networks predict what.
    pub networks: Networks,
}

impl Default for UnetConfig {
    fn default() -> Self {
        Self {
            dim: 64,
            dim_mults: vec![1, 2, 4, 8],
            channels: 3,
            in_channels: 6,
            networks: Networks::Two,
        }
    }
}

impl UnetConfig {
    /// Groups of the group norms.
    pub(super) const GROUPS: usize = 8;

    /// Checks what the types do not.
    ///
    /// # Errors
    /// When a number is zero, too large or no multiple; the text names the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let at_most = |key, value: usize, most: usize| {
            if (1..=most).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::new(key, format!("{value} is not within 1 ..= {most}")))
            }
        };
        at_most("dim", self.dim, 1024)?;
        if !self.dim.is_multiple_of(Self::GROUPS) {
            return Err(ConfigError::new(
                "dim",
                format!("{} is no multiple of {}", self.dim, Self::GROUPS),
            ));
        }
        at_most("dim_mults", self.dim_mults.len(), 8)?;
        for &mult in &self.dim_mults {
            at_most("dim_mults", mult, 64)?;
        }
        at_most("channels", self.channels, 4)?;
        at_most("in_channels", self.in_channels, 64)
    }

    /// How many pictures the network predicts.
    pub fn outputs(&self) -> usize {
        match self.networks {
            Networks::Two | Networks::Shared => 2,
            Networks::One => 1,
        }
    }

    /// What height and width of the input must be multiples of.
    pub fn multiple(&self) -> usize {
        1 << (self.dim_mults.len() - 1)
    }

    /// A network with new weights, drawn from the device's generator.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn init(&self, device: &Device) -> Result<UnetRes, ConfigError> {
        self.check()?;
        Ok(UnetRes::new(self, device))
    }

    /// The shape that an official state dict's tensors have.
    ///
    /// # Errors
    /// When a tensor that tells a number is missing or has no fitting shape; the text names it.
    pub fn infer(weights: &StateDict) -> Result<Self, crate::checkpoint::Error> {
        let networks = match (
            weights.contains("init_conv.weight"),
            weights.contains("unet1.init_conv.weight"),
        ) {
            (true, _) => Networks::Shared,
            (false, true) => Networks::Two,
            (false, false) => Networks::One,
        };
        let (prefix, last) = match networks {
            Networks::Shared => ("", "final_conv_2"),
            Networks::Two | Networks::One => ("unet0.", "final_conv"),
        };
        let [dim, in_channels, _, _] = weights.shape4(&format!("{prefix}init_conv.weight"))?;
        let [channels, _, _, _] = weights.shape4(&format!("{prefix}{last}.weight"))?;
        let mut dim_mults = Vec::new();
        while weights.contains(&format!("{prefix}downs.{}.3.weight", dim_mults.len())) {
            let name = format!("{prefix}downs.{}.3.weight", dim_mults.len());
            let [width, _, _, _] = weights.shape4(&name)?;
            if dim == 0 || !width.is_multiple_of(dim) {
                return Err(weights
                    .unfit(&name, format!("{width} channels are no multiple of the first {dim}")));
            }
            dim_mults.push(width / dim);
        }
        let config = Self { dim, dim_mults, channels, in_channels, networks };
        config.check().map_err(|error| {
            weights.unfit(&format!("{prefix}init_conv.weight"), error.to_string())
        })?;
        Ok(config)
    }

    /// Channels at the border of each level, finest first: `dim`, then each multiple of it.
    pub(super) fn widths(&self) -> Vec<usize> {
        std::iter::once(self.dim).chain(self.dim_mults.iter().map(|mult| mult * self.dim)).collect()
    }

    /// Width of the embedding of the time.
    pub(super) fn time_width(&self) -> usize {
        4 * self.dim
    }

    pub(super) fn heads(&self) -> Heads {
        Heads::default()
    }
}
