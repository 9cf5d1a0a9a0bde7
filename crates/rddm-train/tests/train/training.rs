//! Trainings end, go on after a kill, and refuse what cannot be trained.

use std::fs;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rddm_manifest::Digest;
use rddm_train::log::{Entry, append, read};
use rddm_train::run::Run;

use crate::bench::{Bench, RECIPE, curve, trains_with};

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
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("goes on from step ") && text.contains("step     30  input"), "{text}");
    assert_eq!(curve(&bench.path("killed")), whole);
    let weights = |run: &str| fs::read(bench.path(run).join("weights.safetensors")).unwrap();
    assert!(weights("killed") == weights("whole"));
    assert!(bench.path("killed/curve.svg").exists());
    // Two sources of one folder are two lines of the curve.
    let entries = read(&bench.path("whole/log.jsonl"), usize::MAX).unwrap();
    let names: Vec<_> = entries[0].scores.iter().map(|score| score.source.as_str()).collect();
    assert_eq!(names, ["input", "input", "gt", "gt", "gt (2)", "gt (2)"]);
}

/// Between two renames only the checkpoint before is there: it stays until the next one has its place.
#[cfg(unix)]
#[test]
fn the_only_checkpoint_outlives_one_that_cannot_be_written() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let [place, old, part] =
        ["", ".old", ".part"].map(|end| bench.path(&format!("run/checkpoint{end}")));
    fs::rename(&place, &old).unwrap();
    let state = fs::read_to_string(old.join("state.json")).unwrap();
    let earlier = state.replace("\"step\": 3", "\"step\": 1");
    assert_ne!(state, earlier);
    fs::write(old.join("state.json"), earlier).unwrap();
    std::os::unix::fs::symlink("nowhere", &place).unwrap();
    let output = bench.train("run");
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(old.exists() && !part.exists());
    fs::remove_file(&place).unwrap();
    assert!(bench.train("run").status.success());
    assert!(place.exists() && !old.exists());
}

#[test]
fn a_log_that_is_read_and_written_again_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let entry = |step: usize| {
        let loss = (step as f64).sqrt().sin() * 1e-3;
        Entry { step, seconds: 1.0 / loss, loss, rate: loss / 7.0, scores: Vec::new() }
    };
    let entries: Vec<Entry> = (1..300).map(entry).collect();
    entries.iter().for_each(|entry| append(&path, entry).unwrap());
    assert_eq!(read(&path, usize::MAX).unwrap(), entries);
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
    let network_and_data =
        &RECIPE[RECIPE.find("time_width").unwrap()..RECIPE.find("[training]").unwrap()];
    let generates = "in_channels = 3\n[diffusion]\nconditional = false\n[[data]]\nkind = \"clean\"\nclean = \"gt\"\n";
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
        (network_and_data, generates, 2, "diffusion.sum_scale: 0.01"),
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
fn nothing_is_beyond_the_last_step() {
    let bench = Bench::new(4);
    let weight = ("target = \"gt\"", "target = \"gt\"\nweight = [9.0, 0.1]");
    let output = choosing(&bench, &[weight], &["--rate", "1e-3"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains("after 4 steps"), "{text}");
    assert!(!bench.path("run/recipe.toml").exists());
    // As an earlier version left it.
    assert!(bench.train("run").status.success());
    let path = bench.path("run/checkpoint/state.json");
    let state = fs::read_to_string(&path).unwrap();
    fs::write(&path, state.replace("\"step\": 4", "\"step\": 5")).unwrap();
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
fn a_training_that_goes_on_says_that_its_pictures_are_others() {
    let bench = Bench::new(4);
    assert!(bench.train("run").status.success());
    // From before the last step.
    let goes_on = || {
        let path = bench.path("run/checkpoint/state.json");
        let state = fs::read_to_string(&path).unwrap();
        fs::write(&path, state.replace("\"step\": 4", "\"step\": 3")).unwrap();
        let output = bench.train("run");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && text.contains("goes on from step 3"), "{text}");
        text.contains("note: the pictures are others")
    };
    assert!(!goes_on());
    for part in ["gt", "input"] {
        let folder = bench.path("data").join(part);
        fs::copy(folder.join("a.png"), folder.join("d.png")).unwrap();
    }
    assert!(goes_on());
    assert!(!goes_on());
}

#[test]
fn a_run_goes_on_whatever_the_notes_of_its_recipe_say() {
    let bench = Bench::new(3);
    let noted = |notes: &str| {
        let text =
            RECIPE.replace("STEPS", "3").replace("[network]", &format!("{notes}\n[network]"));
        fs::write(bench.path("recipe.toml"), text).unwrap();
        let output = bench.train("run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for notes in ["notes = \"first\"", "notes = \"second\""] {
        let (code, text) = noted(notes);
        assert_eq!(code, Some(0), "{text}");
    }
    // As an earlier version wrote it: the digest is of the notes too.
    let state = bench.path("run/checkpoint/state.json");
    let mut earlier: serde_json::Value =
        serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    let recipe = rddm_train::Recipe::read(&bench.path("run/recipe.toml")).unwrap();
    earlier["recipe"] = Digest::of(recipe.to_toml().unwrap().as_bytes()).hex().into();
    fs::write(&state, earlier.to_string()).unwrap();
    let (code, text) = noted("");
    assert_eq!(code, Some(0), "{text}");
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
