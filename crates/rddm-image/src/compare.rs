use ndarray::{Array3, Axis, Slice};

use crate::{Error, ErrorKind, Metadata, Picture, with_channels};

/// White between two pictures, pixels.
const GAP: usize = 8;

/// The pictures beside each other, left to right, aligned at the top, with white between and below.
///
/// The result has no alpha channel, the greatest depth among them, colour where any has colour, and
/// what the first one says of its colours where its channels are as many as the result's.
///
/// # Errors
/// [`ErrorKind::Invalid`] for no pictures, or one without pixels.
pub fn side_by_side(pictures: &[&Picture]) -> Result<Picture, Error> {
    grid(pictures, pictures.len())
}

/// Height and width of the [`grid`] of so many pictures of one `[height, width]`.
pub fn grid_size([height, width]: [usize; 2], count: usize, columns: usize) -> [usize; 2] {
    let length = |side: usize, places: usize| (places * (side + GAP)).saturating_sub(GAP);
    [length(height, count.div_ceil(columns.max(1))), length(width, columns.min(count))]
}

/// The pictures in rows of `columns`, each at the top left of its place, with white between; else as
/// [`side_by_side`].
///
/// # Errors
/// [`ErrorKind::Invalid`] for no pictures, one without pixels, or no columns.
pub fn grid(pictures: &[&Picture], columns: usize) -> Result<Picture, Error> {
    let (Some(first), 1..) = (pictures.first(), columns) else {
        return Err(Error::new(ErrorKind::Invalid, "there are no pictures to put side by side"));
    };
    for picture in pictures {
        picture.check()?;
    }
    let channels = pictures.iter().map(|p| p.pixels.dim().0).max().unwrap_or(1);
    let rows: Vec<&[&Picture]> = pictures.chunks(columns).collect();
    let tallest = |row: &[&Picture]| row.iter().map(|p| p.height()).max().unwrap_or(0);
    let across =
        |row: &[&Picture]| row.iter().map(|p| p.width()).sum::<usize>() + GAP * (row.len() - 1);
    let height = rows.iter().map(|row| tallest(row)).sum::<usize>() + GAP * (rows.len() - 1);
    let width = rows.iter().map(|row| across(row)).max().unwrap_or(0);
    let mut pixels = Array3::ones((channels, height, width));
    let mut top = 0;
    for row in rows {
        let mut left = 0;
        for picture in row {
            let (bottom, right) = (top + picture.height(), left + picture.width());
            let mut place = pixels.slice_axis_mut(Axis(1), Slice::from(top..bottom));
            let mut place = place.slice_axis_mut(Axis(2), Slice::from(left..right));
            place.assign(&with_channels(picture.pixels.view(), channels)?);
            left = right + GAP;
        }
        top += tallest(row) + GAP;
    }
    let mut out = Picture::new(pixels);
    out.depth = pictures.iter().map(|p| p.depth).max().unwrap_or(first.depth);
    out.format = first.format;
    if first.pixels.dim().0 == channels {
        let Metadata { icc, png, resolution, .. } = first.metadata.clone();
        out.metadata = Metadata { icc, png, resolution, ..Metadata::default() };
    }
    Ok(out)
}
