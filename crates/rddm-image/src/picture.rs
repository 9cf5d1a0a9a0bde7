use image::metadata::Orientation;
use ndarray::{Array2, Array3, ArrayView3, Axis};

use crate::{Error, ErrorKind, Format, Resolution, Unread, codecs, xmp};

/// A picture in memory, upright.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// `[channel, height, width]`: one channel (grey) or three (red, green, blue), values in
    /// `[0, 1]` as they are stored in the file, which mostly means sRGB.
    pub pixels: Array3<f32>,
    /// `[height, width]`, 0 transparent, 1 opaque; not multiplied into the pixels.
    pub alpha: Option<Array2<f32>>,
    /// Bits of each value in the file.
    pub depth: Depth,
    /// What the file said beside its pixels.
    pub metadata: Metadata,
    /// The file's format; `None` for a picture that comes from elsewhere.
    pub format: Option<Format>,
    /// What else the file holds, which was not read.
    pub unread: Vec<Unread>,
}

/// Bits of each value in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// 8 bits; also what a palette and fewer bits are read as.
    Eight,
    /// 16 bits; also what floating-point values are read as.
    Sixteen,
}

/// What a file says beside its pixels, as raw blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// EXIF: a TIFF structure without the `Exif\0\0` in front. Its orientation is 1, and no smaller picture is found in it.
    pub exif: Option<Vec<u8>>,
    /// An ICC profile for the picture's number of channels.
    pub icc: Option<Vec<u8>>,
    /// An XMP packet (XML, UTF-8).
    pub xmp: Option<Vec<u8>>,
    /// What a PNG file says of its colours, for other PNG files: `cICP`, `sRGB`, `gAMA` and `cHRM`.
    pub png: Vec<PngChunk>,
    /// How large the picture is meant to be. WebP files are written without it.
    pub resolution: Option<Resolution>,
}

/// A chunk of a PNG file: its kind and its body.
pub type PngChunk = ([u8; 4], Vec<u8>);

impl Picture {
    /// A picture of 8 bits without alpha channel and metadata.
    pub fn new(pixels: Array3<f32>) -> Self {
        let metadata = Metadata::default();
        Self {
            pixels,
            alpha: None,
            depth: Depth::Eight,
            metadata,
            format: None,
            unread: Vec::new(),
        }
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.pixels.dim().1
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.pixels.dim().2
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let (channels, height, width) = self.pixels.dim();
        if !matches!(channels, 1 | 3) || height == 0 || width == 0 {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "a picture of {width}×{height} with {channels} channels can't be a file: it needs pixels, and 1 or 3 channels"
                ),
            ));
        }
        match self.alpha.as_ref().map(Array2::dim) {
            Some(size) if size != (height, width) => Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the alpha channel has {}×{} pixels and the picture {width}×{height}",
                    size.1, size.0
                ),
            )),
            _ => Ok(()),
        }
    }
}

impl Metadata {
    /// Adds properties to the XMP packet, or makes one: `prefix:name="value"` for each pair, in the
    /// namespace `uri`. Names are XML names; values may be any text. Gives whether they were added.
    ///
    /// What an earlier call has added under the same prefix and `uri` is replaced. A packet stays as it is, and nothing is added,
    /// where another program has put such properties among its own, and where it is XMP of another form than is written here:
    /// not in UTF-8, or RDF of another prefix than `rdf`. What is no XMP is replaced.
    pub fn add_properties(&mut self, prefix: &str, uri: &str, properties: &[(&str, &str)]) -> bool {
        let packet = xmp::add(self.xmp.as_deref(), prefix, uri, properties);
        let added = packet.is_some();
        self.xmp = packet.or(self.xmp.take());
        added
    }

    /// Whether a file of this format holds the XMP packet, without the padding at its end where it must.
    pub fn xmp_fits(&self, format: Format) -> bool {
        let longest = codecs::abilities(format).xmp;
        self.xmp.as_ref().is_none_or(|packet| {
            packet.len() <= longest || xmp::without_padding(packet).len() <= longest
        })
    }

    /// Whether PNG's chunks say that colours are other than sRGB's.
    pub(crate) fn has_other_colours(&self) -> bool {
        codecs::png_has_other_colours(&self.png, self.icc.is_some())
    }

    /// Has what is said of rows and of columns change places.
    pub(crate) fn transpose(&mut self) {
        if let Some(exif) = &mut self.exif {
            codecs::transpose_exif(exif);
        }
        self.resolution = self.resolution.map(Resolution::transposed);
    }

    /// Lets a profile of another colour space go, as CMYK's, which is wrong for what was decoded.
    pub(crate) fn keep_fitting_profile(&mut self, channels: usize) {
        self.icc = self.icc.take().filter(|profile| fits(profile, channels));
    }

    /// Takes out what holds for the pixels as they are stored alone: the orientation, from the EXIF block and the XMP packet, and
    /// the smaller picture, to which the first directory of the EXIF block leads.
    pub(crate) fn forget_stored_pixels(&mut self) {
        self.xmp = self.xmp.as_deref().map(xmp::decoded);
        if let Some(exif) = &mut self.exif {
            let _ = Orientation::remove_from_exif_chunk(exif);
            codecs::end_after_first_directory(exif);
        }
    }
}

/// Whether an ICC profile is for pictures of so many channels of colour.
pub(crate) fn fits(profile: &[u8], channels: usize) -> bool {
    let space: &[u8] = if channels == 1 { b"GRAY" } else { b"RGB " };
    profile.get(16..20) == Some(space)
}

/// The picture with one or three channels: grey becomes three equal channels, colour becomes the
/// luma `0.299 R + 0.587 G + 0.114 B` (BT.601, full range).
///
/// # Errors
/// [`ErrorKind::Invalid`] where either side has neither 1 nor 3 channels.
pub fn with_channels(pixels: ArrayView3<'_, f32>, channels: usize) -> Result<Array3<f32>, Error> {
    let (present, height, width) = pixels.dim();
    match (present, channels) {
        (1, 1) | (3, 3) => Ok(pixels.to_owned()),
        (1, 3) => {
            let mut out = Array3::zeros((3, height, width));
            for mut plane in out.axis_iter_mut(Axis(0)) {
                plane.assign(&pixels.index_axis(Axis(0), 0));
            }
            Ok(out)
        }
        (3, 1) => {
            let mut out = Array3::zeros((1, height, width));
            for (plane, weight) in pixels.axis_iter(Axis(0)).zip([0.299, 0.587, 0.114]) {
                out.index_axis_mut(Axis(0), 0).scaled_add(weight, &plane);
            }
            Ok(out)
        }
        _ => Err(Error::new(
            ErrorKind::Invalid,
            format!("a picture of {present} channels can't become one of {channels}"),
        )),
    }
}
