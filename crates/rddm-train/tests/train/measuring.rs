//! What is measured of runs and models, and where the figures go.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{Rgb, RgbImage};
use rddm_manifest::Digest;
use rddm_train::validate::first_output;

use crate::bench::Bench;

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
