//! The models of the checkout's own zoo, as they are published: they resolve without a network, restore as well as their
//! evaluation says, and give one picture whatever the engine, the tiles and the threads.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

use std::env;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, s};
use rddm_metrics::{psnr_rgb, quantise};
use rddm_runtime::{Control, Restorer, RestorerBuilder};
use rddm_tests::{published, root};
use rddm_train::Recipe;
use rddm_train::data::{Picture8, files};
use rddm_train::degrade::{self, Degraded};
use rddm_train::recipe::{Augment, Source};
use rddm_zoo::ResolvedModel;
use serde_json::Value;

/// The folder of test pictures; none is a loud skip, and a failure in CI.
fn data() -> Option<PathBuf> {
    let folder = env::var_os("RDDM_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from)
        .join("test");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(env::var_os("CI").is_none(), "no pictures at {}; set RDDM_DATA", folder.display());
    eprintln!("SKIPPED: no pictures at {}; set RDDM_DATA", folder.display());
    None
}

fn ort_library() -> Option<PathBuf> {
    let library = env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    assert!(library.is_some() || env::var_os("CI").is_none(), "set ORT_DYLIB_PATH");
    if library.is_none() {
        eprintln!("SKIPPED: ONNX Runtime; set ORT_DYLIB_PATH");
    }
    library
}

fn build(
    model: &ResolvedModel,
    with: impl FnOnce(RestorerBuilder<'_>) -> RestorerBuilder<'_>,
) -> Restorer {
    let networks = model.networks.iter().map(|network| &network.bytes);
    with(Restorer::builder(&model.manifest)).build(networks).unwrap()
}

fn restore(restorer: &Restorer, picture: &Array3<f32>) -> Array3<f32> {
    let restored = restorer.restore(picture.view(), None, &mut |_| Control::Continue).unwrap();
    quantise(restored.view())
}

/// Largest difference of two 8-bit pictures, in levels.
fn levels(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    (difference * 255.0).round()
}

fn recipes() -> Vec<PathBuf> {
    let models = root().join("zoo").read_dir().unwrap();
    let recipes = models.map(|model| model.unwrap().path().join("recipe.toml"));
    recipes.filter(|recipe| recipe.is_file()).collect()
}

fn read(path: &Path) -> Array3<f32> {
    Picture8::read_at_least(path, 1).unwrap().whole()
}

/// A rainy and a noisy picture of the repository's own.
const EXAMPLES: [(&str, &str); 2] = [("derain", "rainy.png"), ("denoise", "noisy.png")];

#[test]
fn the_examples_come_nearer_to_their_clean_pictures() {
    for (name, file) in EXAMPLES {
        let examples = root().join("examples/pictures");
        let degraded = read(&examples.join(file));
        let clean = read(&examples.join(file.replace(".png", ".clean.png")));
        let restored = restore(&build(&published(name), |builder| builder), &degraded);
        let psnr = |picture: &Array3<f32>| psnr_rgb(picture.view(), clean.view()).unwrap();
        let gain = psnr(&restored) - psnr(&degraded);
        assert!(gain > 1.5, "{name}: {gain:.2} dB");
    }
}

/// What was never turned in training is not turned to restore, and what was is.
#[test]
fn models_stand_upright_that_learnt_upright_pictures() {
    for recipe in recipes() {
        let recipe = Recipe::read(&recipe).unwrap();
        let manifest = published(&recipe.id).manifest;
        let upright = recipe.training.augment != Augment::Turn && manifest.sampler.conditional;
        assert_eq!(manifest.picture.upright, upright, "{}", recipe.id);
    }
}

/// Whoever uses a model learns the terms of all that its recipe reads.
#[test]
fn the_data_of_each_recipe_is_named_with_its_terms() {
    let mut folders = 0;
    for recipe in recipes() {
        let text = std::fs::read_to_string(&recipe).unwrap();
        let told = published(&Recipe::read(&recipe).unwrap().id).manifest.training_data;
        for folder in text.split("\"train/").skip(1) {
            let folder = folder.split(['/', '"']).next().unwrap();
            let named = told.iter().any(|data| data.name.as_str().to_lowercase().contains(folder));
            assert!(named, "{}: {folder}", recipe.display());
            folders += 1;
        }
    }
    assert!(folders > 20, "{folders}");
}

/// The degraded side, the clean one and the mask of the picture `name` of a data set of an evaluation, below the folder `data`:
/// stored beside each other, or degraded as the recipe says whose model the data set is called by.
fn sides(
    dataset: &str,
    name: &str,
    data: &Path,
) -> (Array3<f32>, Array3<f32>, Option<Array2<f32>>) {
    let (set, input) = dataset.split_once('/').unwrap();
    let clean = data.join(set).join("gt");
    let recipe = root().join("zoo").join(input).join("recipe.toml");
    if recipe.is_file() {
        let recipe = Recipe::read(&recipe).unwrap();
        let degradation = recipe.data.iter().find_map(|source| match source {
            Source::Degraded { degradation, .. } => Some(degradation),
            _ => None,
        });
        let degradation = degrade::build(degradation.unwrap()).unwrap();
        let number = files(&clean).unwrap().iter().position(|path| path.ends_with(name));
        let clean = read(&clean.join(name));
        let seed = recipe.test_seed() + number.unwrap() as u64;
        let Degraded { picture, mask } = degrade::once(degradation.as_ref(), &clean, seed);
        return (quantise(picture.view()), clean, mask.filter(|_| recipe.masked()));
    }
    let degraded = read(&data.join(set).join(input).join(name));
    let (_, height, width) = degraded.dim();
    let clean = read(&clean.join(name)).slice(s![.., ..height, ..width]).to_owned();
    (degraded, clean, None)
}

/// The figures of `eval.json`, picture by picture, on a part of them, of every model that restores.
#[test]
fn the_published_evaluation_is_true() {
    let Some(data) = data() else { return };
    let (mut checked, mut wrong) = (0, Vec::new());
    for recipe in recipes() {
        let name = Recipe::read(&recipe).unwrap().id;
        let model = published(&name);
        let (sampler, engine) = (&model.manifest.sampler, "tract");
        if !sampler.conditional {
            continue;
        }
        let before = checked;
        let own = build(&model, |builder| builder);
        let once = Restorer::builder(&model.manifest).mirror(false).share(&own).unwrap();
        let text = std::fs::read(recipe.with_file_name("eval.json")).unwrap();
        let eval: Value = serde_json::from_slice(&text).unwrap();
        let of_default =
            |row: &&Value| row["steps"] == u64::from(sampler.steps) && row["engine"] == engine;
        let pictures = eval["pictures"].as_array().unwrap().iter().filter(of_default).step_by(11);
        for row in pictures {
            let text = |key: &str| row[key].as_str().unwrap();
            let (dataset, variant) =
                text("dataset").split_once(' ').unwrap_or((text("dataset"), ""));
            let (degraded, clean, mask) = sides(dataset, text("name"), &data);
            let mask = mask.as_ref().map(|mask| mask.view());
            let go_on = &mut |_| Control::Continue;
            let restored = match variant {
                "" => own.restore(degraded.view(), mask, go_on),
                "once" => once.restore(degraded.view(), mask, go_on),
                "ensemble" => own.restore_ensemble(degraded.view(), mask, go_on),
                other => panic!("{name}: what is {other}?"),
            };
            let restored = quantise(restored.unwrap().view());
            for (side, is) in [("input", &degraded), ("restored", &restored)] {
                let found = psnr_rgb(is.view(), clean.view()).unwrap();
                let published = row[side]["psnr_rgb"].as_f64().unwrap();
                if (found - published).abs() >= 0.01 {
                    wrong.push(format!(
                        "{name} {dataset} {}: {side} {found} for {published}",
                        text("name")
                    ));
                }
            }
            checked += 1;
        }
        assert!(checked >= before + 3, "{name}: {} pictures", checked - before);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked >= 30, "{checked} pictures in all");
}

#[test]
fn engines_tiles_and_threads_give_one_picture() {
    for (name, file) in EXAMPLES {
        let model = published(name);
        let degraded = read(&root().join("examples/pictures").join(file));
        let steps = 2;
        let whole = restore(&build(&model, |b| b.steps(steps).seed(7).tile(4096)), &degraded);
        for (tile, threads) in [(128, 1), (128, 2)] {
            let tiled = build(&model, |b| b.steps(steps).seed(7).tile(tile).threads(threads));
            let tiled = restore(&tiled, &degraded);
            let difference = levels(&tiled, &whole);
            assert!(difference <= 1.0, "{name}, tiles of {tile}: {difference} levels");
        }
        if let Some(library) = ort_library() {
            let ort = build(&model, |b| b.engine("ort").library(library).steps(steps).seed(7));
            let difference = levels(&restore(&ort, &degraded), &whole);
            assert!(difference <= 1.0, "{name}, ONNX Runtime: {difference} levels");
        }
        let other = restore(&build(&model, |b| b.steps(steps).seed(8)), &degraded);
        // A model whose noise no picture could hold draws none.
        let noisy = model.manifest.sampler.sum_scale > 1e-9;
        assert_eq!(levels(&other, &whole) > 0.0, noisy, "{name}: the seed");
    }
}

#[test]
fn model_files_are_small() {
    for name in ["derain", "denoise"] {
        for network in &published(name).networks {
            assert!(network.bytes.len() <= 4 << 20, "{name}: {} bytes", network.bytes.len());
        }
    }
}
