//! What is measured of runs and models, and where the figures go.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{Rgb, RgbImage};
use rddm_manifest::Digest;
use rddm_train::validate::first_output;

use crate::bench::{Bench, RECIPE, trains_with};

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

    // What has no degraded side is said.
    let said = || {
        let output = bench.evaluate("run", "data", &[]);
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let [table, notes] = said();
    assert!(table.contains(" 3     1    burn") && notes.is_empty(), "{table}{notes}");
    fs::remove_file(bench.path("data/input/b.png")).unwrap();
    let [table, notes] = said();
    assert!(table.contains(" 2     1    burn"), "{table}");
    assert!(notes.contains("data/input: 1 clean picture has no degraded partner"), "{notes}");
}

#[test]
fn a_run_of_grey_pictures_is_measured_on_their_luma() {
    let pairs = RECIPE.find("[[data]]\nkind = \"degraded\"").unwrap();
    let degraded = &RECIPE[pairs..RECIPE.find("[training]").unwrap()];
    let keys = "channels = 1\nin_channels = 2\ntime_width = 8";
    let bench = trains_with(&[("time_width = 8", keys), (degraded, "")]);
    let path = bench.path("eval.json");
    let output = bench.evaluate("run", "data", &["--output", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // BT.601, as the runtime makes pictures grey.
    let grey = |part: &str| {
        let picture = image::open(bench.path("data").join(part).join("a.png")).unwrap().into_rgb8();
        let luma = |p: &Rgb<u8>| {
            let [r, g, b] = p.0.map(f64::from);
            (0.299 * r + 0.587 * g + 0.114 * b).round()
        };
        picture.pixels().map(luma).collect::<Vec<f64>>()
    };
    let (input, clean) = (grey("input"), grey("gt"));
    let squares: f64 = input.iter().zip(&clean).map(|(a, b)| (a - b).powi(2)).sum();
    let psnr = -10.0 * (squares / clean.len() as f64 / 255f64.powi(2)).log10();
    let measured = &report["pictures"][0];
    assert_eq!(measured["name"], "a.png");
    let of_input = measured["input"]["psnr_rgb"].as_f64().unwrap();
    assert!((of_input - psnr).abs() < 2e-4, "{of_input} {psnr}");

    let recipe = bench.path("recipe.toml");
    let output = bench.evaluate("run", "data/gt", &["--degraded", recipe.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("restores grey ones"), "{text}");
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

    let loud = bench.evaluate("run", "data", &["--sum-scale", "1"]);
    assert!(loud.status.success() && loud.stdout != both.2);
    let output = bench.evaluate("run", "data", &["--residual-limit", "0"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("residual_limit is 0"), "{text}");
}

#[test]
fn every_layout_is_in_the_help() {
    let eval = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rddm-train"));
        command.arg("eval").args(options).output().unwrap()
    };
    let help = String::from_utf8(eval(&["--help"]).stdout).unwrap();
    let wrong = ["--run", "run", "--data", ".", "--layout", "none"];
    let names = String::from_utf8(eval(&wrong).stderr).unwrap();
    let names: Vec<&str> = names.split('`').skip(3).step_by(2).collect();
    assert!(names.contains(&"rain100"), "{names:?}");
    assert!(names.iter().all(|name| help.contains(name)), "{names:?}: {help}");
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

/// The figures of a report.
fn rows(path: &Path) -> Vec<serde_json::Value> {
    let report: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    report["rows"].as_array().unwrap().clone()
}

#[test]
fn what_was_measured_before_a_failure_is_kept_and_what_is_missing_shows_first() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    for part in ["gt", "input"] {
        let folder = bench.path("a small one's").join(part);
        fs::create_dir_all(&folder).unwrap();
        RgbImage::new(3, 5).save(folder.join("small.png")).unwrap();
    }
    let report = bench.path("eval.json");
    let measured = |options: &[&str]| {
        let options = [&["--output", report.to_str().unwrap()], options].concat();
        let output = bench.evaluate("run", "data", &options);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout)
    };
    let missing = bench.path("missing");
    for options in [["--steps", "1,5000"], ["--data", missing.to_str().unwrap()]] {
        let (code, text, out) = measured(&options);
        assert!(code != Some(0) && out.is_empty(), "{options:?}: {text}");
    }
    assert!(!report.exists());
    let small = bench.path("a small one's");
    let (code, text, _) = measured(&["--data", small.to_str().unwrap()]);
    assert!(code == Some(3) && text.contains("small.png: "), "{text}");
    assert_eq!(rows(&report).len(), 5);

    // A command that can be given again.
    fs::remove_dir_all(&small).unwrap();
    fs::rename(bench.path("data"), &small).unwrap();
    let output = bench.evaluate("run", "a small one's", &["--output", report.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let command = rows(&report)[5]["command"].to_string();
    assert!(command.contains("one'\\\\''s'"), "{command}");
}

#[test]
fn two_evaluations_at_a_time_add_to_one_report() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let report = bench.path("eval.json");
    let children = ["1", "2", "3"].map(|steps| {
        let options = ["--steps", steps, "--output", report.to_str().unwrap()];
        bench.evaluation("run", "data", &options).spawn().unwrap()
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(rows(&report).len(), 3 * 5);

    let other = bench.path("other/data");
    fs::create_dir(bench.path("other")).unwrap();
    fs::rename(bench.path("data"), &other).unwrap();
    for replaces in [true, false] {
        let output = bench.evaluate("run", "other/data", &["--output", report.to_str().unwrap()]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert_eq!(text.contains("the figures of data/input replace those of"), replaces, "{text}");
    }
    assert_eq!(rows(&report).len(), 3 * 5);
}

#[cfg(target_os = "linux")]
#[test]
fn figures_are_whole_whoever_reads_the_table_and_wherever_they_go() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let (report, link) = (bench.path("eval.json"), bench.path("link.json"));
    std::os::unix::fs::symlink("eval.json", &link).unwrap();
    let options = ["--steps", "1,2", "--output", link.to_str().unwrap()];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bench.evaluation("run", "data", &options).stdout(writer).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(link.is_symlink());
    assert_eq!(rows(&report).len(), 2 * 5);

    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bench.evaluation("run", "data", &options).stdout(full).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(7) && text.contains("standard output"), "{text}");

    let output = bench.evaluate("run", "data", &["--steps", "1,2", "--output", "/dev/stdout"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, json) = text.split_once("\n{").unwrap();
    assert_eq!(json.matches("\"psnr_y\",").count(), 2, "{text}");
}

#[test]
fn a_file_that_cannot_be_read_has_code_3() {
    let bench = Bench::new(3);
    assert!(bench.train("run").status.success());
    let (run, data, bad) = (bench.path("run"), bench.path("data"), bench.path("bad.json"));
    let [run, data, bad] = [&run, &data, &bad].map(|path| path.to_str().unwrap());
    fs::write(bad, "{").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let (zoo, registry) = (root.join("zoo"), root.join("manifests"));
    let [zoo, registry] = [&zoo, &registry].map(|path| path.to_str().unwrap());
    let masked = ["eval", "--model", "shadow-mask", "--registry", registry, "--data", data];
    for (arguments, says) in [
        (&["eval", "--run", run, "--data", data, "--output", bad][..], "bad.json"),
        (&masked, "mask"),
        (&["plot", data], "log.jsonl"),
        (&["leaderboard", "--zoo", bad], "bad.json"),
        (&["leaderboard", "--zoo", zoo, "--check", "--output", "missing.md"], "missing.md"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_rddm-train")).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
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
fn figures_of_a_distance_are_named_by_the_folder_wherever_it_is_named_from() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let faces = folder.path().join("faces");
    let real = folder.path().join("real");
    for (place, blues) in [(&faces, &[1, 200, 90][..]), (&real, &[50, 150])] {
        fs::create_dir(place).unwrap();
        for &blue in blues {
            let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([3 * x as u8, 3 * y as u8, blue]));
            picture.save(place.join(format!("{blue}.png"))).unwrap();
        }
    }
    let report = folder.path().join("eval.json");
    let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
        .args(["distance", "--model", "faces64", "--data", ".", "--steps", "1", "--registry"])
        .arg(root.join("manifests"))
        .args(["--real", "../real"])
        .arg("--output")
        .arg(&report)
        .current_dir(&faces)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["rows"][0]["dataset"], "faces");
    // The figures of two sets tell something where their numbers are the same.
    assert!(String::from_utf8_lossy(&output.stderr).contains("note: 2 pictures of each"));
    assert_eq!(report["rows"][0]["pictures"], 2);
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
    let measured = |network: &[u8]| {
        let networks = format!("\"networks\": [\"{}\"]", Digest::of(network).hex());
        let report = format!("{{{networks}, \"rows\": [{}]}}", rows.join(", "));
        fs::write(zoo.join("tiny/eval.json"), report).unwrap();
    };
    let network = vec![0; 1 << 20];
    measured(&network);
    fs::write(zoo.join("tiny/tiny.onnx"), &network).unwrap();
    fs::write(zoo.join("tiny/draft.onnx"), &network).unwrap();
    fs::write(zoo.join("tiny/model.toml"), "networks = [{ file = \"tiny.onnx\" }]").unwrap();
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

    let unsaid = format!("{{\"rows\": [{}]}}", rows.join(", "));
    fs::write(zoo.join("tiny/eval.json"), unsaid).unwrap();
    let output = leaderboard(&zoo, &page, false);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("does not say on which"), "{text}");

    measured(b"another");
    let output = leaderboard(&zoo, &page, false);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("tiny: eval.json"), "{text}");
    assert!(!fs::read_to_string(&page).unwrap().contains("| tiny |"));
    assert_eq!(leaderboard(&zoo, &page, true).status.code(), Some(3));
}
