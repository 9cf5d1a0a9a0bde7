//! The networks of the zoo, exported and run in every engine at sizes that were never traced.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "test code")]

#[path = "../../rddm-onnx/tests/engines/mod.rs"]
mod engines;

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use engines::Plain;
use rddm_export::{official, run};
use rddm_manifest::{Objective, TimeEncoding};
use rddm_networks::checkpoint::{StateDict, Weights, state_dict};
use rddm_networks::unet::{Networks, UnetConfig};
use rddm_networks::{Network, NetworkConfig};

const TOLERANCE: f32 = 1e-4;

/// What every engine answers, with its name.
fn answers(file: &[u8], inputs: &[Plain]) -> Vec<(&'static str, Vec<Plain>)> {
    let mut answers = vec![("tract", engines::tract(file, inputs))];
    answers.extend(engines::onnx_runtime(file, inputs).map(|answer| ("ONNX Runtime", answer)));
    answers
}

fn distance(answer: &[Plain], expected: &[Plain]) -> f32 {
    assert_eq!(answer.len(), expected.len());
    answer.iter().zip(expected).map(|(a, b)| a.distance(b)).fold(0.0, f32::max)
}

fn burn<const D: usize>(plain: &Plain) -> Tensor<D> {
    Tensor::from_data(TensorData::new(plain.values.clone(), plain.dims.clone()), &Device::flex())
}

fn plain(data: &TensorData) -> Plain {
    Plain { dims: data.shape().to_vec(), values: data.as_slice::<f32>().unwrap().to_vec() }
}

const WEIGHTS: &str = "weights.safetensors";

/// Moves every weight by up to 0.05: a new network predicts nothing, which any graph could.
struct Disturb;

impl ModuleMapper for Disturb {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|weight| {
            let moved = Distribution::Uniform(-0.05, 0.05);
            weight.clone() + Tensor::random(weight.dims(), moved, &weight.device())
        })
    }
}

/// The network that a recipe describes, disturbed.
fn disturbed(recipe: &str) -> (NetworkConfig, Network) {
    let table: toml::Table = recipe.parse().unwrap();
    let config: NetworkConfig = table["network"].clone().try_into().unwrap();
    let network = config.init(&Device::flex()).unwrap().map(&mut Disturb);
    (config, network)
}

/// Writes the folder of a run or of a published model: its recipe, and its weights as the file `name`.
fn write_folder(folder: &Path, recipe: &str, name: &str, weights: &[u8]) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("recipe.toml"), recipe).unwrap();
    std::fs::write(folder.join(name), weights).unwrap();
}

#[test]
fn training_runs_of_the_edge_family() {
    edge("", 1);
    edge("norm = \"channel\"", 1);
    edge("block = \"naf\"\nnorm = \"channel\"", 1);
    edge("shrink = 2\nunshuffle = 1\nlight = true", 1);
    edge("in_channels = 7\nfill = 3", 1);
    edge("times = 2\nchannels = 1\nin_channels = 1", 2);
}

#[test]
fn several_runs_are_written_as_the_mean_of_their_weights() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, id: &str, widths: &str| {
        let recipe = format!("id = \"{id}\"\n[network]\nfamily = \"edge\"\nwidths = {widths}\n");
        let weights = disturbed(&recipe).1.to_safetensors().unwrap();
        let run = folder.path().join(name);
        write_folder(&run, &recipe, WEIGHTS, &weights);
        (run, StateDict::from_safetensors(name, &weights).unwrap())
    };
    let (first, one) = write("one", "small", "[8, 16, 16]");
    let (second, two) = write("two", "small", "[8, 16, 16]");
    let license = "MIT".parse().unwrap();
    let exported = run::export(&[&first, &second], &license).unwrap();
    let read = rddm_onnx::weights(&exported.file, &one.shapes()).unwrap();
    for (((name, one), (_, two)), read) in one.iter().zip(two.iter()).zip(read) {
        let (one, two) = (plain(one).values, plain(two).values);
        assert_ne!(one, two, "{name}");
        let mean: Vec<f32> = one.iter().zip(&two).map(|(one, two)| (one + two) / 2.0).collect();
        assert_eq!(read, mean, "{name}");
    }

    let (named, _) = write("named", "other", "[8, 16, 16]");
    let (wide, _) = write("wide", "small", "[8, 16, 32]");
    let (noisy, _) = write("noisy", "small", "[8, 16, 16]\n[diffusion]\nsum_scale = 1.0");
    let (usual, _) = write("usual", "small", "[8, 16, 16]\n[diffusion]\nsum_scale = 0.01");
    assert!(run::export(&[&first, &usual], &license).is_ok());
    for other in [&named, &wide, &noisy] {
        let refused = run::export(&[&first, other], &license).unwrap_err().to_string();
        assert!(refused.contains("is of another network"), "{refused}");
    }
    std::fs::copy(wide.join(WEIGHTS), second.join(WEIGHTS)).unwrap();
    let refused = run::export(&[&first, &second], &license).unwrap_err().to_string();
    assert!(refused.contains("does not fit the other runs'"), "{refused}");
    // A weight that only the first run has is no half of a mean.
    let fewer = one.iter().skip(1).map(|(name, data)| (name.to_owned(), data.clone()));
    let fewer = StateDict::new("fewer", fewer).to_safetensors().unwrap();
    std::fs::write(second.join(WEIGHTS), fewer).unwrap();
    let refused = run::export(&[&first, &second], &license).unwrap_err().to_string();
    assert!(refused.contains("does not fit the other runs'"), "{refused}");
    let none: [&Path; 0] = [];
    assert!(run::export(&none, &license).is_err());
}

#[test]
fn weights_that_are_not_finite_are_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = "id = \"small\"\n[network]\nfamily = \"edge\"\nwidths = [8, 16, 16]\n";
    let whole = disturbed(recipe).1.state_dict().unwrap();
    let write = |name: &str, last: f32| {
        let mut values: Vec<Vec<f32>> = whole.iter().map(|(_, data)| plain(data).values).collect();
        values.last_mut().unwrap()[0] = last;
        let run = folder.path().join(name);
        write_folder(
            &run,
            recipe,
            WEIGHTS,
            &whole.with_values(name, values).to_safetensors().unwrap(),
        );
        run
    };
    let (nan, finite, most) =
        (write("nan", f32::NAN), write("finite", 1.0), write("most", f32::MAX));
    let (last, _) = whole.iter().last().unwrap();
    for (runs, place) in [
        (vec![&nan], "nan/weights.safetensors"),
        (vec![&finite, &nan], "nan/weights.safetensors"),
        (vec![&most, &most], "the mean of the runs"),
    ] {
        let refused = run::export(&runs, &"MIT".parse().unwrap()).unwrap_err();
        assert_eq!(refused.exit_code(), 3);
        let says = format!("{place}: its weight `{last}` is not finite");
        assert!(refused.to_string().contains(&says), "{refused}");
    }
}

#[test]
fn a_published_model_is_written_anew_and_counts_in_a_mean() {
    let folder = tempfile::tempdir().unwrap();
    let [run, published] = ["run", "published"].map(|name| folder.path().join(name));
    let recipe =
        "id = \"small\"\n[network]\nfamily = \"edge\"\nnorm = \"channel\"\nwidths = [8, 16, 16]\n";
    write_folder(&run, recipe, WEIGHTS, &disturbed(recipe).1.to_safetensors().unwrap());
    let license = "MIT".parse().unwrap();
    let exported = run::export(&[&run], &license).unwrap().file;
    write_folder(&published, recipe, "small.onnx", &exported);
    assert_eq!(run::export(&[&published], &license).unwrap().file, exported);
    assert_eq!(run::export(&[&run, &published], &license).unwrap().file, exported);
    // Weights in 16 bits stay what they are.
    let half = rddm_onnx::halved(&exported).unwrap();
    write_folder(&published, recipe, "small.onnx", &half);
    let again = run::export(&[&published], &license).unwrap().file;
    assert_eq!(rddm_onnx::halved(&again).unwrap(), half);

    // The file of a network that has these weights and more.
    let smaller = recipe.replace("norm = \"channel\"\n", "");
    write_folder(&published, &smaller, "small.onnx", &exported);
    let refused = run::export(&[&published], &license).unwrap_err().to_string();
    assert!(refused.contains("small.onnx") && refused.contains("norm.g"), "{refused}");

    write_folder(&published, recipe, "small.onnx", b"no network");
    let refused = run::export(&[&published], &license).unwrap_err().to_string();
    assert!(refused.contains("small.onnx"), "{refused}");
    std::fs::remove_file(published.join("small.onnx")).unwrap();
    let refused = run::export(&[&published], &license).unwrap_err().to_string();
    assert!(refused.contains(WEIGHTS), "{refused}");
}

/// Exports a run whose network the recipe's `keys` change, and compares it in every engine.
fn edge(keys: &str, times: usize) {
    let recipe = format!(
        "schema = 1\nid = \"small\"\n[network]\nfamily = \"edge\"\n{keys}\n[diffusion]\ntime_encoding = \"{}\"\n\
         [[data]]\nkind = \"unread here\"\n",
        if times == 2 { "alpha_bar_beta_bar" } else { "index" }
    );
    let (config, network) = disturbed(&recipe);
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), &recipe, WEIGHTS, &network.to_safetensors().unwrap());
    let exported = run::export(&[folder.path()], &"MIT".parse().unwrap()).unwrap();
    assert_eq!(exported.id.as_str(), "small");

    let text = String::from_utf8_lossy(&exported.file);
    assert!(text.contains("stem.weight") && text.contains("bottom.0."));
    assert!(!text.contains("Transpose"), "pixel shuffles are operators of their own");
    // The way back gives the same bits.
    let weights = network.state_dict().unwrap();
    let read = rddm_onnx::weights(&exported.file, &weights.shapes()).unwrap();
    for ((name, data), read) in weights.iter().zip(read) {
        assert_eq!(plain(data).values, read, "{name}");
    }
    let mut largest = 0.0_f32;
    for (seed, [n, h, w]) in
        [[1, 40, 24], [2, 64, 8], [1, 128, 96], [3, 16, 16]].into_iter().enumerate()
    {
        let x = Plain::noise(&[n, config.in_channels(), h, w], seed as u64 + 1);
        let time = |first: f32| Plain {
            dims: vec![n],
            values: (0..n).map(|i| first - 431.0 * i as f32).collect(),
        };
        let given = [time(999.0), time(if times == 2 { 888.0 } else { 999.0 })];
        let expected: Vec<Plain> = network
            .forward(burn(&x), [burn(&given[0]), burn(&given[1])])
            .into_iter()
            .map(|output| plain(&output.into_data()))
            .collect();
        let values = expected.iter().flat_map(|output| &output.values);
        largest = values.fold(largest, |largest, value| largest.max(value.abs()));
        let inputs: Vec<Plain> = std::iter::once(&x).chain(&given[..times]).cloned().collect();
        for (engine, answer) in answers(&exported.file, &inputs) {
            let distance = distance(&answer, &expected);
            eprintln!("edge {n}x{h}x{w} {keys:?} {engine}: {distance:.1e}");
            assert!(distance <= TOLERANCE, "{engine} at {n}x{h}x{w}, {keys:?}: {distance:e}");
        }
    }
    assert!(largest > 0.1, "the answers are too small to tell a difference");
}

/// The official code gives a mask as a picture in [0, 1], a sampler as one plane in [-1, 1].
#[test]
fn official_networks_are_told_the_mask_that_a_sampler_has() {
    let folder = tempfile::tempdir().unwrap();
    for networks in [Networks::Two, Networks::Shared, Networks::One] {
        let dim_mults = vec![1, 2];
        let config =
            UnetConfig { dim: 8, dim_mults, in_channels: 9, networks, ..UnetConfig::default() };
        let network = config.init(&Device::flex()).unwrap();
        let path = folder.path().join(WEIGHTS);
        std::fs::write(&path, state_dict(&network).to_safetensors().unwrap()).unwrap();
        let options = official::Options {
            objective: (networks == Networks::One).then_some(Objective::PredRes),
            ..golden()
        };
        let exported = official::export(&path, &options).unwrap();
        assert!(exported.draft.picture.mask && exported.draft.sampler.conditional);

        let x = Plain::noise(&[2, 7, 16, 24], 1);
        let time = Plain { dims: vec![2], values: vec![999.0, 431.0] };
        let given = burn::<4>(&x);
        let mask = (given.clone().narrow(1, 6, 1) + 1.0) / 2.0;
        let seen = Tensor::cat(vec![given.narrow(1, 0, 6), mask.repeat_dim(1, 3)], 1);
        let outputs = network.forward(seen, [burn(&time), burn(&time)]);
        let expected: Vec<_> =
            outputs.into_iter().map(|output| plain(&output.into_data())).collect();
        let mut engines = [Vec::new(), Vec::new()];
        for (_, file) in &exported.files {
            for (found, (_, answer)) in
                engines.iter_mut().zip(answers(file, &[x.clone(), time.clone()]))
            {
                found.extend(answer);
            }
        }
        for found in engines.iter().filter(|found| !found.is_empty()) {
            let distance = distance(found, &expected);
            assert!(distance <= TOLERANCE, "{networks:?}: {distance:e}");
        }
    }
}

/// What a checkpoint does not say of itself.
fn golden() -> official::Options {
    official::Options {
        id: "golden".parse().unwrap(),
        task: "restore".parse().unwrap(),
        license: "MIT".parse().unwrap(),
        weights: Weights::Average,
        objective: None,
        time_encoding: TimeEncoding::Index,
        steps: 5,
        sum_scale: None,
    }
}

/// The folder of numbers that the official code made; `None` where it is missing, which in CI is a failure.
fn goldens() -> Option<PathBuf> {
    let folder = std::env::var_os("RDDM_GOLDENS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/goldens"),
        PathBuf::from,
    );
    if folder.join("manifest.json").exists() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "RDDM_GOLDENS must name the goldens in CI");
    eprintln!("SKIPPED: no goldens in {}", folder.display());
    None
}

fn cases(folder: &Path, kind: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = manifest["cases"].as_array().unwrap();
    cases.iter().filter(|case| case["kind"] == kind).cloned().collect()
}

#[test]
fn official_networks_agree_with_the_official_code() {
    let Some(folder) = goldens() else { return };
    // A file takes a mask of one plane, and a golden's has three that differ.
    for case in cases(&folder, "network").into_iter().filter(|case| case["input_channels"] != 9) {
        let id = case["id"].as_str().unwrap();
        let read = |key: &str| folder.join(case[key].as_str().unwrap());
        let data = StateDict::from_safetensors(id, &std::fs::read(read("file")).unwrap()).unwrap();
        let numbered = |prefix: &str| -> Vec<Plain> {
            data.iter()
                .filter(|(name, _)| name.starts_with(prefix))
                .map(|(_, data)| plain(data))
                .collect()
        };
        let (x, times, expected) = (numbered("x"), numbered("time"), numbered("output"));
        let noise = case["objective"] == "pred_noise" || case["num_unet"] == 1;
        let options = official::Options {
            objective: (case["networks"] == "one").then_some(if noise {
                Objective::PredNoise
            } else {
                Objective::PredRes
            }),
            time_encoding: if times.len() == 2 {
                TimeEncoding::AlphaBarBetaBar
            } else {
                TimeEncoding::Index
            },
            ..golden()
        };
        let exported = official::export(&read("weights"), &options).unwrap();
        let tolerance = case["tolerance"].as_f64().unwrap() as f32;
        let mut engines: Vec<(&str, Vec<Plain>)> = Vec::new();
        for (index, (_, file)) in exported.files.iter().enumerate() {
            // The second of two networks, and one network that predicts the noise, see the second time.
            let second = index == 1 || noise;
            let time = if second { times.last() } else { times.first() }.unwrap().clone();
            for (engine, answer) in answers(file, &[x[0].clone(), time]) {
                match engines.iter_mut().find(|(name, _)| *name == engine) {
                    Some((_, outputs)) => outputs.extend(answer),
                    None => engines.push((engine, answer)),
                }
            }
        }
        for (engine, outputs) in engines {
            let distance = distance(&outputs, &expected);
            eprintln!("{id} {engine}: {distance:.1e} (tolerance {tolerance:.1e})");
            assert!(distance <= tolerance, "{id} in {engine}: {distance:e}");
        }
    }
}
