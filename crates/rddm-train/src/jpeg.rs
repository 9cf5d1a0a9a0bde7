//! Pictures as JPEG files hold them.

use std::io::Cursor;

use image::ImageFormat;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use ndarray::{Array3, s};
use rand::{Rng, RngExt};

use crate::degrade::uniform;
use crate::recipe::Jpeg;

/// Side of the squares that a file with halved colour is made of, pixels.
const SQUARE: usize = 16;

/// How much of the colour a file keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chroma {
    /// All (4:4:4).
    Full,
    /// Half of the rows and columns (4:2:0), as most cameras and programs write it.
    Halved,
}

/// A picture `[1 or 3, height, width]`, values in [0, 1], as a file of this quality, 1 to 100, holds it; none where it has no
/// size that JPEG can hold.
pub(crate) fn through_jpeg(
    picture: &Array3<f32>,
    quality: u8,
    chroma: Chroma,
) -> Option<Array3<f32>> {
    let (channels, height, width) = picture.dim();
    let bytes: Vec<u8> = picture
        .view()
        .permuted_axes([1, 2, 0])
        .iter()
        .map(|value| (value * 255.0).round() as u8)
        .collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(match chroma {
        Chroma::Full => SamplingFactor::F_1_1,
        Chroma::Halved => SamplingFactor::F_2_2,
    });
    let colours = if channels == 1 { ColorType::Luma } else { ColorType::Rgb };
    let (w, h) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
    encoder.encode(&bytes, w, h, colours).ok()?;
    let decoded = image::load(Cursor::new(file), ImageFormat::Jpeg).ok()?;
    let decoded = if channels == 1 {
        decoded.into_luma8().into_raw()
    } else {
        decoded.into_rgb8().into_raw()
    };
    Some(Array3::from_shape_fn((channels, height, width), |(channel, y, x)| {
        f32::from(decoded[(y * width + x) * channels + channel]) / 255.0
    }))
}

/// The degraded side of an example, `[1 or 3, height, width]`, values in [0, 1], as a recipe's photographs are stored: a part
/// of a larger file, whose squares may begin anywhere.
pub(crate) fn stored(
    picture: Array3<f32>,
    jpeg: Option<Jpeg>,
    random: &mut impl Rng,
) -> Array3<f32> {
    let Some(Jpeg { share, quality }) = jpeg else { return picture };
    if random.random::<f64>() >= share {
        return picture;
    }
    let (channels, height, width) = picture.dim();
    let (down, right) = (random.random_range(0..SQUARE), random.random_range(0..SQUARE));
    let quality = uniform(quality, random).round() as u8;
    // What lies before it is its mirror image.
    let larger = Array3::from_shape_fn((channels, height + down, width + right), |(c, y, x)| {
        picture[(c, y.abs_diff(down).min(height - 1), x.abs_diff(right).min(width - 1))]
    });
    match through_jpeg(&larger, quality, Chroma::Halved) {
        Some(stored) => stored.slice_move(s![.., down.., right..]),
        None => picture,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn waves(channels: usize) -> Array3<f32> {
        Array3::from_shape_fn((channels, 40, 56), |(_, y, x)| {
            0.5 + 0.4 * ((x + 2 * y) as f32 / 7.0).sin()
        })
    }

    fn far(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
        (a - b).mapv(|error| error * error).mean().unwrap().sqrt()
    }

    #[test]
    fn a_better_file_is_closer_and_halved_colour_is_lost() {
        for channels in [1, 3] {
            let picture = waves(channels);
            let [poor, good] = [30, 95].map(|quality| {
                far(&through_jpeg(&picture, quality, Chroma::Full).unwrap(), &picture)
            });
            assert!(good < 0.01 && poor > 2.0 * good, "{poor} and {good}");
        }
        // Red and green stripes of one pixel have one brightness, and a mean colour.
        let stripes = Array3::from_shape_fn((3, 32, 32), |(c, _, x)| match (c, x % 2) {
            (0, 0) => 0.6,
            (1, 1) => 0.3,
            _ => 0.0,
        });
        let [full, halved] = [Chroma::Full, Chroma::Halved]
            .map(|chroma| far(&through_jpeg(&stripes, 95, chroma).unwrap(), &stripes));
        assert!(full < 0.03 && halved > 0.1, "{full} and {halved}");
    }

    #[test]
    fn an_example_is_a_part_of_a_file_whose_squares_begin_anywhere() {
        let picture = waves(3);
        let random = &mut ChaCha8Rng::seed_from_u64(3);
        assert_eq!(stored(picture.clone(), None, random), picture);
        let jpeg = |share| Some(Jpeg { share, quality: [60.0; 2] });
        assert_eq!(stored(picture.clone(), jpeg(0.0), random), picture);
        let all: Vec<_> = (0..8).map(|_| stored(picture.clone(), jpeg(1.0), random)).collect();
        for (index, one) in all.iter().enumerate() {
            // Moved by one pixel it would be 0.04 from where it was.
            let error = far(one, &picture);
            assert!(one.dim() == picture.dim() && error > 0.0 && error < 0.02, "{error}");
            assert!(all[..index].iter().all(|other| other != one));
        }
    }
}
