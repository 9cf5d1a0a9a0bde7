//! The commands of the tutorial, run as it has them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and report")]

use std::fs;
use std::process::Command;

#[test]
fn own_degradation_leads_to_a_model_that_restores() {
    let root = rddm_tests::root().canonicalize().unwrap();
    let text = fs::read_to_string(root.join("examples/own-degradation/README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The tutorial speaks from the checkout's top and writes below own/ there.
    let examples = root.join("examples").display().to_string();
    let mut ran = 0;
    for line in text.split("```sh\n").skip(1).flat_map(|block| block.split("```").next()) {
        for line in line.lines() {
            let line = line.replace("examples/", &format!("{examples}/"));
            let (name, rest) = rddm_tests::by_cargo(&line)
                .unwrap_or_else(|| panic!("not a command of this project: {line}"));
            let Some(command) = rddm_tests::command(name) else { return };
            let output = Command::new("sh")
                .args(["-c", &format!("exec '{}' {rest}", command.display())])
                .current_dir(folder.path())
                .env_remove("RDDM_REGISTRY")
                .env("RDDM_HOME", folder.path().join("store"))
                .output()
                .unwrap();
            println!("{}", String::from_utf8_lossy(&output.stdout));
            assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
            ran += 1;
        }
    }
    assert_eq!(ran, 9, "the tutorial has other commands than before");
    let report = fs::read(folder.path().join("own/zoo/brighten/eval.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let row = report["rows"].as_array().unwrap().iter().find(|row| row["metric"] == "psnr_rgb");
    let (before, after) =
        (row.unwrap()["input"].as_f64().unwrap(), row.unwrap()["value"].as_f64().unwrap());
    assert!(after > before + 3.0, "the model of the tutorial goes from {before} to {after} dB");
    assert!(folder.path().join("own/look.brighten.png").exists());
}
