//! Trainings through the real command: they end, go on after a kill, and refuse what cannot be trained.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use rddm_manifest::{Digest, Draft};
use rddm_train::degrade::{DegradationSpec, Shadow};
use rddm_train::evaluate;
use rddm_train::log::read;
use rddm_train::run::Run;
use rddm_train::validate::first_output;

const RECIPE: &str = r#"
schema = 1
id = "tiny"

[network]
family = "edge"
widths = [8, 8]
blocks = [1, 1]
time_width = 8

[[data]]
kind = "pairs"
input = "input"
target = "gt"

[[data]]
kind = "degraded"
clean = "gt"
degradation = { kind = "camera_noise" }

[[data]]
kind = "degraded"
clean = "gt"
degradation = { kind = "rain", angle = [10.0, 10.0] }

[training]
steps = STEPS
batch = 4
crop = 16
warmup = 2
workers = 2
checkpoint_every = 4

[validation]
every = 3
hold_out = ["c"]
crop = 24
steps = [1, 2]
"#;

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// Three pictures of 40×36 pixels and the same ones too dark.
    fn new(steps: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (part, light) in [("gt", 1.0), ("input", 0.6)] {
            fs::create_dir_all(folder.path().join("data").join(part)).unwrap();
            for (index, name) in ["a.png", "b.png", "c.png"].iter().enumerate() {
                let picture = RgbImage::from_fn(40, 36, |x, y| {
                    let value = |k: u32| {
                        let wave = f64::from(x * k + y * (index as u32 + 2)) / 9.0;
                        ((127.0 + 100.0 * wave.sin()) * light) as u8
                    };
                    Rgb([value(1), value(2), value(3)])
                });
                picture.save(folder.path().join("data").join(part).join(name)).unwrap();
            }
        }
        let recipe = RECIPE.replace("STEPS", &steps.to_string());
        fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, out: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rddm-train"));
        command
            .arg("train")
            .arg(self.path("recipe.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .arg("--out")
            .arg(self.path(out));
        command
    }

    fn train(&self, out: &str) -> Output {
        self.command(out).output().unwrap()
    }

    fn evaluate(&self, run: &str, data: &str, options: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .args(["eval", "--run"])
            .arg(self.path(run))
            .arg("--data")
            .arg(self.path(data))
            .args(options)
            .output()
            .unwrap()
    }

    /// The table of an evaluation of a run on the clean pictures, degraded as the recipe does.
    fn evaluate_degraded(&self, run: &str) -> String {
        let recipe = self.path("recipe.toml");
        let output = self.evaluate(run, "data/gt", &["--degraded", recipe.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn curve(run: &Path) -> Vec<(usize, f64, Vec<f64>)> {
    read(&run.join("log.jsonl"), usize::MAX)
        .unwrap()
        .into_iter()
        .map(|entry| {
            (entry.step, entry.loss, entry.scores.iter().map(|score| score.psnr).collect())
        })
        .collect()
}

#[test]
fn a_training_that_was_killed_goes_on_with_the_same_curve() {
    let bench = Bench::new(30);
    let output = bench.train("whole");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = curve(&bench.path("whole"));
    assert_eq!(whole.len(), 10);

    let mut child = bench.command("killed").spawn().unwrap();
    let state = bench.path("killed/checkpoint/state.json");
    let started = Instant::now();
    while !state.exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint appears");
        sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let output = bench.train("killed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(curve(&bench.path("killed")), whole);
    let weights = |run: &str| fs::read(bench.path(run).join("weights.safetensors")).unwrap();
    assert!(weights("killed") == weights("whole"));
    assert!(bench.path("killed/curve.svg").exists());
    // Two sources of one folder are two lines of the curve.
    let entries = read(&bench.path("whole/log.jsonl"), usize::MAX).unwrap();
    let names: Vec<_> = entries[0].scores.iter().map(|score| score.source.as_str()).collect();
    assert_eq!(names, ["input", "input", "gt", "gt", "gt (2)", "gt (2)"]);
}

#[test]
fn the_weights_of_a_finished_run_are_left_alone() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let path = bench.path("run/weights.safetensors");
    let new = fs::read(&path).unwrap();
    // As an earlier version wrote them: the same weights with metadata.
    let (size, rest) = new.split_at(8);
    let (header, tensors) = rest.split_at(u64::from_le_bytes(size.try_into().unwrap()) as usize);
    let header = String::from_utf8(header.to_vec()).unwrap();
    assert!(header.contains("\"__metadata__\":{}"), "{header}");
    let mut header = header.replace("__\":{}", "__\":{\"producer\":\"burn\"}");
    header.extend(vec![' '; header.len().next_multiple_of(8) - header.len()]);
    let old = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat();
    fs::write(&path, &old).unwrap();
    assert!(bench.train("run").status.success());
    assert!(fs::read(&path).unwrap() == old);
    for lost in [&old[..old.len() - 1], &[]] {
        fs::write(&path, lost).unwrap();
        assert!(bench.train("run").status.success());
        assert!(fs::read(&path).unwrap() == new);
    }
}

#[test]
fn a_training_that_diverges_says_so_and_leaves_no_checkpoint_of_it() {
    for (rate, every, says) in [
        ("1e30", "1", "what is restored of input, c.png, is not finite at step 1"),
        ("1e39", "99", "the weights are not finite at step 1"),
    ] {
        let bench = Bench::new(3);
        let recipe = fs::read_to_string(bench.path("recipe.toml")).unwrap();
        let recipe = recipe.replace("warmup = 2", &format!("warmup = 0\nrate = {rate}"));
        let recipe = recipe.replace("checkpoint_every = 4", "checkpoint_every = 1");
        let recipe = recipe.replace("every = 3", &format!("every = {every}"));
        fs::write(bench.path("recipe.toml"), recipe).unwrap();
        let output = bench.train("run");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(says) && text.contains("lower training.rate"), "{text}");
        assert!(!bench.path("run/checkpoint").exists());
        assert!(!bench.path("run/weights.safetensors").exists());
    }
}

#[test]
fn what_cannot_be_trained_is_refused_by_name() {
    let bench = Bench::new(3);
    let recipe = bench.path("recipe.toml");
    fs::remove_file(&recipe).unwrap();
    let output = bench.train("refused");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&*recipe.to_string_lossy()));
    let with = |from: &str, to: &str| {
        let text = RECIPE.replace("STEPS", "3").replace(from, to);
        fs::write(bench.path("recipe.toml"), text).unwrap();
        let output = bench.train("refused");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (from, to, code, says) in [
        ("batch = 4", "batch = 3", 2, "training.workers"),
        ("crop = 16", "crop = 15", 2, "training.crop"),
        ("blocks = [1, 1]", "blocks = [1]", 2, "blocks"),
        ("steps = [1, 2]", "steps = [0]", 2, "validation.steps"),
        ("steps = [1, 2]", "steps = []", 2, "validation.steps"),
        ("hold_out = [\"c\"]", "hold_out = [\"c\", \"typo\"]", 2, "'typo'"),
        ("warmup = 2", "rate = -1.0", 2, "training.rate"),
        ("warmup = 2", "noise_weight = -5.0", 2, "training.noise_weight"),
        ("{ kind = \"camera_noise\" }", "{ kind = \"chain\", of = [], jpeg = 0.5 }", 2, "jpeg"),
        (
            "time_width = 8",
            "in_channels = 3\n[diffusion]\nconditional = false",
            2,
            "learns from clean pictures",
        ),
        ("time_width = 8", "time_width = 8\noutputs = 1", 2, "needs 2 outputs"),
        ("time_width = 8", "time_width = 8\nin_channels = 3", 2, "network.in_channels"),
        (
            "[training]",
            "[diffusion]\ntime_encoding = \"alpha_bar_beta_bar\"\n[training]",
            2,
            "two times",
        ),
        ("workers = 2", "grow = [{ after = 2.0, crop = 16, batch = 4 }]", 2, "grow.after"),
        ("workers = 2", "jpeg = { share = 2.0, quality = [70.0, 90.0] }", 2, "jpeg.share"),
        ("workers = 2", "jpeg = { share = 0.5, quality = [0.0, 90.0] }", 2, "jpeg.quality"),
        ("workers = 2", "mean_after = 1.5", 2, "mean_after"),
        ("workers = 2", "mean_after = 1.0", 2, "mean_after"),
        ("schema = 1", "schema = 2", 2, "schema"),
        ("\"tiny\"", "\"My Model\"", 2, "id: `My Model`"),
        ("\"tiny\"", "\"index\"", 2, "id: `index`"),
        ("[training]", "[diffusion]\nresidual_limit = -1.0\n[training]", 2, "residual_limit is -1"),
        ("[training]", "[diffusion]\nresidual_limit = 0.0\n[training]", 2, "residual_limit is 0"),
        ("[training]", "[diffusion]\nresidual_limit = nan\n[training]", 2, "residual_limit is NaN"),
        ("[training]", "[diffusion]\nsum_scale = 0.0\n[training]", 2, "sum_scale is 0"),
        ("angle = [10.0, 10.0]", "angle = [20.0, 10.0]", 2, "degradation.angle"),
        ("input = \"input\"", "input = \"nowhere\"", 3, "nowhere"),
        ("crop = 16", "crop = 64", 3, "smaller than a crop"),
    ] {
        let (status, text) = with(from, to);
        assert_eq!(status, Some(code), "{to}: {text}");
        assert!(text.contains(says), "{to}: {text}");
        assert!(!bench.path("refused/checkpoint").exists(), "{to}");
    }
}

/// Trains three steps of the recipe with the changes, in each of which `from` becomes `to`.
fn trains_with(changes: &[(&str, &str)]) -> Bench {
    let bench = Bench::new(3);
    let text = RECIPE.replace("STEPS", "3");
    let text = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    fs::write(bench.path("recipe.toml"), text).unwrap();
    let output = bench.train("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bench
}

#[test]
fn every_objective_and_family_trains() {
    let objective = |name: &str| format!("[diffusion]\nobjective = \"{name}\"\n\n[training]");
    for name in ["pred_x0_noise", "pred_res_add_noise", "pred_x0_add_noise"] {
        trains_with(&[("[training]", &objective(name))]);
    }
    for name in ["pred_res", "pred_noise"] {
        let one = ("time_width = 8", "time_width = 8\noutputs = 1");
        trains_with(&[("[training]", &objective(name)), one]);
    }
    let unet = "family = \"unet\"\ndim = 8\ndim_mults = [1, 2]\n";
    let edge = "family = \"edge\"\nwidths = [8, 8]\nblocks = [1, 1]\ntime_width = 8\n";
    trains_with(&[(edge, unet)]);
}

#[test]
fn a_generator_of_two_times_trains_on_clean_grey_pictures() {
    let start = RECIPE.find("[[data]]").unwrap();
    let end = RECIPE.find("[training]").unwrap();
    let keys = "channels = 1\nin_channels = 1\ntimes = 2\ntime_width = 8";
    let data = "[diffusion]\nconditional = false\nsum_scale = 1.0\ntime_encoding = \"alpha_bar_beta_bar\"\n\
                [[data]]\nkind = \"clean\"\nclean = \"gt\"\n\n";
    let bench = trains_with(&[("time_width = 8", keys), (&RECIPE[start..end], data)]);
    let output = bench.evaluate("run", "data", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to restore"));
}

#[test]
fn lambda_chooses_and_the_training_goes_on() {
    let bench = Bench::new(40);
    let text =
        RECIPE.replace("STEPS", "40").replace("time_width = 8", "time_width = 8\noutputs = 1");
    let text = text.replace("[training]", "[diffusion]\nobjective = \"pred_noise\"\n\n[training]");
    fs::write(bench.path("recipe.toml"), &text).unwrap();
    let command = |most: &str, out: &str| {
        Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .args(["aosa", "--rate", "1e-3", "--most-steps", most])
            .arg(bench.path("recipe.toml"))
            .arg("--data")
            .arg(bench.path("data"))
            .arg("--out")
            .arg(bench.path(out))
            .output()
            .unwrap()
    };
    let output = command("30", "run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let points: Vec<rddm_train::select::Point> =
        serde_json::from_slice(&fs::read(bench.path("run/aosa.json")).unwrap()).unwrap();
    let last = points.last().unwrap().lambda;
    assert!((last - 0.5).abs() >= 0.01 && points.len() >= 10, "{last} after {}", points.len());
    let before = &points[points.len() - 2];
    assert!((before.lambda - 0.5).abs() < 0.01, "went on after the choice");
    let decided = rddm_train::Recipe::read(&bench.path("run/recipe.toml")).unwrap();
    let expected = if last > 0.5 { "pred_res" } else { "pred_noise" };
    assert_eq!(decided.diffusion.objective.to_string(), expected);

    fs::copy(bench.path("run/recipe.toml"), bench.path("recipe.toml")).unwrap();
    let output = bench.train("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let first = &curve(&bench.path("run"))[0];
    assert!(first.0 > points.len(), "began again at {}", first.0);

    let begins = format!("{text}\n[start]\nmodel = \"denoise\"\nsha256 = \"{}\"\n", "0".repeat(64));
    fs::write(bench.path("recipe.toml"), begins).unwrap();
    let output = command("2", "begun");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("[start]"));
    fs::write(bench.path("recipe.toml"), text).unwrap();
    let output = command("2", "undecided");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has not left"));
}

/// The bench with a recipe of one output, and `aosa` with these options on it.
fn choosing(bench: &Bench, changes: &[(&str, &str)], options: &[&str]) -> Output {
    let text = fs::read_to_string(bench.path("recipe.toml")).unwrap();
    let one = [
        ("time_width = 8", "time_width = 8\noutputs = 1"),
        ("[training]", "[diffusion]\nobjective = \"pred_noise\"\n\n[training]"),
    ];
    let text = one.iter().chain(changes).fold(text, |text, (from, to)| text.replacen(from, to, 1));
    fs::write(bench.path("recipe.toml"), text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_rddm-train"))
        .arg("aosa")
        .args(options)
        .arg(bench.path("recipe.toml"))
        .arg("--data")
        .arg(bench.path("data"))
        .arg("--out")
        .arg(bench.path("run"))
        .output()
        .unwrap()
}

#[test]
fn lambda_that_is_no_number_chooses_nothing() {
    for (options, code, says) in [
        (["--rate", "1e39"], 1, "at step 1 λ is"),
        (["--rate", "inf"], 2, "--rate: inf"),
        (["--rate", "0"], 2, "--rate: 0"),
        (["--threshold", "NaN"], 2, "--threshold: NaN"),
        (["--threshold", "0"], 2, "--threshold: 0"),
    ] {
        let bench = Bench::new(3);
        let output = choosing(&bench, &[], &options);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {text}");
        assert!(text.contains(says), "{options:?}: {text}");
        assert!(!bench.path("run/recipe.toml").exists(), "{options:?}");
    }
}

#[test]
fn a_choice_beyond_the_last_step_is_no_training_that_is_done() {
    let bench = Bench::new(4);
    let weight = ("target = \"gt\"", "target = \"gt\"\nweight = [9.0, 0.1]");
    let output = choosing(&bench, &[weight], &["--rate", "1e-3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::copy(bench.path("run/recipe.toml"), bench.path("recipe.toml")).unwrap();
    let output = bench.train("run");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.contains("beyond training.steps = 4"), "{text}");
}

#[test]
fn two_trainings_do_not_write_to_one_folder() {
    let bench = Bench::new(3);
    let recipe = rddm_train::Recipe::read(&bench.path("recipe.toml")).unwrap();
    let held = Run::open(&bench.path("run"), &recipe).unwrap();
    let output = bench.train("run");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.contains("another process trains here"), "{text}");
    drop(held);
    assert!(bench.train("run").status.success());

    let bench = Bench::new(3);
    let _held = Run::open(&bench.path("run"), &recipe).unwrap();
    let output = choosing(&bench, &[], &[]);
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another process trains here"));
}

#[test]
fn a_device_that_is_not_there_is_no_silent_fallback() {
    let bench = Bench::new(1);
    let cuda = if cfg!(feature = "cuda") { (8, "driver") } else { (2, "--features cuda") };
    let mut devices = vec![("cuda", cuda), ("gpu", (2, "cpu, libtorch, libtorch-cuda or cuda"))];
    if cfg!(not(feature = "libtorch")) {
        devices.push(("libtorch", (2, "--features libtorch")));
        devices.push(("libtorch-cuda", (2, "--features libtorch")));
    }
    for (device, (code, next)) in devices {
        let mut command = bench.command("run");
        // Hides the GPUs of a machine that has some.
        let output = command.args(["--device", device]).env("CUDA_VISIBLE_DEVICES", "").output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(&format!("--device {device}: ")) && text.contains(next), "{text}");
        assert!(!text.contains("panicked") && !bench.path("run").exists(), "{text}");
    }
}

#[test]
fn a_run_of_another_recipe_is_not_overwritten() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let text = RECIPE.replace("STEPS", "4");
    fs::write(bench.path("recipe.toml"), text).unwrap();
    let output = bench.train("run");
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another recipe"));
}

#[test]
fn a_run_is_evaluated_on_a_folder_of_pairs() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let path = bench.path("eval.json");
    let options = ["--steps", "1,2", "--output", path.to_str().unwrap()];
    let output = bench.evaluate("run", "data", &options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * 5);
    assert!(rows.iter().all(|row| row["dataset"] == "data/input" && row["engine"] == "burn"));
    assert_eq!(report["pictures"].as_array().unwrap().len(), 2 * 3);
    let weights = bench.path("run/weights.safetensors");
    let digest = || Digest::of(&fs::read(&weights).unwrap()).hex();
    assert_eq!(report["networks"], serde_json::json!([digest()]));

    // Figures of other steps are kept, of another network not.
    let measured = |steps: &str| {
        let options = ["--steps", steps, "--output", path.to_str().unwrap()];
        let output = bench.evaluate("run", "data", &options);
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(report["networks"], serde_json::json!([digest()]));
        let said = String::from_utf8_lossy(&output.stderr).contains("of another network");
        (report["rows"].as_array().unwrap().len(), said)
    };
    assert_eq!(measured("3"), (3 * 5, false));
    fs::remove_dir_all(bench.path("run")).unwrap();
    let recipe = fs::read_to_string(bench.path("recipe.toml")).unwrap();
    fs::write(bench.path("recipe.toml"), recipe.replace("[training]", "[training]\nseed = 7"))
        .unwrap();
    assert!(bench.train("run").status.success());
    assert_eq!(measured("3"), (5, true));

    // Clean pictures, degraded as the recipe does: the same ones each time.
    let table = || bench.evaluate_degraded("run");
    assert!(table().contains("data/tiny"), "{}", table());
    assert_eq!(table(), table());
}

/// A network that was trained for residual and noise serves those that need one of them, and reads the right one.
#[test]
fn a_run_is_sampled_by_what_its_network_predicts() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let measured = |objective: &str| {
        let output = bench.evaluate("run", "data", &["--objective", objective]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), output.stdout)
    };
    let [both, residual, noise] = ["pred_res_noise", "pred_res", "pred_noise"].map(&measured);
    for (code, text, _) in [&both, &residual, &noise] {
        assert_eq!(*code, Some(0), "{text}");
    }
    assert!(residual.2 != noise.2);
    for objective in ["pred_x0_noise", "pred_res_add_noise"] {
        let (code, text, _) = measured(objective);
        assert!(code == Some(2) && text.contains("--objective"), "{text}");
    }
    use rddm_core::Objective::{PredNoise, PredRes, PredResNoise, PredX0Noise};
    assert_eq!(first_output(PredResNoise, PredNoise), Some(1));
    assert_eq!(first_output(PredNoise, PredNoise), Some(0));
    assert_eq!(first_output(PredX0Noise, PredNoise), None);
    assert_eq!(first_output(PredRes, PredNoise), None);
}

#[test]
fn a_data_set_without_pictures_is_no_figure() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    fs::create_dir(bench.path("faces")).unwrap();
    fs::rename(bench.path("data/gt"), bench.path("faces/img_align_celeba")).unwrap();
    fs::write(bench.path("faces/list_eval_partition.txt"), "2\na.png 0\nb.png 0\n").unwrap();
    let report = bench.path("eval.json");
    let options = ["--layout", "celeb_a", "--output", report.to_str().unwrap()];
    let output = bench.evaluate("run", "faces", &options);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("faces: no picture of the test part"), "{text}");
    assert!(!report.exists());
}

#[test]
fn options_of_a_model_are_refused_for_a_run_and_steps_are_measured_once() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    for option in ["--engine=tract", "--threads=2", "--seed=3", "--registry=manifests"] {
        let output = bench.evaluate("run", "data", &[option]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option}: {text}");
        assert!(text.contains("cannot be used with"), "{option}: {text}");
    }
    let report = bench.path("eval.json");
    let options = ["--steps", "2,1,2,1", "--output", report.to_str().unwrap()];
    let output = bench.evaluate("run", "data", &options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let steps = rows.iter().map(|row| row["steps"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(steps, [[2; 5], [1; 5]].concat());
    // A command that can be given again.
    let command = rows[0]["command"].as_str().unwrap();
    assert!(command.contains("--run RUN --steps 2"), "{command}");
}

/// Equal pictures have no PSNR, and JSON no infinity.
#[test]
fn pictures_that_are_as_clean_as_they_can_be_leave_a_report_that_is_read_again() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    fs::remove_dir_all(bench.path("data/input")).unwrap();
    fs::create_dir(bench.path("data/input")).unwrap();
    for name in ["a.png", "b.png"] {
        fs::copy(bench.path("data/gt").join(name), bench.path("data/input").join(name)).unwrap();
    }
    let report = bench.path("eval.json");
    let figures = || {
        let output = bench.evaluate("run", "data", &["--output", report.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(&report).unwrap()
    };
    assert!(figures().contains("\"input\":100.0"), "{}", figures());
    assert!(!figures().contains("null"));
}

#[test]
fn a_network_that_is_told_where_a_picture_is_degraded_learns_by_it() {
    let bench = Bench::new(1);
    // One colour of holes all over is nothing to go by: only the mask says which pixels to trust.
    let text = RECIPE
        .replace("STEPS", "180")
        .replace("time_width = 8\n", "time_width = 8\nin_channels = 7\noutputs = 1\n")
        .replace("[[data]]\nkind = \"pairs\"\ninput = \"input\"\ntarget = \"gt\"\n\n", "")
        .replace("{ kind = \"camera_noise\" }", "{ kind = \"holes\", area = [0.1, 0.2] }")
        .replace("{ kind = \"rain\", angle = [10.0, 10.0] }", "{ kind = \"shadow\" }")
        .replace("[training]", "[diffusion]\nobjective = \"pred_res\"\n\n[training]\nrate = 3e-3");
    fs::write(bench.path("recipe.toml"), text).unwrap();
    let output = bench.train("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let curve = curve(&bench.path("run"));
    let mean = |part: &[(usize, f64, Vec<f64>)]| {
        part.iter().map(|(_, loss, _)| loss).sum::<f64>() / part.len() as f64
    };
    let (first, last) = (mean(&curve[..10]), mean(&curve[curve.len() - 10..]));
    assert!(last < 0.8 * first, "the loss went from {first} to {last}");
    bench.evaluate_degraded("run");
}

#[test]
fn a_degradation_is_drawn_with_its_mask() {
    let bench = Bench::new(1);
    let degrade = |degradation: &str| {
        Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .arg("degrade")
            .arg(bench.path("data/gt/a.png"))
            .args(["--degradation", degradation, "--output"])
            .arg(bench.path("degraded.png"))
            .arg("--mask")
            .arg(bench.path("mask.png"))
            .output()
            .unwrap()
    };
    assert!(degrade("{ kind = \"holes\" }").status.success());
    let open = |name: &str| image::open(bench.path(name)).unwrap().into_rgb8();
    let (clean, degraded, mask) = (open("data/gt/a.png"), open("degraded.png"), open("mask.png"));
    for (x, y, mask) in mask.enumerate_pixels() {
        assert!(mask.0[0] == 255 || degraded.get_pixel(x, y) == clean.get_pixel(x, y));
    }
    assert!(mask.pixels().any(|pixel| pixel.0 == [255; 3]));
    let output = degrade("{ kind = \"blur\" }");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no mask"));
}

#[test]
fn a_folder_is_degraded_into_a_data_set() {
    let bench = Bench::new(1);
    let text = RECIPE.replace("STEPS", "1").replace("\"camera_noise\"", "\"shadow\"");
    let text = text.replace("[validation]", "[validation]\nseed = 7");
    fs::write(bench.path("recipe.toml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
        .arg("degrade")
        .arg(bench.path("data/gt"))
        .arg("--recipe")
        .arg(bench.path("recipe.toml"))
        .arg("--output")
        .arg(bench.path("set"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // It is what an evaluation measures: the same inputs, and masks beside them.
    let degraded = evaluate::degraded_pairs(
        &bench.path("data/gt"),
        &DegradationSpec::Shadow(Shadow::default()),
        7,
    );
    let stored = evaluate::stored_pairs(&bench.path("set"), "input").unwrap();
    let mut count = 0;
    for (degraded, stored) in degraded.unwrap().zip(stored) {
        let ((name, degraded), (stored_name, stored)) = (degraded.unwrap(), stored.unwrap());
        assert_eq!(name, stored_name);
        assert_eq!(degraded.input, stored.input);
        assert_eq!(degraded.target, stored.target);
        let (drawn, read) = (degraded.mask.unwrap(), stored.mask.unwrap());
        let far = drawn.iter().zip(&read).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 0.51 / 255.0, "{name}: {far}");
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn a_folder_is_degraded_into_a_data_set_of_its_own() {
    let bench = Bench::new(1);
    let degrade = |degradation: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .arg("degrade")
            .arg(bench.path("data/gt"))
            .args(["--degradation", degradation, "--output"])
            .arg(bench.path("set"))
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (blur, holes) = ("{ kind = \"blur\" }", "{ kind = \"holes\" }");
    // The same pictures again replace those before, and so do masks.
    for degradation in [blur, blur, holes, holes] {
        let (code, text) = degrade(degradation);
        assert_eq!(code, Some(0), "{text}");
    }
    let (code, text) = degrade(blur);
    assert!(code == Some(7) && text.contains("mask"), "masks that tell of nothing: {text}");
    fs::rename(bench.path("data/gt/a.png"), bench.path("data/gt/d.png")).unwrap();
    let (code, text) = degrade(holes);
    assert!(code == Some(7) && text.contains("a.png") && text.contains("empty folder"), "{text}");
    assert!(!bench.path("set/gt/d.png").exists());

    fs::remove_dir_all(bench.path("set")).unwrap();
    let picture = image::open(bench.path("data/gt/b.png")).unwrap().into_rgb8();
    picture.save(bench.path("data/gt/b.jpg")).unwrap();
    let (code, text) = degrade(blur);
    assert!(code == Some(3) && text.contains("b.png"), "{code:?}: {text}");
    assert!(!bench.path("set").exists());
}

#[test]
fn clean_pictures_are_not_degraded_in_their_own_place() {
    let bench = Bench::new(1);
    let degrade = |input: &str, options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .args(["degrade", input, "--degradation", "{ kind = \"holes\" }"])
            .args(options)
            .current_dir(bench.folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let clean = fs::read(bench.path("data/gt/a.png")).unwrap();
    let one = "data/gt/a.png";
    for (options, says) in [
        (&["--output", "data/input/../gt/a.png"][..], "would be replaced"),
        (&["--output", "b.png", "--mask", one], "would be replaced"),
        (&["--output", "b.png", "--mask", "./b.png"], "file of --output"),
        (&["--output", "new/b.png", "--mask", "./new/b.png"], "file of --output"),
        (&["--output", "b.jpg"], "--output: b.jpg is written as PNG"),
        (&["--output", "b.png", "--mask", "mask"], "--mask: mask is written as PNG"),
    ] {
        let (code, text) = degrade(one, options);
        assert!(code == Some(2) && text.contains(says), "{options:?}: {text}");
    }
    let entries = fs::read_dir(bench.folder.path()).unwrap().count();
    assert_eq!(entries, 2, "the data and the recipe alone");

    // A set that lacks its degraded side gets it.
    fs::remove_dir_all(bench.path("data/input")).unwrap();
    let deep = image::ImageBuffer::from_fn(40, 36, |x, y| Rgb([x as u16, y as u16, 9]));
    image::DynamicImage::ImageRgb16(deep).save(bench.path("data/gt/b.png")).unwrap();
    let before = fs::read(bench.path("data/gt/b.png")).unwrap();
    let (code, text) = degrade("data/gt", &["--output", "data"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(bench.path("data/input/b.png").exists() && bench.path("data/mask/b.png").exists());
    assert!(fs::read(bench.path("data/gt/b.png")).unwrap() == before);
    let (code, text) = degrade("data/input", &["--output", "data"]);
    assert!(code == Some(2) && text.contains("would be replaced"), "{text}");
    assert!(fs::read(bench.path("data/gt/a.png")).unwrap() == clean);
}

/// What cannot be written whole leaves nothing in the way of the next try.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_is_no_dead_end() {
    let bench = Bench::new(40);
    let program = env!("CARGO_BIN_EXE_rddm-train");
    let limited = |blocks: &str, arguments: &[&str]| {
        let script = "trap '' XFSZ; ulimit -f $0; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, blocks, program]).args(arguments);
        command.current_dir(bench.folder.path()).output().unwrap()
    };
    let recipe = fs::read_to_string(bench.path("recipe.toml")).unwrap();
    let recipe = recipe.replace("time_width = 8", "time_width = 8\noutputs = 1");
    let recipe =
        recipe.replace("[training]", "[diffusion]\nobjective = \"pred_noise\"\n\n[training]");
    fs::write(bench.path("recipe.toml"), recipe).unwrap();
    let choose = &["aosa", "recipe.toml", "--data", "data", "--out", "run", "--rate", "1e-2"];
    assert_eq!(limited("8", choose).status.code(), Some(7));
    assert!(!bench.path("run/recipe.toml").exists());
    let output = limited("unlimited", choose);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let large = RgbImage::from_fn(130, 130, |x, y| Rgb([x as u8, y as u8, 0]));
    fs::create_dir(bench.path("my data")).unwrap();
    for name in ["a.png", "b.png"] {
        let mut picture = large.clone();
        picture.put_pixel(0, 0, Rgb([name.as_bytes()[0]; 3]));
        picture.save(bench.path("my data").join(name)).unwrap();
    }
    let begin = ["new-task", "dim", "--data", "my data", "--clean", "."];
    let begin =
        [&begin[..], &["--degradation", "{ kind = \"exposure\" }", "--zoo", "it's"]].concat();
    assert_eq!(limited("1", &begin).status.code(), Some(7));
    assert!(!bench.path("it's/dim").exists());
    let output = limited("unlimited", &begin);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let command = r"train 'it'\''s/dim/recipe.toml' --data 'my data' --out runs/dim";
    assert!(text.contains(command), "{text}");
    assert!(text.contains("publish --zoo 'it'\\''s' --out manifests"), "{text}");
}

#[test]
fn a_model_is_begun_whatever_its_texts_hold() {
    let folder = tempfile::tempdir().unwrap();
    let at = |part: &str| folder.path().join(part);
    for part in ["gt", "in \u{a0}'\"put"] {
        fs::create_dir(at(part)).unwrap();
        for (name, blue) in [("a.png", 1), ("b.png", 2)] {
            let picture = RgbImage::from_fn(130, 130, |x, y| Rgb([x as u8, y as u8, blue]));
            picture.save(at(part).join(name)).unwrap();
        }
    }
    let summary = "Says \"no\u{a0}more\" \\ less";
    let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
        .args(["new-task", "quoted", "--size", "tiny", "--summary", summary, "--terms", summary])
        .args(["--pairs", "in \u{a0}'\"put", "gt", "--data"])
        .arg(folder.path())
        .arg("--zoo")
        .arg(at("zoo"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let draft = fs::read_to_string(at("zoo/quoted/model.toml")).unwrap();
    let draft = Draft::parse(&draft).unwrap();
    assert_eq!(draft.summary.as_str(), summary);
    assert_eq!(draft.training_data[0].terms.as_str(), summary);
    assert_eq!(draft.training_data[0].name.as_str(), "in \u{a0}'\"put");
}

#[test]
fn figures_of_a_distance_are_named_by_the_folder_wherever_it_is_named_from() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let faces = folder.path().join("faces");
    fs::create_dir(&faces).unwrap();
    for (name, blue) in [("a.png", 1), ("b.png", 200)] {
        let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([3 * x as u8, 3 * y as u8, blue]));
        picture.save(faces.join(name)).unwrap();
    }
    let report = folder.path().join("eval.json");
    let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
        .args(["distance", "--model", "faces64", "--data", ".", "--steps", "1", "--registry"])
        .arg(root.join("manifests"))
        .arg("--output")
        .arg(&report)
        .current_dir(&faces)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["rows"][0]["dataset"], "faces");
}

#[test]
fn the_leaderboard_is_made_of_the_zoos_figures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let leaderboard = |zoo: &Path, page: &Path, check: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rddm-train"));
        command.arg("leaderboard").arg("--zoo").arg(zoo).arg("--output").arg(page);
        if check {
            command.arg("--check");
        }
        command.output().unwrap()
    };
    let output = leaderboard(&root.join("zoo"), &root.join("docs/leaderboard.md"), true);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let folder = tempfile::tempdir().unwrap();
    let (zoo, page) = (folder.path().join("zoo"), folder.path().join("page.md"));
    fs::create_dir_all(zoo.join("tiny")).unwrap();
    let row = |metric: &str, value: f64, more: &str| {
        format!(
            "{{\"dataset\": \"set/input\", \"metric\": \"{metric}\", \"value\": {value}, \"input\": 20.0, \
             \"steps\": 1, \"engine\": \"tract\", \"command\": \"\"{more}}}"
        )
    };
    let rows = [row("psnr_rgb", 30.0, ", \"least_gain\": 1.5"), row("psnr_y", 31.0, "")];
    fs::write(zoo.join("tiny/eval.json"), format!("{{\"rows\": [{}]}}", rows.join(", "))).unwrap();
    fs::write(zoo.join("tiny/tiny.onnx"), vec![0; 1 << 20]).unwrap();
    let other =
        "{\"rows\": [{\"dataset\": \"set/input\", \"method\": \"old\", \"psnr_rgb\": 25.0}]}";
    fs::write(zoo.join("classical.json"), other).unwrap();
    assert!(leaderboard(&zoo, &page, false).status.success());
    let text = fs::read_to_string(&page).unwrap();
    let place = |line: &str| text.find(line).unwrap_or_else(|| panic!("{line} is not in {text}"));
    let best = place("| tiny | 1 | 30.00 | 31.00 |  | +1.50 |  | 1.0 |");
    assert!(best < place("| old |") && place("| old |") < place("| the input |  | 20.00 |"));
    fs::write(zoo.join("classical.json"), other.replace("25", "35")).unwrap();
    assert_eq!(leaderboard(&zoo, &page, true).status.code(), Some(3));
}
