//! Files of another encoder; `samples/README.md` says what is in them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use rddm_image::{Depth, Format, Header, Limits, Picture, RowReader, Unread, read, read_header};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name)
}

fn sample(name: &str) -> Picture {
    read(path(name), &Limits::default()).unwrap()
}

fn colour(c: usize, y: usize, x: usize) -> f32 {
    [15 * x, 20 * y, 8 * (x + y)][c] as f32
}

/// The largest distance in levels of 8 bits from what a formula gives.
fn apart(picture: &Picture, expected: impl Fn(usize, usize, usize) -> f32) -> f32 {
    let values = picture.pixels.indexed_iter();
    values.map(|((c, y, x), v)| (v * 255.0 - expected(c, y, x)).abs()).fold(0.0, f32::max)
}

#[test]
fn palettes_become_colours() {
    for name in ["palette.png", "palette-transparent.png", "palette.bmp"] {
        let picture = sample(name);
        assert_eq!(picture.pixels.dim(), (3, 12, 16), "{name}");
        let quadrants = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
        let expected = |c, y, x| quadrants[usize::from(y >= 6) * 2 + usize::from(x >= 8)][c] as f32;
        assert!(apart(&picture, expected) < 0.01, "{name}");
    }
    assert_eq!(sample("palette.png").alpha, None);
    let alpha = sample("palette-transparent.png").alpha.unwrap();
    assert_eq!([alpha[[0, 0]], alpha[[11, 0]], alpha[[11, 15]]], [1.0, 0.0, 128.0 / 255.0]);
}

#[test]
fn grey_of_every_depth_is_one_channel() {
    let picture = sample("one-bit.png");
    assert_eq!((picture.pixels.dim(), picture.depth), ((1, 12, 16), Depth::Eight));
    assert_eq!([picture.pixels[[0, 0, 0]], picture.pixels[[0, 11, 15]]], [0.0, 1.0]);
    for name in ["grey16.png", "grey16.tif"] {
        let picture = sample(name);
        assert_eq!((picture.pixels.dim(), picture.depth), ((1, 12, 16), Depth::Sixteen), "{name}");
        let expected = |_, y: usize, x: usize| (x * 4000 + y * 100) as f32 / 257.0;
        assert!(apart(&picture, expected) < 1e-3, "{name}");
    }
    let picture = sample("grey.jpg");
    assert_eq!(picture.pixels.dim().0, 1);
    assert!(apart(&picture, |_, _, x| 15.0 * x as f32) < 6.0);
}

#[test]
fn lossy_and_compressed_files_show_the_picture() {
    for (name, format, tolerance) in [
        ("progressive.jpg", Format::Jpeg, 12.0),
        ("lossy.webp", Format::WebP, 30.0),
        ("deflate.tif", Format::Tiff, 0.01),
    ] {
        let picture = sample(name);
        assert_eq!(picture.format, Some(format));
        let apart = apart(&picture, colour);
        assert!(apart < tolerance, "{name}: {apart}");
    }
}

#[test]
fn alpha_is_kept_beside_the_colours() {
    for name in ["alpha.webp", "alpha.tif"] {
        let picture = sample(name);
        assert!(apart(&picture, colour) < 0.01, "{name}");
        let alpha = picture.alpha.unwrap();
        assert!((alpha[[5, 3]] * 255.0 - 115.0).abs() < 0.01, "{name}");
    }
}

#[test]
fn colours_are_divided_by_the_alpha_that_they_are_multiplied_by() {
    let picture = sample("associated.tif");
    let alpha = picture.alpha.as_ref().unwrap();
    assert!((alpha[[5, 3]] * 255.0 - 115.0).abs() < 0.01);
    // Nothing is known of the first row, which is transparent.
    let apart = apart(&picture, |c, y, x| if y == 0 { 0.0 } else { colour(c, y, x) });
    assert!(apart < 0.05, "{apart}");
}

#[test]
fn a_turned_photograph_is_upright() {
    let picture = sample("turned.jpg");
    assert_eq!((picture.height(), picture.width()), (16, 12));
    // Clockwise: the upright row is the stored column, the upright column counts from below.
    let apart = apart(&picture, |c, y, x| colour(c, 11 - x, y));
    assert!(apart < 12.0, "{apart}");
    let exif = picture.metadata.exif.unwrap();
    assert!(exif.windows(5).any(|word| word == b"Maker"));
}

#[test]
fn cmyk_becomes_colour() {
    let picture = sample("cmyk.jpg");
    assert_eq!(picture.pixels.dim(), (3, 12, 16));
    let apart = apart(&picture, colour);
    assert!(apart < 40.0, "{apart}");
}

#[test]
fn what_is_not_read_is_told() {
    for (name, unread) in [
        ("animation.png", &[Unread::Frames][..]),
        ("animation.webp", &[Unread::Frames]),
        ("pages.tif", &[Unread::Pages]),
        ("pages-64-bit.tif", &[Unread::Pages]),
        ("exif.tif", &[Unread::Tags]),
        ("described-64-bit.tif", &[Unread::Tags]),
        ("smaller-copy.tif", &[]),
        ("alpha.tif", &[]),
        ("alpha.webp", &[]),
        ("grey16.png", &[]),
        ("turned.jpg", &[]),
        ("palette.bmp", &[]),
    ] {
        let picture = sample(name);
        assert_eq!(picture.unread, unread, "{name}");
        if !unread.is_empty() {
            assert!(apart(&picture, colour) < 0.01, "{name}");
        }
    }
    let rows = |name| RowReader::open(path(name), &Limits::default()).unwrap().header().clone();
    let header = |name| read_header(path(name), &Limits::default()).unwrap();
    assert_eq!(
        [rows("animation.png"), rows("grey16.png")].map(|file| file.unread),
        [vec![Unread::Frames], vec![]]
    );
    assert_eq!(header("pages.tif").unread, [Unread::Pages]);
    let pictures = [Unread::Frames, Unread::Pages, Unread::Tags].map(Unread::is_picture);
    assert_eq!(pictures, [true, true, false]);
}

#[test]
fn grey_counts_as_colour_where_a_format_holds_it_so() {
    let mut header = Header::new(16, 12, 1);
    let values = |header: &Header| Format::ALL.map(|format| header.values_in(format) / (16 * 12));
    // PNG, JPEG, WebP, TIFF, BMP.
    assert_eq!(values(&header), [1, 1, 3, 1, 1]);
    header.alpha = true;
    assert_eq!(values(&header)[..4], [2, 4, 4, 4]);
    header.channels = 3;
    assert_eq!(values(&header), [4; 5]);
}
