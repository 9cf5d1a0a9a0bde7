//! Trainings that begin with the weights of a published model, through the real command.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use rddm_manifest::{Digest, Manifest};
use rddm_networks::checkpoint::StateDict;

/// A recipe that begins with a model of the checkout's zoo, and has its network.
struct Bench {
    folder: tempfile::TempDir,
}

const MODEL: &str = "denoise";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn network() -> PathBuf {
    root().join("zoo").join(MODEL).join(format!("{MODEL}.onnx"))
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("clean")).unwrap();
        for (name, blue) in [("a.png", 90), ("b.png", 80)] {
            let picture = RgbImage::from_fn(40, 40, |x, y| Rgb([x as u8 * 6, y as u8 * 6, blue]));
            picture.save(folder.path().join("clean").join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One step of a rate that changes nothing, from the weights that `sha256` names, with the network of the model.
    fn recipe(sha256: &str) -> toml::Table {
        Self::recipe_of(MODEL, sha256)
    }

    fn recipe_of(model: &str, sha256: &str) -> toml::Table {
        let published = root().join("zoo").join(model).join("recipe.toml");
        let published: toml::Table = fs::read_to_string(published).unwrap().parse().unwrap();
        let mut recipe: toml::Table = format!(
            "schema = 1\nid = \"more\"\n[start]\nmodel = \"{model}\"\nsha256 = \"{sha256}\"\n[network]\n[diffusion]\n\
             [[data]]\nkind = \"degraded\"\nclean = \"clean\"\ndegradation = {{ kind = \"camera_noise\" }}\n\
             [training]\nsteps = 1\nbatch = 1\ncrop = 16\nrate = 1e-9\n\
             [validation]\nevery = 1\nhold_out = [\"b\"]\ncrop = 32\n"
        )
        .parse()
        .unwrap();
        for part in ["network", "diffusion"] {
            recipe[part] = published[part].clone();
        }
        recipe
    }

    fn train(&self, recipe: &toml::Table, options: &[&Path]) -> Output {
        fs::write(self.path("recipe.toml"), recipe.to_string()).unwrap();
        Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .arg("train")
            .arg(self.path("recipe.toml"))
            .arg("--data")
            .arg(self.folder.path())
            .arg("--out")
            .arg(self.path("run"))
            .arg("--registry")
            .arg(root().join("manifests"))
            .args(options)
            .output()
            .unwrap()
    }

    /// The loss of the step that was trained.
    fn loss(&self) -> f64 {
        let log = fs::read_to_string(self.path("run/log.jsonl")).unwrap();
        let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        line["loss"].as_f64().unwrap()
    }
}

/// The table of a network that teaches, with a further `key`.
fn teaching(
    model: &str,
    sha256: &str,
    network: &toml::Value,
    (key, value): (&str, f64),
) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("model".into(), model.into());
    table.insert("sha256".into(), sha256.into());
    table.insert("network".into(), network.clone());
    table.insert(key.into(), value.into());
    table
}

/// A teacher that is the model itself.
fn teacher(recipe: &toml::Table, sha256: &str, weight: f64) -> toml::Value {
    teaching(MODEL, sha256, &recipe["network"], ("weight", weight)).into()
}

/// A network that takes a mask too.
fn masked(network: &toml::Value) -> toml::Table {
    let mut network = network.as_table().unwrap().clone();
    network.insert("in_channels".into(), 7.into());
    network
}

fn published() -> String {
    digest(MODEL)
}

fn digest(model: &str) -> String {
    let manifest = root().join("manifests").join(format!("{model}.toml"));
    let manifest = Manifest::parse(&fs::read_to_string(manifest).unwrap()).unwrap();
    manifest.networks[0].sha256.hex()
}

fn refused(output: &Output, code: i32, says: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{text}");
}

#[test]
fn a_training_begins_with_the_weights_of_a_published_model() {
    let bench = Bench::new();
    let output = bench.train(&Bench::recipe(&published()), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trained = fs::read(bench.path("run/weights.safetensors")).unwrap();
    let trained = StateDict::from_safetensors("run", &trained).unwrap();
    let weights = rddm_onnx::weights(&fs::read(network()).unwrap(), &trained.shapes()).unwrap();
    for ((name, data), weights) in trained.iter().zip(weights) {
        let trained = data.as_slice::<f32>().unwrap();
        let far = trained.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-6, "{name} is {far:e} from where it began");
    }
    // A training that goes on reads no network.
    fs::remove_dir_all(bench.path("run/checkpoint")).unwrap();
    refused(
        &bench.train(&Bench::recipe(&published()), &[Path::new("--start"), &bench.path("none")]),
        3,
        "none",
    );
}

#[test]
fn a_training_begins_deeper_than_the_published_model() {
    let bench = Bench::new();
    let shallow = Bench::recipe(&published());
    assert!(bench.train(&shallow, &[]).status.success());
    let loss = bench.loss();
    let mut recipe = shallow;
    let blocks = recipe["network"]["blocks"].clone();
    let counts = blocks.as_array().unwrap().iter().map(|count| count.as_integer().unwrap());
    let deeper: Vec<i64> = counts.map(|count| count + 1).collect();
    recipe["network"].as_table_mut().unwrap().insert("blocks".into(), deeper.into());
    let bench = Bench::new();
    refused(&bench.train(&recipe, &[]), 2, "its network here must be that of denoise");
    recipe["start"].as_table_mut().unwrap().insert("blocks".into(), blocks);
    let output = bench.train(&recipe, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!((bench.loss() - loss).abs() < 1e-6 * loss.abs(), "{} and {loss}", bench.loss());
    // A file whose further blocks would be left out.
    let mut fewer = recipe.clone();
    let table = fewer["network"].as_table_mut().unwrap();
    table.insert("blocks".into(), vec![1, 1, 1].into());
    fewer["start"].as_table_mut().unwrap().remove("blocks");
    refused(&Bench::new().train(&fewer, &[]), 2, "for which the network has no place");
    for wrong in [vec![1, 1], vec![1, 1, 64]] {
        recipe["start"].as_table_mut().unwrap().insert("blocks".into(), wrong.into());
        refused(&Bench::new().train(&recipe, &[]), 2, "start.blocks");
    }
}

#[test]
fn a_training_begins_with_the_first_outputs_of_the_published_model() {
    let (model, sha256) = ("derain", digest("derain"));
    let mut recipe = Bench::recipe_of(model, &sha256);
    let mut set = |part: &str, key: &str, value: toml::Value| {
        recipe[part].as_table_mut().unwrap().insert(key.into(), value);
        recipe.clone()
    };
    set("diffusion", "objective", "pred_res".into());
    set("network", "outputs", 1.into());
    let one = set("start", "outputs", 1.into());
    refused(&Bench::new().train(&one, &[]), 2, "its network here must be that of derain");
    let two = set("start", "outputs", 2.into());
    let bench = Bench::new();
    let output = bench.train(&two, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let noise = set("diffusion", "objective", "pred_noise".into());
    refused(&Bench::new().train(&noise, &[]), 2, "is no noise");
    set("diffusion", "objective", "pred_res".into());
    for wrong in [0, 3] {
        let wrong = set("start", "outputs", wrong.into());
        refused(&Bench::new().train(&wrong, &[]), 2, "start.outputs");
    }
}

#[test]
fn another_network_than_the_recipe_says_is_refused() {
    let other = Digest::of(b"another").hex();
    let (file, option) = (network(), Path::new("--start"));
    let wider = vec![24, 48, 64];
    for (sha256, widths, options, says) in [
        (&other, None, &[][..], "name the file with --start"),
        (&other, None, &[option, &file], &other),
        (&published(), Some(wider), &[], "its network here must be that of denoise"),
    ] {
        let bench = Bench::new();
        let mut recipe = Bench::recipe(sha256);
        if let Some(widths) = widths {
            recipe["network"].as_table_mut().unwrap().insert("widths".into(), widths.into());
        }
        refused(&bench.train(&recipe, options), 2, says);
        assert!(!bench.path("run/checkpoint").exists());
    }
}

#[test]
fn a_teacher_is_learnt_from_as_much_as_it_counts() {
    let losses = [1.0, 0.5, 0.0].map(|weight| {
        let bench = Bench::new();
        let mut recipe = Bench::recipe(&published());
        recipe.insert("teacher".into(), teacher(&recipe, &published(), weight));
        let output = bench.train(&recipe, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        bench.loss()
    });
    let [taught, half, untaught] = losses;
    // The network begins as its teacher, so that nothing is left to learn from it.
    assert_eq!(taught, 0.0);
    assert!(untaught > 1e-4, "{untaught}");
    assert!((half - 0.5 * untaught).abs() < 1e-6, "{half} of {untaught}");
}

#[test]
fn a_teacher_is_led_away_from_its_guide() {
    let published_tiny = root().join("zoo/denoise-tiny/recipe.toml");
    let tiny: toml::Table = fs::read_to_string(published_tiny).unwrap().parse().unwrap();
    let recipe = |mut teacher: toml::Table, guide: Option<toml::Table>| {
        let mut recipe = Bench::recipe(&published());
        if let Some(guide) = guide {
            teacher.insert("guide".into(), guide.into());
        }
        recipe.insert("teacher".into(), teacher.into());
        recipe
    };
    let loss = |recipe: &toml::Table| {
        let bench = Bench::new();
        let output = bench.train(recipe, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        bench.loss()
    };
    let own = &Bench::recipe(&published())["network"];
    let by = |scale| {
        let guide =
            teaching("denoise-tiny", &digest("denoise-tiny"), &tiny["network"], ("scale", scale));
        recipe(teaching(MODEL, &published(), own, ("weight", 1.0)), Some(guide))
    };
    // The network begins as its teacher, as far from the answers as these from the teacher.
    let apart = loss(&recipe(
        teaching("denoise-tiny", &digest("denoise-tiny"), &tiny["network"], ("weight", 1.0)),
        None,
    ));
    assert!(apart > 1e-4, "{apart}");
    for scale in [1.0, 2.0, 3.5] {
        let (found, right) = (loss(&by(scale)), (scale - 1.0) * apart);
        assert!((found - right).abs() < 1e-6 + 1e-3 * apart, "{found} for {right}");
    }
    for (key, value, says) in [
        ("scale", 0.5.into(), "teacher.guide.scale"),
        ("sha256", Digest::of(b"another").hex().into(), "name the file with --guide"),
        ("network", toml::Value::Table(masked(own)), "teacher.guide.network"),
    ] {
        let mut recipe = by(2.0);
        recipe["teacher"]["guide"].as_table_mut().unwrap().insert(key.into(), value);
        refused(&Bench::new().train(&recipe, &[]), 2, says);
    }
    let unasked = Bench::recipe(&published());
    let output = Bench::new().train(&unasked, &[Path::new("--guide"), &network()]);
    refused(&output, 2, "no [teacher.guide]");
}

#[test]
fn a_teacher_that_cannot_teach_is_refused() {
    let other = Digest::of(b"another").hex();
    let begin = || Bench::recipe(&published());
    let mut wrong = Vec::new();
    let mut recipe = begin();
    recipe.insert("teacher".into(), teacher(&recipe, &other, 0.5));
    wrong.push((recipe, "name the file with --teacher"));
    let mut recipe = begin();
    recipe.insert("teacher".into(), teacher(&recipe, &published(), 1.5));
    wrong.push((recipe, "teacher.weight"));
    let mut recipe = begin();
    let mut other = teacher(&recipe, &published(), 0.5);
    other["network"] = masked(&recipe["network"]).into();
    recipe.insert("teacher".into(), other);
    wrong.push((recipe, "teacher.network"));
    let mut recipe = begin();
    let mut other = teacher(&recipe, &published(), 0.5);
    other["network"].as_table_mut().unwrap().insert("times".into(), 2.into());
    recipe.insert("teacher".into(), other);
    wrong.push((recipe, "it is told other times"));
    for (recipe, says) in wrong {
        let bench = Bench::new();
        refused(&bench.train(&recipe, &[]), 2, says);
        assert!(!bench.path("run/checkpoint").exists());
    }
    let bench = Bench::new();
    let output = bench.train(&begin(), &[Path::new("--teacher"), &network()]);
    refused(&output, 2, "no [teacher]");
}
