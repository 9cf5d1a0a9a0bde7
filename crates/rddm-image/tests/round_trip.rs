//! What goes into a file comes out of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use ndarray::{Array2, Array3};
use rddm_image::{
    Depth, EncodeOptions, ErrorKind, Format, Limits, Loss, Metadata, Picture, RowWriter, decode,
    encode, read, write,
};

/// Values that both depths hold exactly: multiples of 1/255.
fn picture(channels: usize, alpha: bool, depth: Depth) -> Picture {
    let mut picture = Picture::new(Array3::from_shape_fn((channels, 7, 5), |(c, y, x)| {
        ((c * 91 + y * 37 + x * 11) % 256) as f32 / 255.0
    }));
    picture.alpha = alpha
        .then(|| Array2::from_shape_fn((7, 5), |(y, x)| ((y * 50 + x * 7) % 256) as f32 / 255.0));
    picture.depth = depth;
    picture
}

fn icc(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![7; 200];
    profile[16..20].copy_from_slice(space);
    profile
}

/// A directory of one entry, the orientation, in the byte order of Intel.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

#[test]
fn lossless_formats_keep_every_value() {
    for format in [Format::Png, Format::WebP, Format::Tiff, Format::Bmp] {
        for depth in [Depth::Eight, Depth::Sixteen] {
            for (channels, alpha) in [(1, false), (1, true), (3, false), (3, true)] {
                let original = picture(channels, alpha, depth);
                let file =
                    encode(&original, &EncodeOptions::default().with_format(format)).unwrap();
                let back = decode(&file.bytes, &Limits::default()).unwrap();
                let what = format!("{format} {depth:?} {channels} {alpha}");
                assert_eq!(back.format, Some(format), "{what}");
                let wide = matches!(format, Format::Png | Format::Tiff) && depth == Depth::Sixteen;
                assert_eq!(back.depth == Depth::Sixteen, wide, "{what}");
                assert_eq!(file.losses.contains(&Loss::Depth), depth == Depth::Sixteen && !wide);
                let same = rddm_image::with_channels(original.pixels.view(), back.pixels.dim().0);
                assert_eq!(back.pixels, same.unwrap(), "{what}");
                assert_eq!(back.alpha, original.alpha, "{what}");
            }
        }
    }
}

#[test]
fn sixteen_bits_are_sixteen() {
    let mut original = picture(3, false, Depth::Sixteen);
    original.pixels = Array3::from_shape_fn((3, 40, 40), |(c, y, x)| {
        ((c * 7919 + y * 1601 + x * 41) % 65536) as f32 / 65535.0
    });
    for format in [Format::Png, Format::Tiff] {
        let file = encode(&original, &EncodeOptions::default().with_format(format)).unwrap();
        assert_eq!(decode(&file.bytes, &Limits::default()).unwrap().pixels, original.pixels);
    }
}

#[test]
fn jpeg_is_near_and_says_what_it_drops() {
    let mut original = picture(3, true, Depth::Sixteen);
    original.pixels = Array3::from_shape_fn((3, 32, 48), |(_, y, x)| (y + x) as f32 / 100.0);
    original.alpha = Some(Array2::ones((32, 48)));
    let options = EncodeOptions::default().with_format(Format::Jpeg);
    let file = encode(&original, &options).unwrap();
    assert_eq!(file.losses, [Loss::Alpha, Loss::Depth]);
    let back = decode(&file.bytes, &Limits::default()).unwrap();
    let worst = (&back.pixels - &original.pixels).iter().fold(0.0f32, |w, d| w.max(d.abs()));
    assert!(worst < 0.03, "{worst}");
    let small = encode(&original, &options.with_quality(20)).unwrap();
    assert!(small.bytes.len() < file.bytes.len());
}

#[test]
fn metadata_survive_where_the_format_has_a_place_for_them() {
    for (format, has_exif, has_icc, has_xmp) in [
        (Format::Png, true, true, true),
        (Format::Jpeg, true, true, true),
        (Format::WebP, true, true, true),
        (Format::Tiff, false, true, true),
        (Format::Bmp, false, false, false),
    ] {
        // Both, since a format may keep odd lengths, alpha and grey in other places.
        for (channels, alpha) in [(3, false), (3, true), (1, false)] {
            let mut original = picture(channels, alpha, Depth::Eight);
            original.metadata.exif = Some(exif(1));
            original.metadata.icc = Some(icc(if channels == 1 { b"GRAY" } else { b"RGB " }));
            original.metadata.add_properties("rddm", "urn:x", &[("Model", "a\"b & <c>")]);
            let file = encode(&original, &EncodeOptions::default().with_format(format)).unwrap();
            let back = decode(&file.bytes, &Limits::default()).unwrap().metadata;
            let what = format!("{format} {channels} {alpha}");
            // A WebP holds grey as colour, which a grey profile doesn't fit.
            let fits = has_icc && !(format == Format::WebP && channels == 1);
            assert_eq!(back.exif, original.metadata.exif.clone().filter(|_| has_exif), "{what}");
            assert_eq!(back.icc, original.metadata.icc.clone().filter(|_| fits), "{what}");
            assert_eq!(back.xmp, original.metadata.xmp.clone().filter(|_| has_xmp), "{what}");
            assert_eq!(!file.losses.contains(&Loss::Xmp), has_xmp, "{what}");
            assert_eq!(!file.losses.contains(&Loss::Exif), has_exif, "{what}");
            assert_eq!(!file.losses.contains(&Loss::Icc), fits, "{what}");
        }
    }
}

#[test]
fn metadata_without_pixels_of_alpha_survive_alone() {
    let mut original = picture(3, false, Depth::Eight);
    original.metadata.add_properties("rddm", "urn:x", &[("Model", "derain")]);
    for format in [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff] {
        let file = encode(&original, &EncodeOptions::default().with_format(format)).unwrap();
        let back = decode(&file.bytes, &Limits::default()).unwrap();
        assert_eq!(back.metadata, original.metadata, "{format}");
        image::load_from_memory(&file.bytes).unwrap();
    }
}

#[test]
fn properties_join_a_packet_that_is_there() {
    let mut metadata = picture(1, false, Depth::Eight).metadata;
    metadata.add_properties("a", "urn:a", &[("One", "1")]);
    metadata.add_properties("b", "urn:b", &[("Two", "line\nbreak")]);
    let text = String::from_utf8(metadata.xmp.unwrap()).unwrap();
    assert!(text.contains("a:One=\"1\"") && text.contains("b:Two=\"line break\""), "{text}");
    assert_eq!(text.matches("</rdf:RDF>").count(), 1);
}

#[test]
fn a_profile_of_another_colour_space_is_not_kept() {
    for (space, kept) in [(b"GRAY", true), (b"RGB ", false), (b"CMYK", false)] {
        let mut original = picture(1, false, Depth::Eight);
        original.metadata.icc = Some(icc(space));
        let file = encode(&original, &EncodeOptions::default()).unwrap();
        assert_eq!(file.losses.is_empty(), kept);
        assert_eq!(decode(&file.bytes, &Limits::default()).unwrap().metadata.icc.is_some(), kept);

        // Another program may have put it into the file.
        let mut info = png::Info::with_size(1, 1);
        info.icc_profile = Some(icc(space).into());
        let mut file = Vec::new();
        let mut writer = png::Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
        writer.write_image_data(&[0]).unwrap();
        drop(writer);
        assert_eq!(decode(&file, &Limits::default()).unwrap().metadata.icc.is_some(), kept);
    }
}

#[test]
fn grey_that_is_held_as_colour_has_no_profile_of_grey() {
    for (format, alpha, kept) in [
        (Format::WebP, false, false),
        (Format::WebP, true, false),
        (Format::Tiff, false, true),
        (Format::Tiff, true, false),
        (Format::Png, true, true),
    ] {
        let mut original = picture(1, alpha, Depth::Eight);
        original.metadata.icc = Some(icc(b"GRAY"));
        let file = encode(&original, &EncodeOptions::default().with_format(format)).unwrap();
        let losses: &[Loss] = if kept { &[] } else { &[Loss::Icc] };
        assert_eq!(file.losses, losses, "{format} {alpha}");
        let held = file.bytes.windows(184).any(|bytes| bytes == &icc(b"GRAY")[16..]);
        assert!(format == Format::Png || held == kept, "{format} {alpha}");
    }
}

#[test]
fn a_tiff_says_what_its_alpha_channel_is() {
    for (alpha, kind) in [(true, Some(vec![2])), (false, None)] {
        let mut original = picture(3, alpha, Depth::Sixteen);
        original.metadata.icc = Some(icc(b"RGB "));
        original.metadata.add_properties("a", "urn:a", &[("One", "1")]);
        let options = EncodeOptions::default().with_format(Format::Tiff);
        let file = encode(&original, &options).unwrap().bytes;
        let mut decoder = tiff::decoder::Decoder::new(std::io::Cursor::new(file)).unwrap();
        let kinds = decoder.find_tag_unsigned_vec::<u16>(tiff::tags::Tag::ExtraSamples).unwrap();
        assert_eq!(kinds, kind);
    }
}

#[test]
fn metadata_behind_the_pixels_of_a_png_are_read() {
    let packet = b"<x:xmpmeta/>";
    let text = |flag: u8| [b"XML:com.adobe.xmp\0", &[flag, 0][..], b"en\0XMP\0", packet].concat();
    let plain = encode(&picture(3, false, Depth::Eight), &EncodeOptions::default()).unwrap().bytes;
    let chunks = [(b"tEXt", b"a\0b".to_vec()), (b"iTXt", text(0)), (b"eXIf", exif(6))];
    let file = support::behind_pixels(&plain, &chunks);
    let limits = Limits::default();
    let header = rddm_image::header(&file, &limits).unwrap();
    assert!(header.turned && header.upright() == [5, 7]);
    let upright = decode(&file, &limits).unwrap();
    assert_eq!((upright.height(), upright.width()), (5, 7));
    assert_eq!(upright.metadata.exif, Some(exif(1)));
    assert_eq!(upright.metadata.xmp.as_deref(), Some(&packet[..]));

    // What stands before the pixels comes first, what is packed or broken counts as absent.
    let mut both = picture(3, false, Depth::Eight);
    both.metadata.exif = Some(exif(1));
    let both = encode(&both, &EncodeOptions::default()).unwrap().bytes;
    let broken = [(b"iTXt", b"XML:com.adobe.xmp\0\0".to_vec()), (b"iTXt", text(1))];
    let file = support::behind_pixels(&support::behind_pixels(&both, &chunks[2..]), &broken);
    let back = decode(&file, &limits).unwrap();
    assert_eq!((back.height(), back.metadata.xmp), (7, None));
    for length in plain.len() - 12..file.len() {
        let _ = decode(&file[..length], &limits);
    }

    let mut small = Limits::default();
    small.metadata = 1000;
    let file = support::behind_pixels(&plain, &[(b"eXIf", vec![0; 1001])]);
    assert_eq!(decode(&file, &small).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn the_smaller_picture_in_the_exif_is_forgotten() {
    // A directory of one entry, and behind it the place of the next one.
    let big = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0".to_vec();
    for ended in [exif(1), big] {
        let mut leading = ended.clone();
        let next = ended.len() - 4;
        leading[next..].fill(1);
        // Cut off in its last number, it stays as it is.
        let cut = leading[..next + 3].to_vec();
        for (block, expected) in [(&leading, &ended), (&cut, &cut)] {
            for format in [Format::Png, Format::Jpeg, Format::WebP] {
                let mut original = picture(3, false, Depth::Eight);
                original.metadata.exif = Some(block.clone());
                let options = EncodeOptions::default().with_format(format);
                let file = encode(&original, &options).unwrap().bytes;
                let back = decode(&file, &Limits::default()).unwrap().metadata;
                assert_eq!(back.exif.as_ref(), Some(expected), "{format}");
            }
        }
    }
}

#[test]
fn a_packet_of_another_form_is_not_replaced() {
    let theirs = "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"></r:RDF>";
    let wide = theirs.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for packet in [theirs.as_bytes().to_vec(), wide] {
        let mut metadata = Metadata::default();
        metadata.xmp = Some(packet.clone());
        metadata.add_properties("a", "urn:a", &[("One", "1")]);
        assert_eq!(metadata.xmp, Some(packet));
    }
}

#[test]
fn orientation_is_applied_and_forgotten() {
    // Where the first pixel of the stored picture lies once the picture is upright: row, column.
    let corners = [(0, 0), (0, -1), (-1, -1), (-1, 0), (0, 0), (0, -1), (-1, -1), (-1, 0)];
    for format in [Format::Png, Format::Jpeg, Format::WebP] {
        for orientation in 1..=8u8 {
            let mut stored = Picture::new(Array3::zeros((3, 16, 32)));
            stored.pixels.slice_mut(ndarray::s![.., ..8, ..8]).fill(1.0);
            stored.metadata.exif = Some(exif(orientation));
            let file = encode(&stored, &EncodeOptions::default().with_format(format)).unwrap();
            let upright = decode(&file.bytes, &Limits::default()).unwrap();
            let header = rddm_image::header(&file.bytes, &Limits::default()).unwrap();
            assert_eq!(header.turned, orientation > 1);
            assert_eq!((header.height, header.width), (16, 32));
            assert_eq!(header.upright(), [upright.height(), upright.width()]);
            let turned = orientation > 4;
            let size = if turned { (32, 16) } else { (16, 32) };
            assert_eq!((upright.height(), upright.width()), size, "{format} {orientation}");
            let (row, column) = corners[usize::from(orientation) - 1];
            let at = |place: i32, length: usize| if place < 0 { length - 2 } else { 1 };
            let value = upright.pixels[[0, at(row, size.0), at(column, size.1)]];
            assert!(value > 0.9, "{format} {orientation}: {value}");
            assert_eq!(upright.metadata.exif, Some(exif(1)), "{format} {orientation}");
        }
    }
}

#[test]
fn the_two_turns_by_ninety_differ() {
    // A white column at the left: turned clockwise (6) it lies on top, counter-clockwise (8) below.
    for (orientation, row) in [(6, 0), (8, 31)] {
        let mut stored = Picture::new(Array3::zeros((1, 8, 32)));
        stored.pixels.slice_mut(ndarray::s![.., .., 0]).fill(1.0);
        stored.metadata.exif = Some(exif(orientation));
        let file = encode(&stored, &EncodeOptions::default()).unwrap();
        let upright = decode(&file.bytes, &Limits::default()).unwrap();
        assert_eq!(upright.pixels[[0, row, 4]], 1.0, "{orientation}");
        assert_eq!(upright.pixels.sum(), 8.0);
    }
}

#[test]
fn writes_whole_files_and_replaces_only_when_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.PNG");
    let keep = EncodeOptions::default().with_overwrite(false);
    write(&path, &picture(3, false, Depth::Eight), &keep).unwrap();
    let first = std::fs::read(&path).unwrap();

    let error = write(&path, &picture(1, false, Depth::Eight), &keep).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Exists, Some(path.as_path())));
    assert_eq!(std::fs::read(&path).unwrap(), first);

    let mut broken = picture(3, false, Depth::Eight);
    broken.pixels[[1, 2, 3]] = f32::NAN;
    let error = write(&path, &broken, &EncodeOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(std::fs::read(&path).unwrap(), first);

    write(&path, &picture(1, false, Depth::Eight), &EncodeOptions::default()).unwrap();
    assert_eq!(read(&path, &Limits::default()).unwrap().pixels.dim().0, 1);

    let error = write(folder.path().join("no/such.png"), &broken, &keep).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let missing = write(folder.path().join("no/such.png"), &picture(1, false, Depth::Eight), &keep);
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::Io);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "a temporary file is left: {names:?}");
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_pipes_are_written_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let [file, link, pipe] =
        ["file.png", "link.png", "pipe.png"].map(|name| folder.path().join(name));
    let [black, white] = [0.0, 1.0].map(|value| Picture::new(Array3::from_elem((1, 4, 4), value)));
    let header = encode(&white, &EncodeOptions::default()).unwrap();
    let header = rddm_image::header(&header.bytes, &Limits::default()).unwrap();
    let rows = |path: &std::path::Path| {
        let mut writer = RowWriter::create(path, &header, &Metadata::default())?;
        (0..4).try_for_each(|_| writer.write(&[1.0; 4]))?;
        writer.finish(true)
    };

    write(&file, &black, &EncodeOptions::default()).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    write(&link, &white, &EncodeOptions::default()).unwrap();
    assert!(link.is_symlink());
    assert_eq!(read(&file, &Limits::default()).unwrap().pixels, white.pixels);
    write(&file, &black, &EncodeOptions::default()).unwrap();
    rows(&link).unwrap();
    assert!(link.is_symlink());
    assert_eq!(read(&file, &Limits::default()).unwrap().pixels, white.pixels);

    // One that leads, by way of another and of its own folder, to where nothing is yet; and what was private.
    std::fs::create_dir(folder.path().join("real")).unwrap();
    let led = folder.path().join("real/new.png");
    std::os::unix::fs::symlink("real/on.png", folder.path().join("to.png")).unwrap();
    std::os::unix::fs::symlink("new.png", folder.path().join("real/on.png")).unwrap();
    write(folder.path().join("to.png"), &white, &EncodeOptions::default()).unwrap();
    assert!(folder.path().join("to.png").is_symlink() && led.is_file() && !led.is_symlink());
    let mode = || std::fs::metadata(&led).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(&led, std::fs::Permissions::from_mode(0o600)).unwrap();
    write(&led, &black, &EncodeOptions::default()).unwrap();
    assert_eq!(mode(), 0o600);
    // Neither while it is written row by row, nor where the mask would take from what is open.
    let writer = RowWriter::create(&led, &header, &Metadata::default()).unwrap();
    let mut entries = std::fs::read_dir(led.parent().unwrap()).unwrap().map(Result::unwrap);
    let part = entries.find(|entry| entry.path().extension().unwrap() == "part").unwrap();
    assert_eq!(part.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(writer);
    std::fs::set_permissions(&led, std::fs::Permissions::from_mode(0o666)).unwrap();
    rows(&led).unwrap();
    assert_eq!(mode(), 0o666);

    let circle = ["one.png", "two.png"].map(|name| folder.path().join(name));
    std::os::unix::fs::symlink("two.png", &circle[0]).unwrap();
    std::os::unix::fs::symlink("one.png", &circle[1]).unwrap();
    for error in [
        write(&circle[0], &white, &EncodeOptions::default()).map(drop).unwrap_err(),
        rows(&circle[0]).unwrap_err(),
    ] {
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("in a circle"));
    }
    assert!(circle[0].is_symlink());

    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = rows(&pipe).unwrap_err();
    assert!(error.to_string().contains("a device or a pipe"), "{error}");
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    let written = write(&pipe, &white, &EncodeOptions::default()).unwrap();
    assert_eq!(reader.join().unwrap(), written.bytes);
    assert!(!pipe.is_file());
}

#[test]
fn side_by_side_joins_grey_and_colour_of_any_size() {
    let (a, b) = (picture(1, true, Depth::Eight), Picture::new(Array3::zeros((3, 9, 4))));
    let both = rddm_image::side_by_side(&[&a, &b]).unwrap();
    assert_eq!(both.pixels.dim(), (3, 9, 5 + 8 + 4));
    assert_eq!(both.pixels[[2, 6, 4]], a.pixels[[0, 6, 4]]);
    assert_eq!(both.pixels[[0, 8, 0]], 1.0);
    assert_eq!(both.pixels[[0, 8, 16]], 0.0);
    assert_eq!(rddm_image::side_by_side(&[]).unwrap_err().kind(), ErrorKind::Invalid);
}
