//! Files read and written row by row are the files that are read and written as a whole.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use ndarray::{Array2, Array3};
use rddm_image::{
    Depth, EncodeOptions, ErrorKind, Format, Limits, Metadata, Picture, RowReader, RowWriter,
    encode, header, read, read_header,
};

const HEIGHT: usize = 23;
const WIDTH: usize = 17;

/// Values that no depth holds exactly, so that rounding is compared, too.
fn picture(channels: usize, alpha: bool, depth: Depth) -> Picture {
    let mut picture = Picture::new(Array3::from_shape_fn((channels, HEIGHT, WIDTH), |at| {
        ((at.0 * 91 + at.1 * 37 + at.2 * 11) % 1009) as f32 / 1007.0
    }));
    picture.alpha = alpha.then(|| {
        Array2::from_shape_fn((HEIGHT, WIDTH), |(y, x)| ((y * 50 + x * 7) % 313) as f32 / 312.0)
    });
    picture.depth = depth;
    picture.metadata.exif = Some(b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0".to_vec());
    let mut profile = vec![7; 200];
    profile[16..20].copy_from_slice(if channels == 1 { b"GRAY" } else { b"RGB " });
    picture.metadata.icc = Some(profile);
    picture.metadata.add_properties("dc", "urn:dc", &[("creator", "žluťoučký")]);
    picture
}

fn kinds() -> impl Iterator<Item = Picture> {
    [(1, false), (1, true), (3, false), (3, true)].into_iter().flat_map(|(channels, alpha)| {
        [Depth::Eight, Depth::Sixteen].map(|depth| picture(channels, alpha, depth))
    })
}

/// The planes of a row of a picture, as `RowWriter` takes them.
fn row(picture: &Picture, y: usize) -> Vec<f32> {
    let colours = picture.pixels.outer_iter().flat_map(|plane| plane.row(y).to_vec());
    let alpha = picture.alpha.iter().flat_map(|alpha| alpha.row(y).to_vec());
    colours.chain(alpha).collect()
}

fn write_rows(path: &Path, picture: &Picture, rows: usize) -> Result<(), rddm_image::Error> {
    let bytes = encode(picture, &EncodeOptions::default()).unwrap().bytes;
    let shape = header(&bytes, &Limits::default()).unwrap();
    let mut writer = RowWriter::create(path, &shape, &picture.metadata)?;
    for y in 0..rows {
        writer.write(&row(picture, y))?;
    }
    writer.finish(true)
}

/// All rows of a file, after each other.
fn read_rows(path: &Path) -> Result<(RowReader, Vec<f32>), rddm_image::Error> {
    let mut reader = RowReader::open(path, &Limits::default())?;
    let (values, height) = (reader.header().values_in_row(), reader.header().height);
    let mut all = vec![0.0; values * height];
    for row in all.chunks_exact_mut(values) {
        reader.read(row)?;
    }
    Ok((reader, all))
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn rows_are_those_of_the_whole_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    for picture in kinds() {
        let bytes = encode(&picture, &EncodeOptions::default()).unwrap().bytes;
        std::fs::write(&path, &bytes).unwrap();
        let whole = read(&path, &Limits::default()).unwrap();
        let (reader, rows) = read_rows(&path).unwrap();
        assert_eq!(reader.metadata(), &whole.metadata);
        assert_eq!(reader.header(), &read_header(&path, &Limits::default()).unwrap());
        assert_eq!(reader.header().depth, whole.depth);
        let expected: Vec<f32> = (0..HEIGHT).flat_map(|y| row(&whole, y)).collect();
        assert_eq!(rows, expected);
        reader.finish().unwrap();
    }
}

#[test]
fn a_file_written_in_rows_is_that_of_the_whole_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, whole) = (folder.path().join("rows.png"), folder.path().join("whole.png"));
    for picture in kinds() {
        write_rows(&rows, &picture, HEIGHT).unwrap();
        rddm_image::write(&whole, &picture, &EncodeOptions::default()).unwrap();
        assert_eq!(
            read(&rows, &Limits::default()).unwrap(),
            read(&whole, &Limits::default()).unwrap()
        );
    }
    assert_eq!(files(folder.path()), 2);
}

#[test]
fn palettes_and_few_bits_are_expanded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    for (color, depth, bits) in [
        (png::ColorType::Indexed, png::BitDepth::Two, 2),
        (png::ColorType::Indexed, png::BitDepth::Eight, 8),
        (png::ColorType::Grayscale, png::BitDepth::One, 1),
        (png::ColorType::Grayscale, png::BitDepth::Four, 4),
    ] {
        let file = std::fs::File::create(&path).unwrap();
        let mut encoder = png::Encoder::new(file, 13, 9);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == png::ColorType::Indexed {
            encoder.set_palette((0..12).map(|value| value * 20).collect::<Vec<u8>>());
            encoder.set_trns(vec![0, 90, 255]);
        }
        let line = (13_usize * bits).div_ceil(8);
        let samples: Vec<u8> = (0..9 * line)
            .map(|at| if bits == 8 { at as u8 % 4 } else { (at * 37) as u8 })
            .collect();
        encoder.write_header().unwrap().write_image_data(&samples).unwrap();
        let whole = read(&path, &Limits::default()).unwrap();
        let (_, rows) = read_rows(&path).unwrap();
        assert_eq!(rows, (0..9).flat_map(|y| row(&whole, y)).collect::<Vec<_>>());
    }
}

#[test]
fn what_cannot_go_in_rows_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let refused = |bytes: &[u8], word: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = RowReader::open(&path, &Limits::default()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(read_header(&path, &Limits::default()).is_ok(), "as a whole it is no problem");
    };
    let options = |format| EncodeOptions::default().with_format(format);
    let mut whole = picture(3, false, Depth::Eight);
    refused(&encode(&whole, &options(Format::Bmp)).unwrap().bytes, "PNG");

    // One pixel is stored the same way with and without interlacing.
    let mut dot = Picture::new(Array3::zeros((1, 1, 1)));
    let mut bytes = encode(&dot, &options(Format::Png)).unwrap().bytes;
    bytes[28] = 1;
    let sum = crc32fast::hash(&bytes[12..29]).to_be_bytes();
    bytes[29..33].copy_from_slice(&sum);
    refused(&bytes, "interlaced");

    let turned = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    whole.metadata.exif = Some(turned.clone());
    refused(&encode(&whole, &options(Format::Png)).unwrap().bytes, "turned");
    let plain = encode(&picture(3, false, Depth::Eight), &options(Format::Png)).unwrap().bytes;
    let xmp = b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>".to_vec();
    for chunk in [(b"eXIf", turned.clone()), (b"iTXt", xmp)] {
        refused(&support::behind_pixels(&plain, &[chunk]), "behind the pixels");
    }
    let text = b"Comment\0\0\0\0\0longer than the name of a packet".to_vec();
    std::fs::write(&path, support::behind_pixels(&plain, &[(b"iTXt", text)])).unwrap();
    read_rows(&path).unwrap();
    dot.metadata.exif = Some(turned);
    let bytes = encode(&dot, &options(Format::Png)).unwrap().bytes;
    assert!(header(&bytes, &Limits::default()).unwrap().turned);
}

#[test]
fn a_broken_file_is_an_error_in_one_of_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let options = EncodeOptions::default().with_format(Format::Png);
    let bytes = encode(&picture(3, true, Depth::Sixteen), &options).unwrap().bytes;
    for length in (0..bytes.len() - 12).step_by(5) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let ended = read_rows(&path).and_then(|(reader, _)| reader.finish());
        let error = ended.expect_err("a file without its end is whole");
        assert!(
            matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
            "{length}: {error}"
        );
        assert!(error.path().is_some());
    }
    for at in (33..bytes.len() - 12).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&path, &flipped).unwrap();
        let _ = read_rows(&path).and_then(|(reader, _)| reader.finish());
    }
}

#[test]
fn a_file_of_too_many_bytes_of_metadata_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let mut large = picture(3, false, Depth::Eight);
    large.metadata.icc = None;
    large.metadata.exif = Some(vec![1; 100_000]);
    rddm_image::write(&path, &large, &EncodeOptions::default()).unwrap();
    let mut limits = Limits::default();
    limits.metadata = 10_000;
    let error = RowReader::open(&path, &limits).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
}

#[test]
fn an_unfinished_file_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let picture = picture(3, false, Depth::Eight);
    let error = write_rows(&path, &picture, HEIGHT - 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(files(folder.path()), 0);

    let shape = rddm_image::Header::new(2, 2, 3);
    let mut writer = RowWriter::create(&path, &shape, &Metadata::default()).unwrap();
    assert_eq!(files(folder.path()), 1);
    writer.write(&[0.5; 6]).unwrap();
    assert_eq!(writer.write(&[f32::NAN; 6]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(writer.write(&[0.5; 5]).unwrap_err().kind(), ErrorKind::Invalid);
    drop(writer);
    assert_eq!(files(folder.path()), 0);

    std::fs::write(&path, b"there").unwrap();
    let mut writer = RowWriter::create(&path, &shape, &Metadata::default()).unwrap();
    writer.write(&[0.5; 6]).unwrap();
    writer.write(&[0.5; 6]).unwrap();
    assert_eq!(writer.write(&[0.5; 6]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(writer.finish(false).unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(std::fs::read(&path).unwrap(), b"there");
    let missing = folder.path().join("none/a.png");
    let error = RowWriter::create(missing, &shape, &Metadata::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io);
}
