//! The command as a program: files, exit codes, messages.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use burn::tensor::{Device, TensorData};
use rddm_manifest::{Draft, Shape};
use rddm_networks::checkpoint::StateDict;
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
    fs::write(&path, bytes).unwrap();
    text(&path).to_owned()
}

#[test]
fn official_writes_networks_and_a_draft() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/place");
    let output = command(&["official", &weights(folder.path(), Networks::Two), "-o", text(&out)]);
    assert!(output.status.success(), "{output:?}");
    let draft = Draft::parse(&fs::read_to_string(out.join("model.toml")).unwrap()).unwrap();
    assert_eq!(draft.id.as_str(), "official-weights");
    assert_eq!(draft.networks.len(), 2);
    for network in &draft.networks {
        assert!(out.join(network.file.as_str()).exists());
    }
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
}

/// The draft's schedule is the checkpoint's own, and no guess where that has no name.
#[test]
fn official_takes_the_schedule_that_the_checkpoint_holds() {
    let folder = tempfile::tempdir().unwrap();
    let config = UnetConfig {
        dim: 8,
        dim_mults: vec![1, 2],
        networks: Networks::Two,
        ..UnetConfig::default()
    };
    let network = rddm_networks::checkpoint::state_dict(&config.init(&Device::flex()).unwrap());
    let path = folder.path().join("n.safetensors");
    let export = |alpha: fn(f32) -> f32, options: &[&str]| {
        let sums = |each: &dyn Fn(f32) -> f32| {
            let of = |t: usize| (1..=t).map(|t| each(t as f32)).sum::<f32>();
            (1..=100).map(|t| of(t) / of(100)).collect::<Vec<f32>>()
        };
        let betas = sums(&|t| t).iter().map(|sum| 0.1 * sum.sqrt()).collect();
        let mut tensors: Vec<_> =
            network.iter().map(|(n, d)| (format!("model.{n}"), d.clone())).collect();
        for (name, table) in [("alphas_cumsum", sums(&alpha)), ("betas_cumsum", betas)] {
            tensors.push((name.to_owned(), TensorData::new(table, [100])));
        }
        fs::write(&path, StateDict::new("test", tensors).to_safetensors().unwrap()).unwrap();
        command(&[&["official", text(&path), "-o", text(folder.path())], options].concat())
    };
    let draft =
        || Draft::parse(&fs::read_to_string(folder.path().join("model.toml")).unwrap()).unwrap();
    for (alpha, shape) in [(average as fn(f32) -> f32, Shape::Average), (falling, Shape::Decreased)]
    {
        let output = export(alpha, &[]);
        assert!(output.status.success(), "{output:?}");
        let sampler = draft().sampler;
        assert_eq!((sampler.alpha.shape, sampler.beta2.shape), (shape, Shape::Increased));
        assert!((sampler.sum_scale - 0.01).abs() < 1e-6 && sampler.timesteps == 100);
        fs::remove_file(folder.path().join("model.toml")).unwrap();
    }
    let output = export(|t| t * t, &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("alphas_cumsum"));
}

fn average(_: f32) -> f32 {
    1.0
}

fn falling(t: f32) -> f32 {
    101.0 - t
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

/// A link stays one, and a standard output that can't be written is no panic.
#[cfg(target_os = "linux")]
#[test]
fn networks_go_where_links_lead_whoever_reads_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let (link, network) = (folder.path().join("n.onnx"), folder.path().join("elsewhere.onnx"));
    std::os::unix::fs::symlink("elsewhere.onnx", &link).unwrap();
    let weights = weights(folder.path(), Networks::One);
    let export = |out: std::process::Stdio| {
        Command::new(env!("CARGO_BIN_EXE_rddm-export"))
            .args(["official", &weights, "--objective", "pred_noise", "--id", "n", "-o"])
            .arg(folder.path())
            .stdout(out)
            .output()
            .unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = export(writer.into());
    assert!(output.status.success(), "{output:?}");
    assert!(link.is_symlink() && network.is_file());
    let output = export(fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into());
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard output"));
}

#[test]
fn half_writes_a_smaller_file_and_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let (wide, narrow) = (folder.path().join("wide"), folder.path().join("narrow"));
    let weights = weights(folder.path(), Networks::Two);
    assert!(command(&["official", &weights, "-o", text(&wide), "--id", "n"]).status.success());
    let mut files: Vec<_> = fs::read_dir(&wide).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    assert_eq!(files.len(), 2);
    for file in &files {
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        let output = command(&["half", text(file), "-o", text(&narrow)]);
        assert!(output.status.success(), "{output:?}");
        let half = narrow.join(file.file_name().unwrap());
        assert!(size(&half) < size(file) * 2 / 3, "{} of {}", size(&half), size(file));
        // What is there already stays, and what is half already is not halved again.
        let before = fs::read(file).unwrap();
        assert_eq!(command(&["half", text(file), "-o", text(&wide)]).status.code(), Some(2));
        assert_eq!(fs::read(file).unwrap(), before);
        assert!(command(&["half", text(&half), "-o", text(folder.path())]).status.success());
        let again = folder.path().join(file.file_name().unwrap());
        assert_eq!(fs::read(again).unwrap(), fs::read(&half).unwrap());
    }
    let junk = folder.path().join("junk.onnx");
    fs::write(&junk, b"no network").unwrap();
    assert_eq!(command(&["half", text(&junk), "-o", text(&narrow)]).status.code(), Some(3));
}

#[test]
fn what_is_no_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(folder.path()).to_owned();
    assert_eq!(command(&["run", "missing", "-o", &out]).status.code(), Some(3));
    let junk = folder.path().join("junk.pt");
    fs::write(&junk, b"no checkpoint").unwrap();
    assert_eq!(command(&["official", text(&junk), "-o", &out]).status.code(), Some(3));
    assert_eq!(command(&["official"]).status.code(), Some(2));
}
