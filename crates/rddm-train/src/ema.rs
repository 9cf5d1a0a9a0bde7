//! The moving average of the weights, which is what is published.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use rddm_core::{Ema, EmaUpdate};

use crate::recipe::Training;

/// The decay after step `step`, `0 .. steps`: it starts low, so that the first weights are soon forgotten. From
/// `mean_after` on it is that of a plain mean, which begins with that step's weights.
pub fn decay(training: &Training, step: usize) -> f64 {
    let first = training.mean_after.map(|after| (after * training.steps as f64).ceil() as usize);
    match first {
        Some(first) if step >= first => 1.0 - 1.0 / (1 + step - first) as f64,
        _ => training.ema.min((1.0 + step as f64) / (10.0 + step as f64)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the weights after each of ten steps count in the average.
    fn shares(training: &Training) -> Vec<f64> {
        let mut shares: Vec<f64> = Vec::new();
        for step in 0..10 {
            let decay = decay(training, step);
            shares.iter_mut().for_each(|share| *share *= decay);
            shares.push(1.0 - decay);
        }
        shares
    }

    #[test]
    fn the_average_is_of_late_weights_or_the_mean_of_all_since_a_step() {
        let mut training = Training { steps: 10, ema: 0.5, ..Training::default() };
        let moving = shares(&training);
        assert!((moving[9] - 0.5).abs() < 1e-12 && (moving[8] - 0.25).abs() < 1e-12, "{moving:?}");
        training.mean_after = Some(0.55);
        for (step, share) in shares(&training).into_iter().enumerate() {
            let expected = if step < 6 { 0.0 } else { 0.25 };
            assert!((share - expected).abs() < 1e-12, "{step}: {share}");
        }
    }
}
