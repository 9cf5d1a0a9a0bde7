//! Makes the gallery of the README from `examples/gallery.toml`:
//!
//! ```text
//! cargo run --release -p rddm-run --example gallery
//! ```
//!
//! Each picture of the list is restored with the checkout's own model, seed 0 and the model's own
//! sampling, but for `confirm`, and written beside its input as a small JPEG; a model that generates draws a square of
//! pictures. The README's part between the two comments `gallery` is written anew. The same checkout
//! gives the same files.
#![allow(clippy::print_stdout, reason = "a tool for developers")]

use std::error::Error;
use std::path::Path;

use ndarray::Axis;
use rddm_image::{EncodeOptions, Format, Limits, Picture};
use rddm_manifest::Manifest;
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
    /// The picture to restore; none for a model that generates.
    input: Option<String>,
    /// What to restore of it, for a model that takes a mask.
    mask: Option<String>,
    /// As `--confirm`.
    confirm: Option<bool>,
    output: String,
    caption: String,
}

const QUALITY: u8 = 82;
/// Pictures along each side of a square of generated ones.
const SQUARE: usize = 4;
const BEGIN: &str = "<!-- gallery -->\n";
const END: &str = "<!-- /gallery -->\n";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let examples = root.join("examples");
    let gallery: Gallery =
        toml::from_str(&std::fs::read_to_string(examples.join("gallery.toml"))?)?;
    let mut shown = String::new();
    for entry in &gallery.pictures {
        let (manifest, restorer) = restorer(&root, entry)?;
        let shows = match (&entry.input, manifest.picture.size) {
            (Some(input), _) => {
                let mask = entry.mask.as_ref().map(|mask| examples.join(mask));
                before_and_after(&restorer, &examples.join(input), mask.as_deref())?
            }
            (None, Some(size)) => square(&restorer, size.map(|side| side as usize))?,
            (None, None) => return Err(format!("{} needs an input", entry.model).into()),
        };
        let options = EncodeOptions::default().with_format(Format::Jpeg).with_quality(QUALITY);
        let output = examples.join(&entry.output);
        std::fs::create_dir_all(output.parent().unwrap_or(&examples))?;
        let written = rddm_image::write(&output, &shows, &options)?;
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

fn restorer(root: &Path, entry: &Entry) -> Result<(Manifest, Restorer), Box<dyn Error>> {
    let mut options = ResolveOptions::default();
    options.registry = Some(Place::Folder(root.join("manifests")));
    let model = rddm_zoo::resolve(&entry.model.parse()?, &options)?;
    let networks = model.networks.iter().map(|network| &network.bytes);
    let mut builder = Restorer::builder(&model.manifest).threads(0);
    if let Some(confirm) = entry.confirm {
        builder = builder.confirm(confirm);
    }
    let restorer = builder.build(networks)?;
    Ok((model.manifest, restorer))
}

fn before_and_after(
    restorer: &Restorer,
    input: &Path,
    mask: Option<&Path>,
) -> Result<Picture, Box<dyn Error>> {
    let read = |path: &Path| rddm_image::read(path, &Limits::default());
    let before = read(input)?;
    let mask = mask.map(read).transpose()?;
    // A mask is grey: one channel is as good as another.
    let mask = mask.as_ref().map(|mask| mask.pixels.index_axis(Axis(0), 0));
    let pixels = restorer.restore(before.pixels.view(), mask, &mut |_| Control::Continue)?;
    Ok(rddm_image::side_by_side(&[&before, &Picture::new(pixels)])?)
}

/// As `rddm-run --count 16 --seed 1` draws them.
fn square(restorer: &Restorer, size: [usize; 2]) -> Result<Picture, Box<dyn Error>> {
    let mut pictures = Vec::new();
    for seed in 1..=(SQUARE * SQUARE) as u64 {
        let pixels = restorer.generate(size, seed, &mut |_| Control::Continue)?;
        pictures.push(Picture::new(pixels));
    }
    Ok(rddm_image::grid(&pictures.iter().collect::<Vec<_>>(), SQUARE)?)
}
