//! Checkpoints that are damaged, hostile, or of another network.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

mod common;

use std::io::Write;

use burn::tensor::{Device, TensorData};
use common::{Goldens, pickle, zip};
use rddm_networks::checkpoint::{Checkpoint, Error, ErrorKind, StateDict, Weights, state_dict};
use rddm_networks::unet::{Networks, UnetConfig, UnetRes};

#[test]
fn what_does_not_fit_is_named() {
    let device = Device::flex();
    let config = UnetConfig {
        dim: 8,
        dim_mults: vec![1, 2],
        networks: Networks::One,
        ..UnetConfig::default()
    };
    let network = config.init(&device).unwrap();
    let weights = state_dict(&network);
    let changed = weights.iter().filter_map(|(name, data)| match name {
        "unet0.final_conv.bias" => None,
        "unet0.time_mlp.1.weight" => Some((name.to_owned(), TensorData::zeros::<f32, _>([32, 9]))),
        _ => Some((name.to_owned(), data.clone())),
    });
    let extra = ("unet0.self_condition.weight".to_owned(), TensorData::zeros::<f32, _>([1]));
    let changed = StateDict::new("other.safetensors", changed.chain([extra]));

    let error = network.load_state_dict(&changed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    let mismatch = error.mismatch();
    assert_eq!(mismatch.missing, ["unet0.final_conv.bias"]);
    assert_eq!(mismatch.unexpected, ["unet0.self_condition.weight"]);
    assert_eq!(mismatch.wrong_shape.len(), 1);
    assert_eq!(mismatch.wrong_shape[0].name, "unet0.time_mlp.1.weight");
    assert_eq!(mismatch.wrong_shape[0].expected, [32, 8]);
    assert_eq!(mismatch.wrong_shape[0].found, [32, 9]);
    let text = error.to_string();
    for part in
        ["other.safetensors", "unet0.final_conv.bias", "unet0.self_condition.weight", "[32, 9]"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_network_of_another_kind_is_no_unet() {
    let weights = StateDict::new(
        "classifier",
        [("fc.weight".to_owned(), TensorData::zeros::<f32, _>([2, 2]))],
    );
    let error = UnetRes::from_state_dict(&weights, &Device::flex()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Absent);
    assert!(error.to_string().contains("init_conv.weight"), "{error}");
}

#[test]
fn code_in_a_pickle_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran");
    let command = format!("cos\nsystem\n(S'touch {}'\ntR.", mark.display());
    let as_weight = format!("(dS'unet0.init_conv.weight'\n{}", command.replace("tR.", "tRs."));
    for text in [command, as_weight] {
        let plain = open(text.as_bytes()).unwrap_err();
        assert!(matches!(plain.kind(), ErrorKind::Malformed | ErrorKind::Absent), "{plain}");
        let zipped = open(&zip(&[("model/data.pkl", text.as_bytes())])).unwrap_err();
        assert!(matches!(zipped.kind(), ErrorKind::Malformed | ErrorKind::Absent), "{zipped}");
    }
    assert!(!mark.exists());
}

#[test]
fn nesting_without_end_is_refused() {
    let mut lists = vec![0x80, 2];
    lists.resize(2_000_000, b']');
    lists.push(b'.');
    assert_eq!(open(&lists).unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(open(&zip(&[("model/data.pkl", &lists)])).unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn a_tensor_that_claims_more_than_the_file_has_is_refused() {
    // One stored number, seen 1024·64·7·7 times through strides of 0.
    let hostile = pickle::state_dict("unet0.init_conv.weight", &[1024, 64, 7, 7], &[0, 0, 0, 0]);
    let file = zip(&[("model/data.pkl", &hostile), ("model/data/0", &1.0_f32.to_le_bytes())]);
    let error = open(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("claim more bytes"), "{error}");
    // The same file with one number seen once is read.
    let honest = pickle::state_dict("unet0.init_conv.weight", &[1, 1, 1, 1], &[1, 1, 1, 1]);
    let file = zip(&[("model/data.pkl", &honest), ("model/data/0", &1.0_f32.to_le_bytes())]);
    let checkpoint = open(&file).unwrap();
    let weight = checkpoint.network.get("unet0.init_conv.weight").unwrap();
    assert_eq!(weight.try_to_vec::<f32>().unwrap(), [1.0]);
}

#[test]
fn no_damage_panics() {
    let Some(goldens) = Goldens::find() else { return };
    for case in goldens.of_kind("checkpoint") {
        let whole = goldens.bytes(case["checkpoint"].as_str().unwrap());
        for part in 0..40 {
            let cut = whole.len() * part / 40;
            assert!(open(&whole[..cut]).is_err(), "{cut} bytes of {}", whole.len());
        }
        // Damage where the names and shapes stand: read or refused, never a panic.
        let pickle = whole.windows(4).position(|bytes| bytes == [0x80, 2, b'}', b'q']).unwrap();
        for place in (pickle..pickle + 20_000).step_by(97) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x5a;
            if let Ok(checkpoint) = open(&damaged) {
                let _ = UnetRes::from_state_dict(&checkpoint.network, &Device::flex());
            }
        }
    }
}

#[test]
fn safetensors_are_refused_when_cut() {
    let dict = StateDict::new(
        "x",
        [("unet0.init_conv.weight".to_owned(), TensorData::zeros::<f32, _>([8, 6, 7, 7]))],
    );
    let whole = dict.to_safetensors().unwrap();
    assert!(open(&whole).is_ok());
    for cut in (0..whole.len()).step_by(29) {
        assert!(open(&whole[..cut]).is_err());
    }
}

#[test]
fn a_missing_file_is_unreadable() {
    let error = Checkpoint::open("no/such/model.pt".as_ref(), Weights::Average).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    assert!(error.to_string().contains("no/such/model.pt"), "{error}");
}

fn open(bytes: &[u8]) -> Result<Checkpoint, Error> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Checkpoint::open(file.path(), Weights::Average)
}
