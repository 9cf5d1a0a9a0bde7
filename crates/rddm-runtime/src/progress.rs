use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ndarray::ArrayView3;

/// How far a picture is. The callback gets it after every tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The sampling step of the tile that was finished, from 0.
    pub step: usize,
    /// The number of sampling steps.
    pub steps: usize,
    /// Finished tiles, over all steps.
    pub done: usize,
    /// All tiles, over all steps.
    pub tiles: usize,
}

impl Progress {
    /// The part that is done, 0 to 1.
    pub fn fraction(&self) -> f64 {
        self.done as f64 / self.tiles.max(1) as f64
    }
}

/// What a callback wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop; the call returns an error of the kind [`Cancelled`](crate::ErrorKind::Cancelled).
    Stop,
}

/// Stops a restoration from another thread, or from a signal handler. Clones are the same token.
///
/// ```
/// let token = rddm_runtime::CancelToken::default();
/// let other = token.clone();
/// std::thread::spawn(move || other.cancel()).join().ok();
/// assert!(token.is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks all that hold the token to stop, now and whenever they are asked for a picture again: it
    /// can't be taken back. A network that is running ends its tile first.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`CancelToken::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One sampling step of a whole picture, as the step callback sees it. The arrays are
/// `[channel, height, width]`, in the sampler's range: a picture from 0 to 1 is from -1 to 1 here.
#[derive(Debug)]
#[non_exhaustive]
pub struct StepView<'a> {
    /// The step's number, from 0.
    pub step: usize,
    /// The number of steps.
    pub steps: usize,
    /// The time `t` that the step starts from.
    pub time: usize,
    /// The picture after the step, `I_s`; the restored picture after the last one.
    pub picture: ArrayView3<'a, f32>,
    /// The predicted residual `I_res`.
    pub residual: ArrayView3<'a, f32>,
    /// The predicted noise `ε`.
    pub noise: ArrayView3<'a, f32>,
}
