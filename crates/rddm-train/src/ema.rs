//! The moving average of the weights, which is what is published.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use rddm_core::{Ema, EmaUpdate};

/// The decay at update `update`, `0 ..`: it starts low, so that the first weights are soon forgotten.
pub fn decay(most: f64, update: usize) -> f64 {
    most.min((1.0 + update as f64) / (10.0 + update as f64))
}

/// `average · decay + online · (1 - decay)`, weight by weight; `average` was cloned from `online` once.
pub fn update<M: Module>(average: M, online: &M, decay: f64) -> M {
    let mut collector = Collector(GradientsParams::new());
    online.visit(&mut collector);
    average.map(&mut Mixer { online: collector.0, decay })
}

/// The average after call number `call`, `0 ..`, of the official code's rule: one call after each optimiser step.
pub fn follow<M: Module>(average: M, online: &M, rule: &Ema, call: u64) -> M {
    match rule.update(call) {
        EmaUpdate::Keep => average,
        EmaUpdate::Mix { decay } => update(average, online, decay),
    }
}

/// The weights of a module by their identity.
struct Collector(GradientsParams);

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let value = if value.is_autodiff() { value.inner() } else { value };
        self.0.register(param.id, value);
    }
}

struct Mixer {
    online: GradientsParams,
    decay: f64,
}

impl ModuleMapper for Mixer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(online) = self.online.remove::<D>(param.id) else {
            return param;
        };
        let decay = self.decay;
        param.map(|average| average.mul_scalar(decay) + online.mul_scalar(1.0 - decay))
    }
}
