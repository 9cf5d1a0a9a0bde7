//! Feeds damaged texts to every parser of the crate for some seconds (default 60):
//!
//! ```text
//! cargo run --release -p rddm-manifest --example fuzz -- 60
//! ```
//!
//! Each text is a good one with a few mutations: bytes flipped, removed, doubled and moved, numbers
//! replaced by extreme ones, pieces of other texts put in. Nothing may panic, and whatever is
//! accepted must be written and read back as the same value. The seed is printed; a second
//! argument sets it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers, and a panic is its finding"
)]

use std::time::{Duration, Instant};

use rddm_manifest::{
    Digest, Draft, Index, License, Location, Manifest, ModelId, PublicKey, Signature, Text,
    Timestamp, Version,
};

const MANIFEST: &str = include_str!("../tests/derain.toml");
const DRAFT: &str = include_str!("../tests/draft.toml");
const INDEX: &str = include_str!("../tests/index.toml");
const SIGNATURE: &str = include_str!("../tests/index.toml.minisig");
const WORDS: [&str; 8] = [
    "lol-derain",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "MIT OR (Apache-2.0 WITH x)",
    "../zoo/derain/derain.onnx",
    "https://zoo.example/a?b",
    "2026-11-24T15:50:00Z",
    "0.1.0",
    "RWQDtTSFWcwzTFydSyjlVEhGExyxY4eSWghRRIi1wrJFDNLPy2uMvS7X",
];
const PIECES: [&str; 24] = [
    "-1",
    "0",
    "18446744073709551616",
    "9223372036854775807",
    "1e309",
    "nan",
    "inf",
    "-0.0",
    "\"",
    "'''",
    "[[",
    "]]",
    "{a=",
    "}",
    "\\u0000",
    "\\u202e",
    "\u{1b}[2J",
    "\u{feff}",
    "\r\n",
    "../",
    "schema = 1\n",
    "[sampler]\n",
    "[[networks]]\n",
    "[[models]]\n",
];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let seconds = arguments.next().unwrap_or(60);
    let mut numbers =
        Numbers(arguments.next().unwrap_or_else(|| u64::from(std::process::id())) | 1);
    println!("seed {}", numbers.0);
    let begun = Instant::now();
    let (mut tried, mut accepted) = (0_u64, 0_u64);
    while begun.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..100 {
            let base = match numbers.below(5) {
                0 => MANIFEST,
                1 => DRAFT,
                2 => INDEX,
                3 => SIGNATURE,
                _ => WORDS[numbers.below(WORDS.len())],
            };
            tried += 1;
            accepted += u64::from(all_parsers(&mutated(base, &mut numbers)));
        }
    }
    println!(
        "{tried} texts in {seconds} s, {accepted} of them accepted by some parser and read back the same"
    );
}

/// Whether any parser accepted the text.
fn all_parsers(text: &str) -> bool {
    let mut accepted = false;
    if let Ok(manifest) = Manifest::parse(text) {
        assert_eq!(Manifest::parse(&manifest.to_toml().unwrap()).unwrap(), manifest);
        accepted = true;
    }
    if let Ok(index) = Index::parse(text) {
        assert_eq!(Index::parse(&index.to_toml().unwrap()).unwrap(), index);
        accepted = true;
    }
    if let Ok(draft) = Draft::parse(text) {
        assert_eq!(Draft::parse(&draft.to_toml().unwrap()).unwrap(), draft);
        accepted = true;
    }
    if let Ok(signature) = Signature::parse(text) {
        let key: PublicKey = WORDS[7].parse().unwrap();
        assert!(key.verify(b"anything", &signature).is_err());
        accepted = true;
    }
    macro_rules! words {
        ($($word:ty),+) => {$(
            if let Ok(word) = text.parse::<$word>() {
                assert_eq!(word.to_string().parse::<$word>().unwrap(), word);
                accepted = true;
            }
        )+};
    }
    words!(Digest, ModelId, Location, License, Text, Timestamp, Version, PublicKey);
    accepted
}

fn mutated(base: &str, numbers: &mut Numbers) -> String {
    let mut bytes = base.as_bytes().to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + numbers.below(20)).min(bytes.len());
        match numbers.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            4 => drop(bytes.splice(at..end, PIECES[numbers.below(PIECES.len())].bytes())),
            5 => {
                let piece = PIECES[numbers.below(PIECES.len())].repeat(numbers.below(2000));
                bytes.splice(at..at, piece.bytes());
            }
            _ => replace_number(&mut bytes, at, numbers),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Replaces the next run of digits.
fn replace_number(bytes: &mut Vec<u8>, at: usize, numbers: &mut Numbers) {
    let Some(first) = bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset)
    else {
        return;
    };
    let length = bytes[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(first..first + length, PIECES[numbers.below(8)].bytes());
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
