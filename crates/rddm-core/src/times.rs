use alloc::format;
use alloc::vec::Vec;

use crate::linspace::linspace;
use crate::{Error, ErrorKind};

/// The times that a sampler of `steps` steps visits, falling from `timesteps - 1`; the last step goes from the last of
/// them to the clean picture (the time that the paper's code calls -1, not listed).
///
/// They are the `steps + 1` points of `linspace(-1, timesteps - 1)` in f32, cut to integers, reversed, less the -1.
/// The arithmetic is that of f32 on purpose: where a point should be whole and f32 falls short of it, the time is one
/// smaller, as in the paper's code.
///
/// # Errors
/// [`ErrorKind::InvalidSampler`] unless `1 ≤ steps ≤ timesteps ≤ 2²⁴`.
///
/// ```
/// assert_eq!(rddm_core::sampling_times(1000, 3)?, [999, 665, 332]);
/// # Ok::<(), rddm_core::Error>(())
/// ```
pub fn sampling_times(timesteps: usize, steps: usize) -> Result<Vec<usize>, Error> {
    if steps == 0 || steps > timesteps || timesteps > 1 << 24 {
        return Err(Error::new(
            ErrorKind::InvalidSampler,
            format!(
                "{steps} sampling steps don't fit a schedule of {timesteps} time steps; ask for 1 to {timesteps}"
            ),
        ));
    }
    let points = steps + 1;
    let point = |index| linspace(-1.0, (timesteps - 1) as f32, points, index);
    // A negative value cuts to -0, so to time 0; only the point 0 itself is the -1.
    Ok((1..points).rev().map(|index| point(index) as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_whole_and_broken_widths() {
        assert_eq!(sampling_times(1000, 1).unwrap(), [999]);
        assert_eq!(sampling_times(1000, 2).unwrap(), [999, 499]);
        assert_eq!(sampling_times(20, 7).unwrap(), [19, 16, 13, 10, 7, 4, 1]);
    }

    #[test]
    fn all_times_are_visited_when_steps_equal_timesteps() {
        let times = sampling_times(1000, 1000).unwrap();
        assert!(times.iter().copied().eq((0..1000).rev()));
    }

    #[test]
    fn steps_out_of_range_are_refused() {
        for (timesteps, steps) in [(1000, 0), (10, 11), (0, 0), (usize::MAX, 3)] {
            assert_eq!(
                sampling_times(timesteps, steps).unwrap_err().kind(),
                ErrorKind::InvalidSampler
            );
        }
    }
}
