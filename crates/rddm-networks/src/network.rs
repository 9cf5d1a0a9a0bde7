//! A network of any family.

use burn::module::Module;
use burn::store::{ModuleSnapshot, SafetensorsStore, SafetensorsStoreError};
use burn::tensor::{Device, Tensor};

use crate::checkpoint::StateDict;
use crate::edge::Edge;
use crate::unet::UnetRes;
use crate::{ConfigError, NetworkConfig};

/// A network of any family; made by [`NetworkConfig::init`].
#[derive(Module, Debug)]
#[non_exhaustive]
pub enum Network {
    /// A small network for small machines.
    Edge(Edge),
    /// The official U-Net.
    Unet(UnetRes),
}

impl NetworkConfig {
    /// A network with new weights, drawn from the device's generator.
    ///
    /// # Errors
    /// As [`NetworkConfig::check`].
    pub fn init(&self, device: &Device) -> Result<Network, ConfigError> {
        self.check()?;
        Ok(match self {
            Self::Edge(config) => Network::Edge(config.init(device)),
            Self::Unet(config) => Network::Unet(config.init(device)?),
        })
    }
}

impl Network {
    /// What the network predicts at `times`.
    ///
    /// `x` is `[n, in_channels, h, w]`, values in [-1, 1]. `times` are two of `[n]`: the index `0 ..= T - 1` twice, or,
    /// for networks of [two times](NetworkConfig::takes_two_times), `ᾱ_t T` and `β̄_t T`.
    /// The answer holds one or two tensors `[n, channels, h, w]`: the residual, the noise, or both in this order.
    pub fn forward(&self, x: Tensor<4>, times: [Tensor<1>; 2]) -> Vec<Tensor<4>> {
        match self {
            Self::Edge(network) => network.forward(x, times),
            Self::Unet(network) => network.forward(x, times),
        }
    }

    /// The same network for pictures that are [shrunk](NetworkConfig::shrink) already: it answers in their size.
    #[must_use]
    pub fn unshrinking(self) -> Self {
        match self {
            Self::Edge(network) => Self::Edge(network.unshrinking()),
            Self::Unet(network) => Self::Unet(network),
        }
    }

    /// The same network with the further blocks of `deeper`, a network of its shape that has more of them. They add nothing
    /// until they are trained, so that it computes what it did. The official U-Net stays as it is.
    #[must_use]
    pub fn deepened(self, deeper: Self) -> Self {
        match (self, deeper) {
            (Self::Edge(network), Self::Edge(deeper)) => Self::Edge(network.deepened(deeper)),
            (network, _) => network,
        }
    }

    /// The same network with the first `outputs` of its outputs alone. The official U-Net stays as it is.
    #[must_use]
    pub fn with_first_outputs(self, outputs: usize) -> Self {
        match self {
            Self::Edge(network) => Self::Edge(network.with_first_outputs(outputs)),
            Self::Unet(network) => Self::Unet(network),
        }
    }

    /// The weights as a safetensors file, named by their place in the network; equal weights make equal files.
    ///
    /// # Errors
    /// When a weight cannot be read from its device.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        // Metadata would be written in a random order.
        let store = SafetensorsStore::from_bytes(None).clear_metadata();
        let mut store = store.skip_enum_variants(true);
        self.save_into(&mut store)?;
        Ok(store.get_bytes()?)
    }

    /// The weights by the names that [`to_safetensors`](Self::to_safetensors) gives them.
    ///
    /// # Errors
    /// As there.
    pub fn state_dict(&self) -> Result<StateDict, WeightsError> {
        let weights = StateDict::from_safetensors("the network", &self.to_safetensors()?);
        weights.map_err(|error| WeightsError(error.to_string()))
    }

    /// This network with the weights of a safetensors file that [`to_safetensors`](Self::to_safetensors) made.
    ///
    /// # Errors
    /// When the bytes are no such file, a weight is missing or of another shape, or one is left over.
    pub fn with_safetensors(mut self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        let mut store = SafetensorsStore::from_bytes(Some(bytes)).skip_enum_variants(true);
        let result = self.load_from(&mut store)?;
        match result.unused.first() {
            Some(name) => Err(WeightsError(format!("the network has no place for '{name}'"))),
            None => Ok(self),
        }
    }
}

/// Weights that cannot be written, or do not fit the network.
#[derive(Debug, thiserror::Error)]
#[error("network weights: {0}; take the weights and the recipe from the same run")]
pub struct WeightsError(String);

impl From<SafetensorsStoreError> for WeightsError {
    fn from(error: SafetensorsStoreError) -> Self {
        Self(error.to_string())
    }
}
