//! The automatic objective selection of the paper: should a network predict the residual or the noise?
//!
//! One network with one output is trained as both at once, weighed by a learnt `λ`: its output stands for the residual
//! with weight `λ` and for the noise with `1 - λ`. When `λ` has moved further than a threshold from ½, training goes on
//! as the objective that it moved to.

use crate::Objective;

/// What `λ` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Still open: train as both.
    Open,
    /// `λ` rose: predict the residual.
    Residual,
    /// `λ` fell: predict the noise.
    Noise,
}

impl Choice {
    /// The objective to go on with; none while the choice is open.
    pub const fn objective(self) -> Option<Objective> {
        match self {
            Self::Open => None,
            Self::Residual => Some(Objective::PredRes),
            Self::Noise => Some(Objective::PredNoise),
        }
    }
}

/// Decides by `λ`: open while `|λ - ½| < threshold`. The paper's threshold is 0.01.
pub fn choose(lambda: f32, threshold: f32) -> Choice {
    if (lambda - 0.5).abs() < threshold {
        Choice::Open
    } else if lambda > 0.5 {
        Choice::Residual
    } else {
        Choice::Noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_falls_outside_the_threshold() {
        assert_eq!(choose(0.5, 0.01), Choice::Open);
        assert_eq!(choose(0.509, 0.01), Choice::Open);
        assert_eq!(choose(0.52, 0.01).objective(), Some(Objective::PredRes));
        assert_eq!(choose(0.47, 0.01).objective(), Some(Objective::PredNoise));
    }
}
