//! Feeds damaged pictures to the decoder for some seconds (default 60):
//!
//! ```text
//! cargo run --release -p rddm-image --example fuzz -- 60
//! ```
//!
//! Each file is a good one of some format with a few mutations: bytes flipped, removed, doubled and
//! moved, numbers replaced by extreme ones, pieces of other files put in, the end cut off. Nothing may
//! panic, take long, or take more memory than allowed, and whatever is accepted must be a picture that
//! can be written and read back as the same, but for rounding. The seed is printed; a second argument sets it. A file
//! that fails is written to `fuzz-failure` in the current folder.
//!
//! A panic inside a codec, which `decode` turns into an error, is counted and shown; it is the codec's
//! fault and no failure here.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers, and a panic is its finding"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndarray::{Array2, Array3};
use rddm_image::{Depth, EncodeOptions, Format, Limits, Picture, decode, encode};

const MEMORY: u64 = 64 << 20;
/// What the process itself, the samples and writing what was accepted take beside it.
const BESIDE: u64 = 192 << 20;
const LONGEST: Duration = Duration::from_secs(10);
const FAILURE: &str = "fuzz-failure";
const EXTREMES: [&[u8]; 12] = [
    &[0],
    &[0xff],
    &[0, 0],
    &[0xff, 0xff],
    &[0x7f, 0xff],
    &[0xff, 0x7f],
    &[0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0, 0, 0x80, 0],
    &[0, 1, 0, 0],
];

/// Panics that were caught inside `decode`.
static GAVE_UP: AtomicU64 = AtomicU64::new(0);

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let seconds = arguments.next().unwrap_or(60);
    let mut numbers =
        Numbers(arguments.next().unwrap_or_else(|| u64::from(std::process::id())) | 1);
    println!("seed {}", numbers.0);
    // In the place of the one that `decode` makes, which is silent.
    let _ = decode(&[], &Limits::default());
    std::panic::set_hook(Box::new(|panic| {
        if GAVE_UP.fetch_add(1, Ordering::Relaxed) < 20 {
            println!("{panic}");
        }
    }));
    let files = files();
    let limits = Limits::default().with_memory(MEMORY);
    let begun = Instant::now();
    let (mut tried, mut accepted, mut slowest) = (0_u64, 0_u64, Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let file = mutated(&files, &mut numbers);
        tried += 1;
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| trial(&file, &limits)));
        slowest = slowest.max(started.elapsed());
        match outcome {
            Ok(taken) if started.elapsed() < LONGEST && peak() < MEMORY + BESIDE => {
                accepted += u64::from(taken);
            }
            outcome => {
                std::fs::write(FAILURE, &file).unwrap();
                let fault = if outcome.is_err() { "a panic" } else { "time or memory" };
                println!("{fault} after {tried} files: the file is in {FAILURE}");
                std::panic::set_hook(Box::new(|_| {}));
                panic!("{fault}");
            }
        }
    }
    println!(
        "{tried} files in {seconds} s, {accepted} of them accepted and read back the same; at most \
         {slowest:.1?} for one, {} MiB at the peak, {} panics of codecs",
        peak() >> 20,
        GAVE_UP.load(Ordering::Relaxed)
    );
}

/// Whether the file was accepted.
fn trial(file: &[u8], limits: &Limits) -> bool {
    let Ok(picture) = decode(file, limits) else { return false };
    let (channels, height, width) = picture.pixels.dim();
    assert!(matches!(channels, 1 | 3) && height > 0 && width > 0);
    assert!(picture.pixels.iter().all(|value| (0.0..=1.0).contains(value)));
    // Writing and reading again is for pictures that do not take all of the time.
    if height * width > 1 << 16 {
        return true;
    }
    let written = encode(&picture, &EncodeOptions::default().with_format(Format::Png)).unwrap();
    let back = decode(&written.bytes, &Limits::default()).unwrap();
    // Colours that were divided by their alpha lie between the steps.
    let steps = if picture.depth == Depth::Eight { 255.0 } else { 65535.0 };
    let near = |(a, b): (&f32, &f32)| (a - b).abs() * steps < 0.51;
    assert!(back.pixels.iter().zip(&picture.pixels).all(near) && back.alpha == picture.alpha);
    true
}

/// Files of this crate's encoders, and of others.
fn files() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let foreign = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<Vec<u8>> = foreign
        .filter(|path| Format::from_path(path).is_some())
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    for format in Format::ALL {
        for (channels, depth, alpha) in
            [(3, Depth::Eight, false), (3, Depth::Sixteen, true), (1, Depth::Sixteen, false)]
        {
            let mut picture =
                Picture::new(Array3::from_shape_fn((channels, 13, 11), |(c, y, x)| {
                    ((c * 5 + y * 7 + x * 3) % 19) as f32 / 18.0
                }));
            picture.depth = depth;
            picture.alpha = alpha.then(|| Array2::from_elem((13, 11), 0.4));
            picture.metadata.exif = Some(b"II\x2a\0\x08\0\0\0\0\0".to_vec());
            picture.metadata.add_properties("a", "urn:a", &[("b", "c")]);
            let options = EncodeOptions::default().with_format(format);
            files.push(encode(&picture, &options).unwrap().bytes);
        }
    }
    files
}

fn mutated(files: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = files[numbers.below(files.len())].clone();
    for _ in 0..=numbers.below(4) {
        // Headers are where the sizes are.
        let reach = if numbers.below(2) == 0 { bytes.len().min(64) } else { bytes.len() };
        let at = numbers.below(reach + 1);
        let end = (at + numbers.below(40)).min(bytes.len());
        match numbers.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            4 => {
                let other = &files[numbers.below(files.len())];
                let from = numbers.below(other.len());
                let piece = &other[from..(from + numbers.below(200)).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
            _ => {
                let extreme = EXTREMES[numbers.below(EXTREMES.len())];
                let end = (at + extreme.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&extreme[..end - at]);
            }
        }
    }
    let png = bytes.starts_with(b"\x89PNG");
    if png && numbers.below(4) != 0 {
        mend_checksums(&mut bytes);
    }
    bytes
}

/// Makes a PNG's checksums right, so that what is behind them is reached.
fn mend_checksums(file: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = file.get(at..at + 4) {
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let end = at + 8 + length;
        let Some(body) = file.get(at + 4..end) else { return };
        let mut crc = flate2::Crc::new();
        crc.update(body);
        let Some(place) = file.get_mut(end..end + 4) else { return };
        place.copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
}

/// The most bytes that this process had in memory; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
