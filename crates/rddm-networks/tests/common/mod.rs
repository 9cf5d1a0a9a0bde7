//! What tests of several files share.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::PathBuf;

use rddm_networks::checkpoint::StateDict;
use serde_json::Value;

pub(crate) mod pickle;

/// The folder of golden numbers.
pub(crate) struct Goldens {
    pub folder: PathBuf,
    manifest: Value,
}

impl Goldens {
    /// Where there is none: a loud skip, and in CI a failure.
    pub(crate) fn find() -> Option<Self> {
        let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/goldens");
        let folder = std::env::var_os("RDDM_GOLDENS").map_or_else(beside, PathBuf::from);
        let Ok(text) = std::fs::read_to_string(folder.join("manifest.json")) else {
            assert!(std::env::var_os("CI").is_none(), "no goldens in {}", folder.display());
            eprintln!("SKIPPED: no goldens in {}; set RDDM_GOLDENS", folder.display());
            return None;
        };
        Some(Self { folder, manifest: serde_json::from_str(&text).unwrap() })
    }

    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.manifest["cases"].as_array().unwrap().iter().filter(move |case| case["kind"] == kind)
    }

    pub(crate) fn bytes(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(file)).unwrap()
    }

    pub(crate) fn tensors(&self, file: &str) -> StateDict {
        StateDict::from_safetensors(file, &self.bytes(file)).unwrap()
    }
}

/// A zip archive of stored (uncompressed) files.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let offset = archive.len() as u32;
        let mut shared = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        shared.extend(crc32(content).to_le_bytes());
        shared.extend([content.len() as u32; 2].iter().flat_map(|length| length.to_le_bytes()));
        shared.extend((name.len() as u16).to_le_bytes());
        shared.extend([0, 0]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&shared);
        archive.extend(name.as_bytes());
        archive.extend(*content);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = archive.len() as u32;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([files.len() as u16; 2].iter().flat_map(|count| count.to_le_bytes()));
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

fn crc32(bytes: &[u8]) -> u32 {
    let byte = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, byte)
}
