//! Files that mean harm, or are only broken: a typed error each, never a panic.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use ndarray::{Array2, Array3};
use rddm_image::{Depth, EncodeOptions, ErrorKind, Format, Limits, Picture, decode, encode, read};
use support::claim;

/// Files of another encoder; `samples/README.md` says what is in them.
fn foreign() -> Vec<(String, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| Format::from_path(path).is_some())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}

fn samples() -> Vec<(Format, Vec<u8>)> {
    let mut out = Vec::new();
    for format in Format::ALL {
        for alpha in [false, true] {
            let mut picture = Picture::new(Array3::from_shape_fn((3, 13, 11), |(c, y, x)| {
                ((c * 5 + y * 7 + x * 3) % 19) as f32 / 18.0
            }));
            picture.alpha = alpha.then(|| Array2::from_elem((13, 11), 0.4));
            picture.depth = if alpha { Depth::Sixteen } else { Depth::Eight };
            picture.metadata.exif = Some(b"II\x2a\0\x08\0\0\0\0\0".to_vec());
            picture.metadata.add_properties("a", "urn:a", &[("b", "c")]);
            let options = EncodeOptions::default().with_format(format);
            out.push((format, encode(&picture, &options).unwrap().bytes));
        }
    }
    out
}

#[test]
fn every_prefix_of_a_file_is_an_error_or_the_picture() {
    for (format, file) in samples() {
        let whole = decode(&file, &Limits::default()).unwrap();
        let mut errors = 0;
        for length in 0..file.len() {
            match decode(&file[..length], &Limits::default()) {
                Ok(picture) => {
                    assert!(picture.pixels == whole.pixels, "{format}, {length} bytes");
                }
                Err(error) => {
                    let kind = error.kind();
                    assert!(
                        matches!(
                            kind,
                            ErrorKind::Corrupt | ErrorKind::UnknownFormat | ErrorKind::Unsupported
                        ),
                        "{format}, {length} bytes: {kind:?}: {error}"
                    );
                    errors += 1;
                }
            }
        }
        assert!(errors > 20, "{format}: only {errors} prefixes were refused");
    }
}

#[test]
fn every_prefix_of_a_foreign_file_is_an_error_or_the_picture() {
    let files = foreign();
    assert!(files.len() >= 14, "{} samples", files.len());
    for (name, file) in files {
        let whole = decode(&file, &Limits::default()).unwrap();
        for length in 0..file.len() {
            match decode(&file[..length], &Limits::default()) {
                Ok(picture) => assert!(picture.pixels == whole.pixels, "{name}, {length} bytes"),
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::Corrupt | ErrorKind::UnknownFormat | ErrorKind::Unsupported
                    ),
                    "{name}, {length} bytes: {error}"
                ),
            }
        }
    }
}

#[test]
fn every_flipped_byte_is_an_error_or_a_picture() {
    let limits = Limits::default().with_memory(64 << 20);
    let own = samples().into_iter().map(|(_, file)| file);
    for file in own.chain(foreign().into_iter().map(|(_, file)| file)) {
        for at in 0..file.len() {
            for mask in [0xff, 0x80, 0x01] {
                let mut broken = file.clone();
                broken[at] ^= mask;
                let _ = decode(&broken, &limits);
            }
        }
    }
}

#[test]
fn bombs_are_refused_before_memory_is_taken() {
    let error = decode(&claim(Format::Png, [60_000, 60_000]), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.to_string().contains("60000×60000"), "{error}");
    let error = decode(&claim(Format::Png, [i32::MAX as u32; 2]), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");

    let small = Limits::default().with_memory(1 << 20);
    assert_eq!(
        decode(&claim(Format::Png, [1000, 1000]), &small).unwrap_err().kind(),
        ErrorKind::Limit
    );
    assert_eq!(
        decode(&[0; 100], &Limits::default().with_file(99)).unwrap_err().kind(),
        ErrorKind::Limit
    );
}

#[test]
fn a_bitmap_that_claims_more_than_it_holds_is_refused() {
    let picture = Picture::new(Array3::zeros((3, 2, 2)));
    let options = EncodeOptions::default().with_format(Format::Bmp);
    let mut file = encode(&picture, &options).unwrap().bytes;
    file[18..22].copy_from_slice(&30_000u32.to_le_bytes());
    file[22..26].copy_from_slice(&30_000u32.to_le_bytes());
    assert_eq!(decode(&file, &Limits::default()).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn a_picture_without_pixels_is_refused() {
    // WebP has no way to say it.
    for format in Format::ALL.into_iter().filter(|format| *format != Format::WebP) {
        for size in [[0, 0], [0, 7], [7, 0]] {
            let error = decode(&claim(format, size), &Limits::default()).unwrap_err();
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported),
                "{format}, {size:?}: {kind:?}: {error}"
            );
        }
    }
    let none = Picture::new(Array3::zeros((3, 0, 4)));
    let error = encode(&none, &EncodeOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn contents_decide_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let (_, jpeg) = samples().into_iter().find(|(format, _)| *format == Format::Jpeg).unwrap();
    let path = folder.path().join("wrong.png");
    std::fs::write(&path, jpeg).unwrap();
    assert_eq!(read(&path, &Limits::default()).unwrap().format, Some(Format::Jpeg));

    for (contents, word) in [
        (&b"GIF89a........"[..], "GIF"),
        (b"\0\0\0\x20ftypavif....", "AVIF"),
        (b"\0\0\0\x20ftypavis....", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x20ftypheic....", "HEIC"),
        (b"\0\0\0\x10ftypmif1\0\0\0\0avif", "HEIC"),
        (b"%PDF-1.7", "PDF"),
        (b"not a picture", "no picture"),
        (b"", "empty"),
    ] {
        std::fs::write(&path, contents).unwrap();
        let error = read(&path, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownFormat);
        let text = error.to_string();
        assert!(text.contains(word) && text.contains("wrong.png"), "{text}");
    }
    assert_eq!(read(folder.path(), &Limits::default()).unwrap_err().kind(), ErrorKind::Io);
    let missing = read(folder.path().join("none.png"), &Limits::default()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Io);
}

#[test]
fn extreme_shapes_are_ordinary() {
    for (height, width) in
        [(1, 1), (1, 20_000), (20_000, 1), (20, 20_000), (20_000, 20), (7, 10_007), (31, 37)]
    {
        for format in Format::ALL {
            let picture = Picture::new(Array3::from_elem((3, height, width), 0.5));
            let options = EncodeOptions::default().with_format(format);
            match encode(&picture, &options) {
                Ok(file) => {
                    let back = decode(&file.bytes, &Limits::default()).unwrap();
                    assert_eq!((back.height(), back.width()), (height, width), "{format}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    assert!(format == Format::WebP && height.max(width) > 16_384, "{error}");
                }
            }
        }
    }
}

#[test]
fn metadata_beyond_its_limit_is_refused_and_below_it_kept() {
    let mut limits = Limits::default();
    limits.metadata = 100_000;
    for format in [Format::Png, Format::WebP, Format::Tiff] {
        for (length, allowed) in [(99_000, true), (101_000, false)] {
            let mut picture = Picture::new(Array3::zeros((3, 4, 4)));
            picture.metadata.xmp = Some(vec![b' '; length]);
            let options = EncodeOptions::default().with_format(format);
            let file = encode(&picture, &options).unwrap().bytes;
            match decode(&file, &limits) {
                Ok(back) => assert!(allowed && back.metadata == picture.metadata, "{format}"),
                Err(error) => {
                    assert!(!allowed && error.kind() == ErrorKind::Limit, "{format}: {error}");
                    assert!(error.to_string().contains("XMP"), "{error}");
                }
            }
        }
    }
}
