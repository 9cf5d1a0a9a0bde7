//! Makes the gallery of the README from `examples/gallery.toml`:
//!
//! ```text
//! cargo run --release -p rddm-run --example gallery
//! ```
//!
//! Each picture of the list is restored with the checkout's own model, seed 0 and the model's own
//! sampling, and written beside its input as a small JPEG; the README's part between the two
//! comments `gallery` is written anew. The same checkout gives the same files.
#![allow(clippy::print_stdout, reason = "a tool for developers")]

use std::error::Error;
use std::path::Path;

use rddm_image::{EncodeOptions, Format, Limits, Picture};
use rddm_runtime::{Control, Restorer};
use rddm_zoo::{Place, ResolveOptions};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gallery {
    pictures: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    model: String,
    input: String,
    output: String,
    caption: String,
}

const QUALITY: u8 = 88;
const BEGIN: &str = "<!-- gallery -->\n";
const END: &str = "<!-- /gallery -->\n";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let examples = root.join("examples");
    let gallery: Gallery =
        toml::from_str(&std::fs::read_to_string(examples.join("gallery.toml"))?)?;
    let mut shown = String::new();
    for entry in &gallery.pictures {
        let before = rddm_image::read(examples.join(&entry.input), &Limits::default())?;
        let after = restored(&root, &entry.model, &before)?;
        let both = rddm_image::side_by_side(&[&before, &after])?;
        let options = EncodeOptions::default().with_format(Format::Jpeg).with_quality(QUALITY);
        let output = examples.join(&entry.output);
        std::fs::create_dir_all(output.parent().unwrap_or(&examples))?;
        let written = rddm_image::write(&output, &both, &options)?;
        println!("{}, {} bytes", entry.output, written.bytes.len());
        let (caption, path) = (&entry.caption, &entry.output);
        shown.push_str(&format!("![{caption}](examples/{path})\n\n*{caption}*\n\n"));
    }
    let readme = root.join("README.md");
    let text = std::fs::read_to_string(&readme)?;
    let (head, rest) = text.split_once(BEGIN).ok_or("the README has no place for a gallery")?;
    let (_, tail) = rest.split_once(END).ok_or("the README's gallery does not end")?;
    let text = format!("{head}{BEGIN}{shown}{END}{tail}");
    rddm_image::write_bytes(&readme, text.as_bytes(), true)?;
    Ok(())
}

fn restored(root: &Path, model: &str, input: &Picture) -> Result<Picture, Box<dyn Error>> {
    let mut options = ResolveOptions::default();
    options.registry = Some(Place::Folder(root.join("manifests")));
    let model = rddm_zoo::resolve(&model.parse()?, &options)?;
    let networks = model.networks.iter().map(|network| &network.bytes);
    let restorer = Restorer::builder(&model.manifest).threads(0).build(networks)?;
    let pixels = restorer.restore(input.pixels.view(), None, &mut |_| Control::Continue)?;
    Ok(Picture::new(pixels))
}
