//! The command as a program: files, exit codes, messages.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::path::Path;
use std::process::{Command, Output};

use burn::tensor::Device;
use rddm_manifest::Draft;
use rddm_networks::unet::{Networks, UnetConfig};

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rddm-export")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Weights of the official form.
fn weights(folder: &Path, networks: Networks) -> String {
    let config = UnetConfig { dim: 8, dim_mults: vec![1, 2], networks, ..UnetConfig::default() };
    let network = config.init(&Device::flex()).unwrap();
    let path = folder.join("Official Weights.safetensors");
    let bytes = rddm_networks::checkpoint::state_dict(&network).to_safetensors().unwrap();
    std::fs::write(&path, bytes).unwrap();
    text(&path).to_owned()
}

#[test]
fn official_writes_networks_and_a_draft() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/place");
    let output = command(&["official", &weights(folder.path(), Networks::Two), "-o", text(&out)]);
    assert!(output.status.success(), "{output:?}");
    let draft = Draft::parse(&std::fs::read_to_string(out.join("model.toml")).unwrap()).unwrap();
    assert_eq!(draft.id.as_str(), "official-weights");
    assert_eq!(draft.networks.len(), 2);
    for network in &draft.networks {
        assert!(out.join(network.file.as_str()).exists());
    }
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
}

#[test]
fn one_network_asks_what_it_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights(folder.path(), Networks::One);
    let out = folder.path().join("out");
    let output = command(&["official", &weights, "-o", text(&out)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--objective pred_res"));
    assert!(!out.exists());
    let output = command(&[
        "official",
        &weights,
        "-o",
        text(&out),
        "--objective",
        "pred_noise",
        "--id",
        "n",
    ]);
    assert!(output.status.success(), "{output:?}");
    assert!(out.join("n.onnx").exists());
}

#[test]
fn half_writes_a_smaller_file_and_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let (wide, narrow) = (folder.path().join("wide"), folder.path().join("narrow"));
    let weights = weights(folder.path(), Networks::Two);
    assert!(command(&["official", &weights, "-o", text(&wide), "--id", "n"]).status.success());
    let mut files: Vec<_> = std::fs::read_dir(&wide).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    assert_eq!(files.len(), 2);
    for file in &files {
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        let output = command(&["half", text(file), "-o", text(&narrow)]);
        assert!(output.status.success(), "{output:?}");
        let half = narrow.join(file.file_name().unwrap());
        assert!(size(&half) < size(file) * 2 / 3, "{} of {}", size(&half), size(file));
        // What is there already stays, and what is half already is not halved again.
        let before = std::fs::read(file).unwrap();
        assert_eq!(command(&["half", text(file), "-o", text(&wide)]).status.code(), Some(2));
        assert_eq!(std::fs::read(file).unwrap(), before);
        assert!(command(&["half", text(&half), "-o", text(folder.path())]).status.success());
        let again = folder.path().join(file.file_name().unwrap());
        assert_eq!(std::fs::read(again).unwrap(), std::fs::read(&half).unwrap());
    }
    let junk = folder.path().join("junk.onnx");
    std::fs::write(&junk, b"no network").unwrap();
    assert_eq!(command(&["half", text(&junk), "-o", text(&narrow)]).status.code(), Some(3));
}

#[test]
fn what_is_no_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(folder.path()).to_owned();
    assert_eq!(command(&["run", "missing", "-o", &out]).status.code(), Some(3));
    let junk = folder.path().join("junk.pt");
    std::fs::write(&junk, b"no checkpoint").unwrap();
    assert_eq!(command(&["official", text(&junk), "-o", &out]).status.code(), Some(3));
    assert_eq!(command(&["official"]).status.code(), Some(2));
}
