//! Networks whose weights are all drawn: a new network predicts nothing, which would hide what its parts do.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Distribution, Tensor};

struct Draw;

impl ModuleMapper for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let by = Distribution::Normal(0.0, 0.1);
        param.map(|value| Tensor::random(value.shape(), by, &value.device()))
    }
}

pub(crate) fn drawn<M: Module>(network: M) -> M {
    network.map(&mut Draw)
}
