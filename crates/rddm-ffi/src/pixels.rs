//! Pixels of 8 bits as C has them, a row at a time.

use std::mem::MaybeUninit;

use crate::failure::Failure;
use crate::{Picture, slice};

/// What is read.
pub(crate) struct Pixels<'a> {
    /// The rows' own bytes are there; what lies between two rows may never have been written.
    bytes: &'a [MaybeUninit<u8>],
    size: [usize; 3],
    stride: usize,
}

impl Pixels<'_> {
    /// # Safety
    /// The rows that `picture` describes were written, and stay as they are for as long as this lives.
    pub(crate) unsafe fn of(picture: &Picture, name: &str) -> Result<Self, Failure> {
        let Picture { data, width, height, channels, stride } = *picture;
        let length = length(picture, stride, name)?;
        // SAFETY: as the caller says.
        let bytes = unsafe { slice(data.cast(), length, name)? };
        Ok(Self { bytes, size: [channels, height, width], stride })
    }

    /// Channels, height, width.
    pub(crate) fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Row `y` as values from 0 to 1, one channel after the other.
    pub(crate) fn read(&self, y: usize, row: &mut [f32]) {
        let [channels, _, width] = self.size;
        let bytes = &self.bytes[y * self.stride..][..channels * width];
        // SAFETY: whoever made this says that rows were written.
        let bytes: &[u8] =
            unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) };
        let pixels = bytes.chunks_exact(channels);
        for (x, pixel) in pixels.enumerate() {
            for (channel, &value) in pixel.iter().enumerate() {
                row[channel * width + x] = f32::from(value) / 255.0;
            }
        }
    }
}

/// What is written.
pub(crate) struct PixelsMut<'a> {
    bytes: &'a mut [MaybeUninit<u8>],
    channels: usize,
    stride: usize,
}

impl PixelsMut<'_> {
    /// Refused where it overlaps what is read.
    ///
    /// # Safety
    /// `data` can be written to for a picture of the shape's size, and nobody else uses it for as long as this lives.
    pub(crate) unsafe fn of(
        data: *mut u8,
        stride: usize,
        shape: &Picture,
        read: [Option<&Pixels<'_>>; 2],
    ) -> Result<Self, Failure> {
        let length = length(shape, stride, "output")?;
        if data.is_null() {
            return Err(Failure::argument("output is null"));
        }
        let (start, end) = (data.addr(), data.addr().saturating_add(length));
        for read in read.into_iter().flatten() {
            let other = read.bytes.as_ptr_range();
            if start < other.end.addr() && other.start.addr() < end {
                let text = "the output overlaps the picture or the mask, each from its first row to its last";
                return Err(Failure::argument(text));
            }
        }
        // SAFETY: it is not null, its length was checked, it is apart from what is read, and the caller says the rest.
        let bytes = unsafe { std::slice::from_raw_parts_mut(data.cast(), length) };
        Ok(Self { bytes, channels: shape.channels, stride })
    }

    /// Row `y` of values from 0 to 1, one channel after the other, rounded to the nearest step.
    pub(crate) fn write(&mut self, y: usize, row: &[f32]) {
        let width = row.len() / self.channels;
        let pixels = self.bytes[y * self.stride..][..row.len()].chunks_exact_mut(self.channels);
        for (x, pixel) in pixels.enumerate() {
            for (channel, value) in pixel.iter_mut().enumerate() {
                value.write((row[channel * width + x] * 255.0).round() as u8);
            }
        }
    }
}

/// Bytes from the first of a picture to its last.
fn length(shape: &Picture, stride: usize, name: &str) -> Result<usize, Failure> {
    let &Picture { width, height, channels, .. } = shape;
    let refused = |text: String| Err(Failure::argument(format!("{name}: {text}")));
    if width == 0 || height == 0 || !matches!(channels, 1 | 3) {
        return refused(format!(
            "{width}×{height} pixels with {channels} channels are none; there are 1 or 3 channels"
        ));
    }
    let Some(row) = width.checked_mul(channels).filter(|&row| row <= stride) else {
        return refused(format!(
            "a stride of {stride} bytes does not fit {width} pixels with {channels} channels"
        ));
    };
    let length = stride.checked_mul(height - 1).and_then(|others| others.checked_add(row));
    match length.filter(|&length| length <= isize::MAX as usize) {
        Some(length) => Ok(length),
        None => {
            refused(format!("{height} rows with a stride of {stride} bytes are longer than memory"))
        }
    }
}
