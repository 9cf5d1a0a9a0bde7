//! What a file holds beside its picture is refused, told or carried.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Cursor;

use ndarray::Array3;
use rddm_image::{
    EncodeOptions, ErrorKind, Format, Header, Limits, Loss, Picture, Resolution, RowReader,
    RowWriter, Unread, decode, encode,
};
use tiff::encoder::colortype::{ColorType, RGB8, RGB32, RGB32Float, RGBA8};
use tiff::encoder::{Rational, TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard};
use tiff::tags::Tag;

const PAGES: &[u8] = include_bytes!("samples/pages.tif");
const SMALLER_COPY: &[u8] = include_bytes!("samples/smaller-copy.tif");
const SUB_IFDS: u16 = 330;

fn grey() -> Picture {
    Picture::new(Array3::from_elem((1, 16, 12), 0.5))
}

fn file(picture: &Picture, format: Format) -> Vec<u8> {
    encode(picture, &EncodeOptions::default().with_format(format)).unwrap().bytes
}

fn unread(file: &[u8]) -> Vec<Unread> {
    decode(file, &Limits::default()).unwrap().unread
}

/// The directories of a TIFF in the byte order of Intel, and the places of their entries.
struct Directories<'a>(&'a mut [u8]);

impl Directories<'_> {
    fn long(&self, at: usize) -> usize {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap()) as usize
    }

    fn put(&mut self, at: usize, value: usize) {
        self.0[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
    }

    fn next(&self, directory: usize) -> usize {
        let count = usize::from(u16::from_le_bytes([self.0[directory], self.0[directory + 1]]));
        directory + 2 + 12 * count
    }

    fn entry(&self, directory: usize, tag: u16) -> usize {
        let mut entries = (directory + 2..self.next(directory)).step_by(12);
        entries.find(|&at| self.0[at..at + 2] == tag.to_le_bytes()).unwrap()
    }

    /// Makes another entry of one of a directory, of one number of 32 bits.
    fn replace(&mut self, directory: usize, tag: u16, other: u16, value: usize) {
        let at = self.entry(directory, tag);
        self.0[at..at + 2].copy_from_slice(&other.to_le_bytes());
        self.0[at + 2..at + 8].copy_from_slice(&[4, 0, 1, 0, 0, 0]);
        self.put(at + 8, value);
    }
}

/// Two pages, the second of which the first leads to, beside no other.
fn inner(file: &[u8], leads: u16) -> Vec<u8> {
    let mut file = file.to_vec();
    let mut tiff = Directories(&mut file);
    let first = tiff.long(4);
    let next = tiff.next(first);
    let second = tiff.long(next);
    tiff.replace(first, 282, leads, second);
    tiff.put(next, 0);
    file
}

#[test]
fn a_page_within_the_first_one_is_told() {
    assert_eq!(unread(&inner(PAGES, SUB_IFDS)), [Unread::Pages]);
    assert_eq!(unread(&inner(SMALLER_COPY, SUB_IFDS)), []);
    // In a circle.
    let mut circle = PAGES.to_vec();
    let mut tiff = Directories(&mut circle);
    let first = tiff.long(4);
    tiff.replace(first, 282, SUB_IFDS, first);
    unread(&circle);
}

#[test]
fn a_camera_raw_is_not_taken_for_its_preview() {
    const DNG_VERSION: u16 = 50_706;
    let mut mosaic = inner(PAGES, SUB_IFDS);
    let mut tiff = Directories(&mut mosaic);
    let second = tiff.long(tiff.entry(tiff.long(4), SUB_IFDS) + 8);
    tiff.replace(second, 262, 262, 32_803);
    let mut preview = SMALLER_COPY.to_vec();
    let mut tiff = Directories(&mut preview);
    let second = tiff.long(tiff.next(tiff.long(4)));
    tiff.put(4, second);
    for raw in [inner(PAGES, DNG_VERSION), mosaic, preview] {
        let error = decode(&raw, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("RAW") && error.to_string().contains("develop it"));
        assert!(rddm_image::header(&raw, &Limits::default()).is_err());
    }
}

fn tiff<C: ColorType>(values: &[C::Inner]) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut out = Cursor::new(Vec::new());
    TiffEncoder::new(&mut out).unwrap().write_image::<C>(2, 2, values).unwrap();
    out.into_inner()
}

/// Four pixels of 8 bits, with tags of short numbers.
fn tagged<C: ColorType<Inner = u8>>(tags: &[(Tag, &[u16])]) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut out).unwrap();
    let mut picture = encoder.new_image::<C>(2, 2).unwrap();
    for (tag, values) in tags {
        picture.encoder().write_tag(*tag, *values).unwrap();
    }
    picture.write_data(&vec![200; 4 * C::BITS_PER_SAMPLE.len()]).unwrap();
    out.into_inner()
}

#[test]
fn channels_that_are_not_read_are_told() {
    let (unspecified, alpha) = (0, 2);
    let infrared = unread(&tagged::<RGBA8>(&[(Tag::ExtraSamples, &[unspecified])]));
    assert_eq!(infrared, [Unread::Channels]);
    assert!(infrared[0].is_picture());
    assert_eq!(unread(&tagged::<RGBA8>(&[(Tag::ExtraSamples, &[alpha])])), []);
}

#[test]
fn a_place_on_the_map_and_the_texts_of_a_tiff_are_told() {
    let geographic = [(Tag::GeoKeyDirectoryTag, &[1, 1, 0, 0][..])];
    assert_eq!(unread(&tagged::<RGB8>(&geographic)), [Unread::Tags]);
    let iptc = Tag::from_u16_exhaustive(33_723);
    assert_eq!(unread(&tagged::<RGB8>(&[(iptc, &[1, 2])])), [Unread::Iptc]);
}

/// A picture with a profile, a packet, short or long, and a resolution, in files with offsets of 32 or 64 bits.
fn described<K: TiffKind>(packet: &str) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::<_, K>::new_generic(&mut out).unwrap();
    let mut picture = encoder.new_image::<RGB8>(2, 2).unwrap();
    picture.x_resolution(Rational { n: 600, d: 1 });
    picture.y_resolution(Rational { n: 300, d: 1 });
    picture.resolution_unit(tiff::tags::ResolutionUnit::Inch);
    let profile = [&[0; 16][..], b"RGB ", &[7; 100]].concat();
    picture.encoder().write_tag(Tag::IccProfile, &profile[..]).unwrap();
    picture.encoder().write_tag(Tag::from_u16_exhaustive(700), packet.as_bytes()).unwrap();
    picture.write_data(&[200; 12]).unwrap();
    out.into_inner()
}

#[test]
fn a_tiff_with_offsets_of_64_bits_keeps_its_metadata() {
    for packet in ["<a/>", "<a></a>", "<a>long</a>"] {
        let [usual, big] =
            [described::<TiffKindStandard>(packet), described::<TiffKindBig>(packet)]
                .map(|file| decode(&file, &Limits::default()).unwrap().metadata);
        assert!(usual.icc.is_some() && usual.resolution.is_some());
        assert_eq!(usual.xmp, Some(packet.into()));
        assert_eq!(big, usual);
    }
    // Whatever it claims.
    let file = described::<TiffKindBig>("<a>long</a>");
    let directory = u64::from_le_bytes(file[8..16].try_into().unwrap()) as usize;
    for at in (8..16).chain(directory..file.len()) {
        let mut file = file.clone();
        file[at] = 0xff;
        let _ = decode(&file, &Limits::default());
    }
}

#[test]
fn several_pictures_in_one_file_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    for (format, other) in [
        (Format::Png, Some(Unread::Trailer)),
        (Format::WebP, Some(Unread::Trailer)),
        (Format::Bmp, None),
    ] {
        let one = file(&grey(), format);
        for (behind, told) in
            [(&b""[..], None), (&[0; 300], None), (&one, Some(Unread::Pictures)), (b"more", other)]
        {
            let several = [&one, behind].concat();
            let told: Vec<_> = told.into_iter().collect();
            assert_eq!(unread(&several), told, "{format}");
            if format == Format::Png {
                std::fs::write(&path, several).unwrap();
                let rows = RowReader::open(&path, &Limits::default()).unwrap();
                assert_eq!(rows.header().unread, told);
            }
        }
    }
}

#[test]
fn whole_numbers_of_32_bits_are_refused() {
    let mut file = tiff::<RGB32>(&[u32::MAX / 2; 12]);
    let mut tiff = Directories(&mut file);
    let first = tiff.long(4);
    // Many programs say nothing of the samples: whole numbers are what is usual.
    tiff.replace(first, 339, 340, 0);
    let error = decode(&file, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("32 bits"), "{error}");
}

/// Three channels of `16 × height` pixels, each in tiles of its own.
fn planes_in_tiles(height: u32) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut out).unwrap();
    let mut directory = encoder.image_directory().unwrap();
    let tiles = [10_u8, 20, 30].map(|value| [value; 16 * 16]);
    let places = tiles.map(|tile| directory.write_data(&tile[..]).unwrap() as u32);
    for (tag, value) in [
        (Tag::ImageWidth, 16),
        (Tag::ImageLength, height),
        (Tag::Compression, 1),
        (Tag::PhotometricInterpretation, 2),
        (Tag::SamplesPerPixel, 3),
        (Tag::PlanarConfiguration, 2),
        (Tag::TileWidth, 16),
        (Tag::TileLength, 16),
    ] {
        directory.write_tag(tag, value).unwrap();
    }
    directory.write_tag(Tag::BitsPerSample, &[8_u16; 3][..]).unwrap();
    directory.write_tag(Tag::TileOffsets, &places[..]).unwrap();
    directory.write_tag(Tag::TileByteCounts, &[256_u32; 3][..]).unwrap();
    directory.finish().unwrap();
    out.into_inner()
}

#[test]
fn channels_in_tiles_that_go_on_below_the_picture_are_refused() {
    let whole = decode(&planes_in_tiles(16), &Limits::default()).unwrap();
    let levels = [0, 1, 2].map(|channel| whole.pixels[[channel, 15, 15]] * 255.0);
    assert_eq!(levels.map(f32::round), [10.0, 20.0, 30.0]);
    let error = decode(&planes_in_tiles(12), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("save it without tiles"), "{error}");
}

#[test]
fn light_beyond_white_is_told() {
    let mut values = [0.5; 12];
    assert_eq!(unread(&tiff::<RGB32Float>(&values)), []);
    values[3] = 40.0;
    assert_eq!(unread(&tiff::<RGB32Float>(&values)), [Unread::Bright(9)]);
}

/// A JPEG with a segment behind its start.
fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, body, &jpeg[2..]].concat()
}

#[test]
fn what_stands_behind_a_jpeg_is_told() {
    let jpeg = file(&grey(), Format::Jpeg);
    let film = b"\0\0\0\x18ftypmp42";
    for (behind, told) in [
        (&b""[..], &[][..]),
        (&[0; 300], &[]),
        (&jpeg, &[Unread::Pictures]),
        (film, &[Unread::Film]),
        (b"SEFT", &[Unread::Trailer]),
    ] {
        assert_eq!(unread(&[&jpeg, behind].concat()), told);
    }
    // A list of two pictures (MPF), the second a smaller copy of the first, or another one.
    for (kind, told) in [(0x0001_0001_u32, &[][..]), (0, &[Unread::Pictures])] {
        let list = [
            &b"MPF\0MM\0\x2a\0\0\0\x08\0\x01\xb0\x02\0\x07\0\0\0\x20\0\0\0\x1a\0\0\0\0"[..],
            &[0; 16],
            &kind.to_be_bytes(),
            &[0; 12],
        ];
        let first = with_segment(&jpeg, 0xe2, &list.concat());
        assert_eq!(unread(&[&first[..], &jpeg].concat()), told);
    }
    // A gain map is no further picture.
    let adobe = with_segment(&jpeg, 0xe1, b"xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\"");
    let iso = with_segment(&jpeg, 0xe2, b"urn:iso:std:iso:ts:21496:-1\0");
    for map in [adobe, iso] {
        let told = unread(&[&jpeg[..], &map].concat());
        assert_eq!(told, [Unread::GainMap]);
        assert!(!told[0].is_picture());
    }
    let progressive = include_bytes!("samples/progressive.jpg");
    assert_eq!(unread(&[&progressive[..], b"more"].concat()), [Unread::Trailer]);
}

#[test]
fn texts_that_are_not_carried_are_told() {
    let jpeg = file(&grey(), Format::Jpeg);
    let iptc = with_segment(&jpeg, 0xed, b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\0");
    assert_eq!(unread(&iptc), [Unread::Iptc]);
    assert_eq!(unread(&with_segment(&jpeg, 0xfe, b"by somebody")), [Unread::Texts]);
    assert_eq!(unread(&with_segment(&jpeg, 0xfe, b"")), []);
    let author = (b"tEXt", b"Author\0somebody".to_vec());
    assert_eq!(unread(&support::png(4, 4, &[author])), [Unread::Texts]);
    let parameters = (b"zTXt", b"parameters\0\0".to_vec());
    assert_eq!(unread(&support::png(4, 4, &[parameters])), [Unread::Texts]);
    for own in [&b"Software\0something"[..], b"date:create\x002026"] {
        assert_eq!(unread(&support::png(4, 4, &[(b"tEXt", own.to_vec())])), []);
    }

    let mut picture = grey();
    let packet = "<rdf:RDF><rdf:Description xmpNote:HasExtendedXMP=\"0123\" a:b=\"c\"/></rdf:RDF>";
    picture.metadata.xmp = Some(packet.into());
    // An identity of 32 bytes, the length of the whole, and the place of this part in it.
    let more = [
        &b"http://ns.adobe.com/xmp/extension/\0"[..],
        &[b'0'; 32],
        &[0, 0, 0, 4],
        &[0; 4],
        b"more",
    ];
    let back = with_segment(&file(&picture, Format::Jpeg), 0xe1, &more.concat());
    let back = decode(&back, &Limits::default()).unwrap();
    assert_eq!(back.unread, [Unread::ExtendedXmp]);
    let packet = String::from_utf8(back.metadata.xmp.unwrap()).unwrap();
    assert!(!packet.contains("xmpNote") && packet.contains("a:b=\"c\""), "{packet}");
}

#[test]
fn colours_go_from_png_to_png() {
    let gamma = |gamma: u32| (b"gAMA", gamma.to_be_bytes().to_vec());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    for (chunk, other) in [
        (gamma(100_000), true),
        (gamma(45_455), false),
        ((b"cICP", vec![9, 16, 0, 1]), true),
        ((b"cICP", vec![1, 13, 0, 1]), false),
    ] {
        let chunks = [chunk];
        let original = support::png(4, 4, &chunks);
        let picture = decode(&original, &Limits::default()).unwrap();
        let carried = chunks.map(|(kind, body)| (*kind, body)).to_vec();
        assert_eq!(picture.metadata.png, carried);
        let written = encode(&picture, &EncodeOptions::default()).unwrap();
        assert_eq!(written.losses, []);
        assert_eq!(decode(&written.bytes, &Limits::default()).unwrap().metadata.png, carried);
        let jpeg = EncodeOptions::default().with_format(Format::Jpeg);
        let losses: &[Loss] = if other { &[Loss::Colours] } else { &[] };
        assert_eq!(encode(&picture, &jpeg).unwrap().losses, losses);

        std::fs::write(&path, &original).unwrap();
        let metadata = RowReader::open(&path, &Limits::default()).unwrap().metadata().clone();
        assert_eq!(metadata.png, carried);
        let mut writer = RowWriter::create(&path, &Header::new(2, 1, 1), &metadata).unwrap();
        writer.write(&[0.5; 2]).unwrap();
        writer.finish(true).unwrap();
        assert_eq!(rddm_image::read(&path, &Limits::default()).unwrap().metadata.png, carried);
    }
}

/// What a PNG file with so many pixels across and down says; a unit of 1 is a metre.
fn resolution([across, down]: [u32; 2], unit: u8) -> Option<Resolution> {
    let body = [&across.to_be_bytes()[..], &down.to_be_bytes(), &[unit]].concat();
    let file = support::png(4, 4, &[(b"pHYs", body)]);
    decode(&file, &Limits::default()).unwrap().metadata.resolution
}

#[test]
fn the_resolution_goes_from_format_to_format() {
    assert_eq!(resolution([0, 1], 1), None);
    assert_eq!(resolution([5, 5], 0), None);
    let folder = tempfile::tempdir().unwrap();
    // 300 and 72 in an inch, no whole number in an inch, and pixels that are wider than high.
    for (sides, unit, jpeg) in
        [([11_811, 2835], 1, [11_811, 2835]), ([11_800; 2], 1, [11_811; 2]), ([4, 3], 0, [4, 3])]
    {
        let mut picture = grey();
        picture.metadata.resolution = resolution(sides, unit);
        assert!(picture.metadata.resolution.is_some());
        for (format, kept) in [(Format::Png, sides), (Format::Tiff, sides), (Format::Jpeg, jpeg)] {
            let back = decode(&file(&picture, format), &Limits::default()).unwrap();
            assert_eq!(back.metadata.resolution, resolution(kept, unit), "{format}");
        }
        let back = decode(&file(&picture, Format::Bmp), &Limits::default()).unwrap();
        let lengths = picture.metadata.resolution.filter(|resolution| resolution.metres);
        assert_eq!(back.metadata.resolution, lengths);
        let path = folder.path().join("a.png");
        let mut writer =
            RowWriter::create(&path, &Header::new(2, 1, 1), &picture.metadata).unwrap();
        writer.write(&[0.5; 2]).unwrap();
        writer.finish(true).unwrap();
        let back = RowReader::open(&path, &Limits::default()).unwrap();
        assert_eq!(back.metadata().resolution, picture.metadata.resolution);
    }
    // A scanner's, in centimetres.
    let mut centimetres = file(&grey(), Format::Jpeg);
    centimetres[13..18].copy_from_slice(&[2, 0, 118, 0, 118]);
    let back = decode(&centimetres, &Limits::default()).unwrap();
    assert_eq!(back.metadata.resolution, resolution([11_800, 11_800], 1));
}

#[test]
fn sides_in_the_metadata_change_places_with_those_of_the_picture() {
    // The first directory has the orientation and leads to the second one, which has width and height.
    let mut exif = b"II\x2a\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0".to_vec();
    exif.extend(b"\x69\x87\x04\0\x01\0\0\0\x26\0\0\0\0\0\0\0\x02\0");
    exif.extend(b"\x02\xa0\x03\0\x01\0\0\0\x0c\0\0\0\x03\xa0\x04\0\x01\0\0\0\x10\0\0\0\0\0\0\0");
    let mut picture = grey();
    let [wide, high] = [[1, 2], [2, 1]].map(|sides| resolution(sides, 1));
    picture.metadata.resolution = wide;
    for length in 0..=exif.len() {
        picture.metadata.exif = Some(exif[..length].to_vec());
        let back = decode(&file(&picture, Format::Png), &Limits::default()).unwrap();
        if length == exif.len() {
            assert_eq!((back.height(), back.width()), (12, 16));
            let turned = back.metadata.exif.unwrap();
            assert_eq!((&turned[40..52], &turned[52..64]), {
                let (width, height) =
                    (b"\x02\xa0\x04\0\x01\0\0\0\x10\0\0\0", b"\x03\xa0\x03\0\x01\0\0\0\x0c\0\0\0");
                (&width[..], &height[..])
            });
            assert_eq!(back.metadata.resolution, high);
        }
    }
}

/// A directory of whole numbers of 32 bits, which the one at `next` follows.
fn directory(entries: &[(u16, u32)], next: u32) -> Vec<u8> {
    let mut out = (entries.len() as u16).to_le_bytes().to_vec();
    for (tag, value) in entries {
        let [low, high] = tag.to_le_bytes();
        out.extend([low, high, 4, 0, 1, 0, 0, 0]);
        out.extend(value.to_le_bytes());
    }
    out.extend(next.to_le_bytes());
    out
}

fn read_back(exif: Vec<u8>) -> Picture {
    let mut picture = grey();
    picture.metadata.exif = Some(exif);
    decode(&file(&picture, Format::Png), &Limits::default()).unwrap()
}

#[test]
fn what_the_first_directory_says_of_sides_turns_too() {
    let exif = |values: [u32; 4]| {
        let entries: Vec<_> = [256, 257, 282, 283].into_iter().zip(values).collect();
        [&b"II\x2a\0\x08\0\0\0"[..], &directory(&[&entries[..], &[(274, 6)]].concat(), 0)].concat()
    };
    // The orientation is a short number, of 1 when the picture is upright.
    let [stored, upright] =
        [(exif([12, 16, 54, 62]), 6), (exif([16, 12, 62, 54]), 1)].map(|(mut exif, turn)| {
            let entry = exif.len() - 4 - 12;
            (exif[entry + 2], exif[entry + 8]) = (3, turn);
            exif
        });
    assert_eq!(read_back(stored).metadata.exif, Some(upright));
}

#[test]
fn nothing_is_left_of_the_smaller_picture_in_the_exif() {
    let smaller = file(&grey(), Format::Jpeg);
    let length = smaller.len() as u32;
    // Behind the header, a directory of one entry, which one of two follows.
    let begin = [
        &b"II\x2a\0\x08\0\0\0"[..],
        &directory(&[(256, 12)], 26),
        &directory(&[(513, 56), (514, length)], 0),
    ]
    .concat();
    assert_eq!(begin.len(), 56);
    for behind in [&b""[..], b"a maker's own"] {
        let exif = read_back([&begin, &smaller, behind].concat()).metadata.exif.unwrap();
        assert!(!exif.windows(2).any(|word| word == [0xff, 0xd8]));
        assert!(exif.ends_with(behind) && exif.starts_with(&begin[..20]));
        assert_eq!(exif.len() < smaller.len(), behind.is_empty());
    }
}

#[test]
fn padding_of_a_packet_goes_before_the_packet_does() {
    let long = |length: usize, padding: usize| {
        let mut picture = grey();
        let text = format!("{}{}<?xpacket end=\"w\"?>", "x".repeat(length), " ".repeat(padding));
        picture.metadata.xmp = Some(text.into());
        let jpeg = EncodeOptions::default().with_format(Format::Jpeg);
        let losses = encode(&picture, &jpeg).unwrap().losses;
        assert_eq!(losses.is_empty(), picture.metadata.xmp_fits(Format::Jpeg));
        losses
    };
    assert_eq!(long(64_000, 4000), []);
    assert_eq!(long(66_000, 0), [Loss::Xmp]);
}

#[cfg(unix)]
#[test]
fn who_owned_what_is_replaced_owns_what_replaces_it() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    std::fs::write(&path, b"").unwrap();
    // Only the superuser may give a file away.
    if chown(&path, Some(1234), Some(4321)).is_ok() {
        rddm_image::write(&path, &grey(), &EncodeOptions::default()).unwrap();
        let data = std::fs::metadata(&path).unwrap();
        assert_eq!((data.uid(), data.gid()), (1234, 4321));
    }
}

#[test]
fn a_side_that_is_too_long_is_known_beforehand() {
    assert!(Format::Png.check_size(70_000, 1).is_ok());
    for (format, longest) in [(Format::Jpeg, 65_535), (Format::WebP, 16_384)] {
        assert!(format.check_size(1, longest).is_ok());
        assert_eq!(format.check_size(longest + 1, 1).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
