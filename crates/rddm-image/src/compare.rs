use ndarray::{Array3, Axis, Slice};

use crate::{Error, ErrorKind, Metadata, Picture, with_channels};

/// Columns of white between two pictures.
const GAP: usize = 8;

/// The pictures beside each other, left to right, aligned at the top, with white between and below.
///
/// The result has no alpha channel, the greatest depth among them, colour where any has colour, and
/// the first one's ICC profile where its channels are as many as the result's.
///
/// # Errors
/// [`ErrorKind::Invalid`] for no pictures, or one without pixels.
pub fn side_by_side(pictures: &[&Picture]) -> Result<Picture, Error> {
    let Some(first) = pictures.first() else {
        return Err(Error::new(ErrorKind::Invalid, "there are no pictures to put side by side"));
    };
    for picture in pictures {
        picture.check()?;
    }
    let channels = pictures.iter().map(|p| p.pixels.dim().0).max().unwrap_or(1);
    let height = pictures.iter().map(|p| p.height()).max().unwrap_or(0);
    let width = pictures.iter().map(|p| p.width()).sum::<usize>() + GAP * (pictures.len() - 1);
    let mut pixels = Array3::ones((channels, height, width));
    let mut left = 0;
    for picture in pictures {
        let right = left + picture.width();
        let mut place = pixels.slice_axis_mut(Axis(2), Slice::from(left..right));
        let mut place = place.slice_axis_mut(Axis(1), Slice::from(..picture.height()));
        place.assign(&with_channels(picture.pixels.view(), channels)?);
        left = right + GAP;
    }
    let mut out = Picture::new(pixels);
    out.depth = pictures.iter().map(|p| p.depth).max().unwrap_or(first.depth);
    out.format = first.format;
    if first.pixels.dim().0 == channels {
        out.metadata = Metadata { icc: first.metadata.icc.clone(), ..Metadata::default() };
    }
    Ok(out)
}
