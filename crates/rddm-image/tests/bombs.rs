//! Small files that unpack to more than they may: refused, or cut, within the memory that was
//! allowed. The peak is the system's own measure of this process, so the suite is one test alone.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use rddm_image::{ErrorKind, Format, Limits, decode};
use support::{claim, png};

const ALLOWED: u64 = 64 << 20;
/// What the allocator and the code itself may add.
const BESIDE: u64 = 24 << 20;
const GIBIBYTE: usize = 1 << 30;

#[test]
fn what_a_bomb_takes_is_bounded() {
    let mut limits = Limits::default().with_memory(ALLOWED);
    limits.metadata = 1 << 20;
    let zeros = zlib(GIBIBYTE);
    let text = |name: &[u8], body: &[&[u8]]| [name, &body.concat()].concat();
    let png = |chunks: &[(&[u8; 4], Vec<u8>)]| png(10, 10, chunks);
    let profile = png(&[(b"iCCP", text(b"p\0\0", &[&zeros]))]);
    let bombs: Vec<(&str, Vec<u8>, &[ErrorKind])> = vec![
        ("pixels", png(&[(b"IDAT", zeros.clone())]), &[]),
        ("profile", profile.clone(), &[]),
        ("text", png(&vec![(b"zTXt", text(b"k\0\0", &[&zeros])); 8]), &[]),
        ("XMP", png(&[(b"iTXt", text(b"XML:com.adobe.xmp\0\x01\0\0\0", &[&zeros]))]), &[]),
        ("PNG that claims", claim(Format::Png, [60_000; 2]), &[ErrorKind::Limit]),
        ("JPEG that claims", claim(Format::Jpeg, [60_000; 2]), &[ErrorKind::Limit]),
        // Its strips do not add up to that.
        ("TIFF that claims", claim(Format::Tiff, [60_000; 2]), &[ErrorKind::Corrupt]),
        ("BMP that claims", claim(Format::Bmp, [20_000; 2]), &[ErrorKind::Limit]),
        ("WebP that claims", claim(Format::WebP, [16_000; 2]), &[ErrorKind::Limit]),
        ("TIFF of one strip", deflated_tiff(&zeros), &[]),
    ];
    for (name, file, kinds) in bombs {
        assert!(file.len() < 16 << 20, "{name}: {} bytes are no small file", file.len());
        reset_peak();
        let before = peak();
        let outcome = decode(&file, &limits);
        let taken = peak() - before;
        println!("{name}: {} KiB taken of {} allowed", taken >> 10, ALLOWED >> 10);
        assert!(taken <= ALLOWED + BESIDE, "{name}: {} MiB were taken", taken >> 20);
        match outcome {
            Ok(picture) => assert!(kinds.is_empty() && picture.width() == 10, "{name}"),
            Err(error) => {
                let kind = error.kind();
                assert!(kinds.is_empty() || kinds.contains(&kind), "{name}: {kind:?}: {error}");
            }
        }
    }

    // Without a tight limit of the whole, that of the metadata holds for what is unpacked of it.
    reset_peak();
    let before = peak();
    let _ = decode(&profile, &Limits::default());
    let most = 2 * (3 * Limits::default().metadata + ALLOWED) + BESIDE;
    assert!(peak() - before <= most, "{} MiB were taken", (peak() - before) >> 20);
}

fn zlib(zeros: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 20];
    for _ in 0..zeros >> 20 {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

/// A grey TIFF of 10×10 pixels whose one strip unpacks to far more.
fn deflated_tiff(strip: &[u8]) -> Vec<u8> {
    const ENTRIES: [(u16, u32); 8] =
        [(256, 10), (257, 10), (258, 8), (259, 8), (262, 1), (273, 0), (278, 10), (279, 0)];
    let strip_at = 8 + 2 + 12 * ENTRIES.len() as u32 + 4;
    let mut file = b"II\x2a\0\x08\0\0\0".to_vec();
    file.extend((ENTRIES.len() as u16).to_le_bytes());
    for (tag, value) in ENTRIES {
        let value = match tag {
            273 => strip_at,
            279 => strip.len() as u32,
            _ => value,
        };
        file.extend(tag.to_le_bytes());
        file.extend(4_u16.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend_from_slice(strip);
    file
}

/// The most bytes that this process had in memory since the last reset.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}
