//! Loops for the vectors that this processor has, where the compiler took those that all of its kind have. The same
//! bits come out.

use pulp::{Arch, NullaryFnOnce};
use rddm_core::NoiseField;

/// [`NoiseField::fill`].
pub(crate) fn fill(
    noise: NoiseField,
    draw: u32,
    channel: usize,
    y: usize,
    x0: usize,
    out: &mut [f32],
) {
    Arch::new().dispatch(Fill { noise, draw, channel, y, x0, out });
}

struct Fill<'a> {
    noise: NoiseField,
    draw: u32,
    channel: usize,
    y: usize,
    x0: usize,
    out: &'a mut [f32],
}

impl NullaryFnOnce for Fill<'_> {
    type Output = ();

    // Only what is inlined is compiled again.
    #[inline(always)]
    fn call(self) {
        self.noise.fill(self.draw, self.channel, self.y, self.x0, self.out);
    }
}
