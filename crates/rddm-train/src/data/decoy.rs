//! Areas that are as dark as a shadow and are none.

use ndarray::{Array3, Zip, s};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::degrade::{Degradation, Degraded};
use crate::recipe::Decoys;

/// The picture `[channels, height, width]`, values in [0, 1], made `shrink` times smaller before; as often as a recipe says
/// with an area in which it shows another part of itself, that opposite, in the shade.
pub(super) fn with_decoy(
    mut picture: Array3<f32>,
    decoys: Option<&Decoys>,
    shrink: usize,
    random: &mut ChaCha8Rng,
) -> Array3<f32> {
    let Some(Decoys { share, shadow }) = decoys else { return picture };
    if random.random::<f64>() >= *share {
        return picture;
    }
    let opposite = picture.slice(s![.., ..;-1, ..;-1]).to_owned();
    let Degraded { picture: shaded, mask } = shadow.afar(shrink).degrade(&opposite, random);
    if let Some(mask) = &mask {
        for (mut plane, shaded) in picture.outer_iter_mut().zip(shaded.outer_iter()) {
            Zip::from(&mut plane)
                .and(shaded)
                .and(mask)
                .for_each(|value, shaded, within| *value += within * (shaded - *value));
        }
    }
    picture
}
