//! Pictures in and out: decoding, encoding, metadata, orientation, limits.
//!
//! [`read`] and [`decode`] turn a PNG, JPEG, WebP, TIFF or BMP file into a [`Picture`]: planes of
//! `f32` in `[0, 1]`, upright, with its alpha channel and its metadata beside them. The contents
//! decide the format, never the name. [`write()`] and [`encode`] go the other way; what a format
//! can't hold is left out and said in [`Encoded::losses`].
//!
//! [`RowReader`] and [`RowWriter`] do the same for PNG files row by row, for pictures that are not to be
//! in memory as a whole; [`read_header`] says beforehand what a file holds and takes.
//!
//! Files are not trusted. [`Limits`] are checked against what a file claims before memory is taken
//! for it, and whatever is wrong with it comes back as an [`Error`] with a [`kind`](Error::kind).
//!
//! ```no_run
//! use rddm_image::{EncodeOptions, Limits};
//! # fn main() -> Result<(), rddm_image::Error> {
//! let mut picture = rddm_image::read("rain.jpg", &Limits::default())?;
//! picture.pixels.mapv_inplace(|value| 1.0 - value);
//! rddm_image::write("negative.png", &picture, &EncodeOptions::default())?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod codecs;
mod compare;
mod decode;
mod encode;
mod error;
mod format;
mod header;
mod limits;
mod orient;
mod paths;
mod picture;
mod raster;
mod resolution;
mod rows;
mod unread;
mod xmp;

pub use compare::{grid, grid_size, side_by_side};
pub use decode::{decode, read};
pub use encode::{EncodeOptions, Encoded, Loss, abandon, encode, write, write_bytes};
pub use error::{Error, ErrorKind};
pub use format::Format;
pub use header::{Header, header, read_header};
pub use limits::Limits;
pub use paths::{is_helper, is_special};
pub use picture::{Depth, Metadata, Picture, PngChunk, with_channels};
pub use resolution::Resolution;
pub use rows::{RowReader, RowWriter};
pub use unread::Unread;
