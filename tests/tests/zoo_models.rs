//! The models of the checkout's own zoo, as they are published: they resolve without a network, restore as well as their
//! evaluation says, and give one picture whatever the engine, the tiles and the threads.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis};
use rddm_manifest::Digest;
use rddm_metrics::{psnr_rgb, quantise};
use rddm_runtime::{Control, Restorer, RestorerBuilder};
use rddm_tests::{published, root};
use rddm_train::Recipe;
use rddm_train::data::{Pair, Picture8};
use rddm_train::evaluate::{NamedPair, degraded_pairs, stored_pairs};
use rddm_train::recipe::Augment;
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

/// A model is sampled as its recipe says, but for what was found after its training: a higher limit, and no noise.
#[test]
fn models_are_sampled_as_their_recipes_say() {
    for recipe in recipes() {
        let Recipe { id, diffusion, .. } = Recipe::read(&recipe).unwrap();
        let sampler = published(&id).manifest.sampler;
        for (of, learnt) in [(&sampler.alpha, diffusion.alpha), (&sampler.beta2, diffusion.beta2)] {
            assert_eq!((of.shape.as_str(), of.ratio), (&*learnt.shape.to_string(), learnt.ratio));
        }
        assert_eq!(sampler.timesteps as usize, diffusion.timesteps, "{id}");
        assert_eq!(sampler.objective.as_str(), diffusion.objective.to_string(), "{id}");
        assert_eq!(sampler.time_encoding.as_str(), diffusion.time_encoding.to_string(), "{id}");
        assert_eq!(sampler.conditional, diffusion.conditional, "{id}");
        let limit = if id.starts_with("lol") { 2.0 } else { diffusion.residual_limit };
        assert_eq!(sampler.residual_limit, limit, "{id}");
        let quiet = ["denoise-tiny", "derain", "derain-tiny"].contains(&id.as_str());
        let scale = if quiet { 1e-12 } else { diffusion.sum_scale };
        assert_eq!(sampler.sum_scale, scale, "{id}");
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

/// The pictures of a data set of an evaluation, below the folder `data`: stored beside each other, or degraded as the recipe
/// says whose model the data set is called by.
fn pairs(dataset: &str, data: &Path) -> Box<dyn Iterator<Item = NamedPair>> {
    let (set, input) = dataset.split_once('/').unwrap();
    let folder = data.join(set);
    let recipe = root().join("zoo").join(input).join("recipe.toml");
    if !recipe.is_file() {
        return Box::new(stored_pairs(&folder, input, 3).unwrap());
    }
    let recipe = Recipe::read(&recipe).unwrap();
    let degradation = recipe.test_degradation().unwrap();
    Box::new(degraded_pairs(&folder.join("gt"), degradation, recipe.test_seed()).unwrap())
}

/// What is wrong with the figure that `row` has of the `side` of a picture.
fn untrue(row: &Value, side: &str, is: &Array3<f32>, clean: &Array3<f32>) -> Option<String> {
    let found = psnr_rgb(is.view(), clean.view()).unwrap();
    let published = row[side]["psnr_rgb"].as_f64().unwrap();
    let problem =
        || format!("{} {}: {side} {found:.4} for {published}", row["dataset"], row["name"]);
    ((found - published).abs() >= 0.01).then(problem)
}

/// The figures of `eval.json`, picture by picture, on a part of them, of every model that restores.
#[test]
fn the_published_evaluation_is_true() {
    let Some(data) = data() else { return };
    let (mut due, mut checked, mut wrong) = (0, 0, Vec::new());
    for recipe in recipes() {
        let name = Recipe::read(&recipe).unwrap().id;
        let model = published(&name);
        let text = std::fs::read(recipe.with_file_name("eval.json")).unwrap();
        let eval: Value = serde_json::from_slice(&text).unwrap();
        let networks = model.networks.iter().map(|network| Digest::of(&network.bytes).hex());
        assert_eq!(eval["networks"], networks.collect::<Value>(), "{name}");
        let (sampler, engine) = (&model.manifest.sampler, "tract");
        if !sampler.conditional {
            continue;
        }
        let own = build(&model, |builder| builder);
        let once = Restorer::builder(&model.manifest).mirror(false).share(&own).unwrap();
        let unconfirmed = Restorer::builder(&model.manifest).confirm(false).share(&own).unwrap();
        let of_default =
            |row: &&Value| row["steps"] == u64::from(sampler.steps) && row["engine"] == engine;
        let rows: Vec<&Value> =
            eval["pictures"].as_array().unwrap().iter().filter(of_default).step_by(11).collect();
        assert!(rows.len() >= 3, "{name}: {} pictures", rows.len());
        due += rows.len();
        // Each data set is made once, whatever is measured on it.
        let mut by_set: BTreeMap<&str, Vec<(&str, &Value)>> = BTreeMap::new();
        for row in rows {
            let dataset = row["dataset"].as_str().unwrap();
            let (dataset, variant) = dataset.split_once(' ').unwrap_or((dataset, ""));
            by_set.entry(dataset).or_default().push((variant, row));
        }
        for (dataset, rows) in by_set {
            for (picture, Pair { input, target, mask }) in pairs(dataset, &data).map(Result::unwrap)
            {
                let mask = mask.as_ref().filter(|_| model.manifest.picture.mask);
                let mask = mask.map(|mask| mask.index_axis(Axis(0), 0));
                for (variant, row) in rows.iter().filter(|(_, row)| row["name"] == *picture) {
                    let go_on = &mut |_| Control::Continue;
                    let restored = match *variant {
                        "" => own.restore(input.view(), mask, go_on),
                        "once" => once.restore(input.view(), mask, go_on),
                        "unconfirmed" => unconfirmed.restore(input.view(), mask, go_on),
                        "ensemble" => own.restore_ensemble(input.view(), mask, go_on),
                        other => panic!("{name}: what is {other}?"),
                    };
                    let restored = quantise(restored.unwrap().view());
                    wrong.extend(untrue(row, "input", &input, &target));
                    wrong.extend(untrue(row, "restored", &restored, &target));
                    checked += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(due >= 30 && checked == due, "{checked} pictures of {due}");
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

/// Restorers of a part of a picture have 4 MiB at most; what asks about the whole of it, fills or draws has 6.5.
#[test]
fn model_files_are_small() {
    for recipe in recipes() {
        let name = Recipe::read(&recipe).unwrap().id;
        let larger = ["inpaint", "shadow", "faces64"].contains(&name.as_str());
        let most = if larger { 13 << 19 } else { 4 << 20 };
        for network in &published(&name).networks {
            assert!(network.bytes.len() <= most, "{name}: {} bytes", network.bytes.len());
        }
    }
}

#[test]
fn what_can_be_trained_can_be_said_in_a_manifest() {
    for shape in rddm_core::Shape::ALL {
        let named: rddm_manifest::Shape = serde_json::from_value(shape.to_string().into()).unwrap();
        assert_eq!(named.as_str(), shape.to_string());
    }
}
