//! The header is what the source says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

#[test]
fn the_header_is_made_of_the_source() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = cbindgen::Builder::new()
        .with_src(here.join("src/lib.rs"))
        .with_config(cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap())
        .generate()
        .unwrap();
    let mut text = Vec::new();
    made.write(&mut text);
    let (path, text) = (here.join("include/rddm.h"), String::from_utf8(text).unwrap());
    if std::env::var_os("RDDM_WRITE_HEADER").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{} is another one; RDDM_WRITE_HEADER=1 with this test writes it",
        path.display()
    );
}
