//! What cannot be done is refused with its kind and with what to do, and nothing is run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use ndarray::{Array2, Array3};
use prost::Message as _;
use rddm_core::{Method, Objective};
use rddm_manifest::{Manifest, Precision};
use rddm_runtime::{
    CancelToken, Control, Device, Error, ErrorKind, Progress, Restorer, RestorerBuilder, RowError,
    StepView,
};
use support::{Model, TinyNet, picture};
use tract_onnx::pb::{AttributeProto, FunctionProto, GraphProto, ModelProto, SparseTensorProto};

fn go(_: Progress) -> Control {
    Control::Continue
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, kind: ErrorKind, words: &[&str]) {
    let Err(error) = result else { panic!("it was accepted") };
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
    }
}

#[track_caller]
fn refused_option(
    model: &Model,
    kind: ErrorKind,
    words: &[&str],
    options: impl FnOnce(RestorerBuilder<'_>) -> RestorerBuilder<'_>,
) {
    let manifest = model.manifest();
    refused(options(Restorer::builder(&manifest)).build(model.files()), kind, words);
}

#[test]
fn a_flipped_byte_anywhere_is_noticed_before_the_network_is_parsed() {
    let model = Model::joint();
    let manifest = model.manifest();
    let good = model.files().remove(0);
    for at in [0, 1, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        refused(
            Restorer::builder(&manifest).build([bad]),
            ErrorKind::Integrity,
            &["tiny", "sha256:", "pull"],
        );
    }
    for bad in [&good[..good.len() - 1], &[], b"<html>not found</html>"] {
        refused(Restorer::builder(&manifest).build([bad]), ErrorKind::Integrity, &["bytes"]);
    }
}

#[test]
fn a_bad_file_is_refused_even_beside_the_right_one() {
    let model = Model::joint();
    let mut files = model.files();
    files.push(b"something else".to_vec());
    refused(
        Restorer::builder(&model.manifest()).build(files),
        ErrorKind::Integrity,
        &["file 2 of 2"],
    );
}

#[test]
fn files_can_come_in_any_order_and_none_may_lack() {
    let model = Model::two_networks();
    let manifest = model.manifest();
    let mut files = model.files();
    files.reverse();
    assert!(Restorer::builder(&manifest).build(&files).is_ok());
    refused(
        Restorer::builder(&manifest).build(&files[..1]),
        ErrorKind::Options,
        &["residual", "not given"],
    );
    refused(
        Restorer::builder(&manifest).build(Vec::<Vec<u8>>::new()),
        ErrorKind::Options,
        &["not given"],
    );
    let noise_alone = Restorer::builder(&manifest).objective(Objective::PredNoise);
    assert!(noise_alone.build(&files[..1]).is_ok());
}

/// Of two precisions the widest that is there whole runs, where none is asked for.
#[test]
fn the_files_of_one_precision_are_enough() {
    let model = Model::two_networks();
    let (mut manifest, wide) = (model.manifest(), model.files());
    let mut other = model.clone();
    other.networks.iter_mut().for_each(|(_, network)| network.seed += 9);
    let (others, narrow) = (other.manifest().networks.into_iter(), other.files());
    manifest.networks.extend(others.map(|mut network| {
        network.precision = Precision::Fp16;
        network
    }));
    let degraded = picture(3, 16, 16);
    let restored = |files: Vec<&Vec<u8>>| {
        let restorer = Restorer::builder(&manifest).build(files).unwrap();
        restorer.restore(degraded.view(), None, &mut go).unwrap()
    };
    let [of_wide, of_narrow] = [&wide, &narrow].map(|files| restored(files.iter().collect()));
    assert!(of_wide != of_narrow);
    assert!(restored(vec![&wide[0], &narrow[0], &narrow[1]]) == of_narrow);
    assert!(restored(vec![&narrow[0], &narrow[1], &wide[0], &wide[1]]) == of_wide);
    let asked = Restorer::builder(&manifest).precision(Precision::Fp32).build(&narrow);
    refused(asked, ErrorKind::Options, &["fp32", "not given"]);
    let half = Restorer::builder(&manifest).build([&wide[0], &narrow[1]]);
    refused(half, ErrorKind::Options, &["fp32", "not given"]);
}

#[test]
fn a_model_that_needs_a_newer_version_is_not_run() {
    let model = Model::joint();
    let mut manifest = model.manifest();
    manifest.least_runtime = "99.0.0".parse().unwrap();
    let words = ["99.0.0", env!("CARGO_PKG_VERSION"), "newer"];
    refused(Restorer::builder(&manifest).build(model.files()), ErrorKind::Options, &words);
    manifest.least_runtime = env!("CARGO_PKG_VERSION").parse().unwrap();
    assert!(Restorer::builder(&manifest).build(model.files()).is_ok());
}

#[test]
fn a_network_must_be_what_its_manifest_says() {
    let swapped = TinyNet { outputs: vec!["noise", "residual"], ..TinyNet::joint(3, 6) };
    let untimed = TinyNet { inputs: vec!["x"], ..TinyNet::joint(3, 6) };
    let declared = Model::joint();
    for (network, word) in [(swapped, "outputs"), (untimed, "inputs")] {
        let files = vec![network.onnx()];
        let manifest = declared.manifest_of(&files);
        refused(Restorer::builder(&manifest).build(files), ErrorKind::Network, &[word, "manifest"]);
    }
    let other = Model { opset: 18, ..Model::joint() };
    refused_option(&other, ErrorKind::Network, &["operator set", "17", "18"], |options| options);
}

#[test]
fn a_network_that_takes_or_gives_other_channels_fails_with_words() {
    let takes = Model { networks: vec![("joint", TinyNet::joint(3, 5))], ..Model::joint() };
    refused_option(&takes, ErrorKind::Network, &["5", "6", "channels"], |options| options);
    let gives = Model { networks: vec![("joint", TinyNet::joint(2, 6))], ..Model::joint() };
    let manifest = gives.manifest();
    let restorer = Restorer::builder(&manifest).build(gives.files()).unwrap();
    let result = restorer.restore(picture(3, 16, 16).view(), None, &mut go);
    refused(result, ErrorKind::Network, &["gives", "3 channels"]);
}

#[test]
fn bytes_that_are_no_network_are_refused_even_with_the_right_digest() {
    let model = Model::joint();
    let good = model.files().remove(0);
    let prefixes = (0..good.len()).step_by(41).map(|end| good[..end].to_vec());
    for bytes in prefixes.chain([b"not an onnx file".to_vec()]).filter(|bytes| !bytes.is_empty()) {
        let files = vec![bytes];
        let manifest = model.manifest_of(&files);
        match Restorer::builder(&manifest).build(&files) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Network, "{error}"),
            // Cut where a field ends, the rest may still be a network of the same face.
            Ok(restorer) => {
                let degraded = picture(3, 8, 8);
                let error = restorer.restore(degraded.view(), None, &mut go).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Network, "{error}");
            }
        }
    }
}

#[test]
fn weights_in_other_files_are_not_read() {
    let network = TinyNet { external: true, ..TinyNet::joint(3, 6) };
    let model = Model { networks: vec![("joint", network)], ..Model::joint() };
    refused_option(&model, ErrorKind::Network, &["w1", "beside"], |options| options);
}

#[test]
fn what_could_name_other_files_is_refused_wherever_it_is() {
    fn graph(model: &mut ModelProto) -> &mut GraphProto {
        model.graph.as_mut().unwrap()
    }
    fn attribute(model: &mut ModelProto) -> &mut AttributeProto {
        let node = graph(model).node.last_mut().unwrap();
        node.attribute
            .push(AttributeProto { name: "more".to_owned(), ..AttributeProto::default() });
        node.attribute.last_mut().unwrap()
    }
    type Change = fn(&mut ModelProto);
    let cases: [(&str, Change); 5] = [
        ("sparse", |model| graph(model).sparse_initializer.push(SparseTensorProto::default())),
        ("sparse", |model| attribute(model).sparse_tensor = Some(SparseTensorProto::default())),
        ("sparse", |model| attribute(model).sparse_tensors.push(SparseTensorProto::default())),
        ("sparse", |model| {
            let mut inner = GraphProto::default();
            inner.sparse_initializer.push(SparseTensorProto::default());
            attribute(model).g = Some(inner);
        }),
        ("functions", |model| model.functions.push(FunctionProto::default())),
    ];
    for (word, change) in cases {
        let model = Model::joint();
        let mut onnx = ModelProto::decode(&*model.files()[0]).unwrap();
        change(&mut onnx);
        let files = vec![onnx.encode_to_vec()];
        let manifest = model.manifest_of(&files);
        refused(Restorer::builder(&manifest).build(files), ErrorKind::Network, &[word, "without"]);
    }
}

#[test]
fn values_that_are_no_numbers_do_not_become_a_picture() {
    let network = TinyNet { broken: true, ..TinyNet::joint(3, 6) };
    let model = Model { networks: vec![("joint", network)], ..Model::joint() };
    let manifest = model.manifest();
    for threads in [1, 2] {
        let restorer = Restorer::builder(&manifest).threads(threads).build(model.files()).unwrap();
        let result = restorer.restore(picture(3, 90, 90).view(), None, &mut go);
        refused(result, ErrorKind::NotFinite, &["step 1"]);
    }
}

#[test]
fn what_networks_do_not_predict_cannot_be_asked() {
    let joint = Model::joint();
    for objective in [Objective::PredX0Noise, Objective::PredResAddNoise, Objective::PredX0AddNoise]
    {
        let words = [objective.name(), "pred_res_noise, pred_res or pred_noise"];
        refused_option(&joint, ErrorKind::Options, &words, |options| options.objective(objective));
    }
    let residual = Model {
        networks: vec![("residual", TinyNet::single("residual"))],
        objective: "pred_res",
        ..Model::joint()
    };
    for objective in [Objective::PredResNoise, Objective::PredNoise] {
        let words = [objective.name(), "pred_res"];
        refused_option(&residual, ErrorKind::Options, &words, |options| {
            options.objective(objective)
        });
    }
    refused_option(&residual, ErrorKind::Options, &["path-independent"], |options| {
        options.method(Method::PathIndependent)
    });
}

#[test]
fn options_out_of_range_are_refused() {
    let model = Model::joint();
    let kind = ErrorKind::Options;
    refused_option(&model, kind, &["steps"], |options| options.steps(0));
    refused_option(&model, kind, &["1001", "1000"], |options| options.steps(1001));
    refused_option(&model, kind, &["eta"], |options| options.eta(1.5));
    refused_option(&model, kind, &["eta"], |options| options.eta(f32::NAN));
    refused_option(&model, kind, &["strength"], |options| options.strength(-0.1));
    refused_option(&model, kind, &["strength"], |options| options.strength(f32::NAN));
    refused_option(&model, kind, &["tile"], |options| options.tile(0));
    refused_option(&model, kind, &["tile"], |options| options.tile(usize::MAX));
    refused_option(&model, kind, &["threads"], |options| options.threads(usize::MAX));
    refused_option(&model, kind, &["ancestral"], |options| options.method(Method::Ancestral));
    refused_option(&model, kind, &["int8", "fp32"], |options| options.precision(Precision::Int8));
}

#[test]
fn engines_and_devices_that_are_not_there_are_no_silent_fallback() {
    let model = Model::joint();
    refused_option(&model, ErrorKind::Engine, &["torch", "tract"], |options| {
        options.engine("torch")
    });
    for device in ["cuda", "cuda:1", "npu"] {
        let device: Device = device.parse().unwrap();
        let words = [&*device.to_string(), "cpu"];
        refused_option(&model, ErrorKind::Device, &words, |options| options.device(device.clone()));
    }
    for wrong in ["", "cpu:1", "auto:0x", "Cuda", "cuda:-1", "cuda:1:2", "../x", "cuda:99999999999"]
    {
        refused(wrong.parse::<Device>(), ErrorKind::Device, &["cuda:1"]);
    }
    let manifest = model.manifest();
    let auto = Restorer::builder(&manifest).device(Device::Auto).build(model.files()).unwrap();
    assert_eq!((auto.engine(), auto.device()), ("tract", "cpu"));
}

#[test]
fn pictures_that_the_model_does_not_take_are_refused() {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
    let of = |dim| restorer.restore(Array3::zeros(dim).view(), None, &mut go);
    refused(of((3, 0, 5)), ErrorKind::Input, &["5×0"]);
    refused(of((3, 5, 0)), ErrorKind::Input, &["0×5"]);
    refused(of((2, 5, 5)), ErrorKind::Input, &["2", "channels"]);
    refused(of((4, 5, 5)), ErrorKind::Input, &["4", "channels"]);
    let mut odd = picture(3, 9, 9);
    odd[(1, 4, 7)] = f32::NAN;
    refused(restorer.restore(odd.view(), None, &mut go), ErrorKind::Input, &["column 7, row 4"]);
    refused(restorer.generate([8, 8], 1, &mut go), ErrorKind::Options, &["restores"]);
    let mask = Array2::zeros((9, 9));
    let plain = picture(3, 9, 9);
    refused(
        restorer.restore(plain.view(), Some(mask.view()), &mut go),
        ErrorKind::Input,
        &["no mask"],
    );
}

#[test]
fn a_mask_must_be_there_and_fit() {
    let model = Model::masked();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
    let plain = picture(3, 9, 12);
    refused(restorer.restore(plain.view(), None, &mut go), ErrorKind::Input, &["needs a mask"]);
    let mask = Array2::zeros((12, 9));
    let result = restorer.restore(plain.view(), Some(mask.view()), &mut go);
    refused(result, ErrorKind::Input, &["9×12", "12×9"]);
    let mut mask = Array2::zeros((9, 12));
    mask[(4, 7)] = f32::NAN;
    let result = restorer.restore(plain.view(), Some(mask.view()), &mut go);
    refused(result, ErrorKind::Input, &["the mask has no number", "column 7, row 4"]);
}

#[test]
fn a_generator_takes_no_picture() {
    let model = Model::generator();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
    let result = restorer.restore(picture(3, 9, 9).view(), None, &mut go);
    refused(result, ErrorKind::Options, &["draws"]);
}

#[test]
fn stopping_works_from_the_callback_and_from_elsewhere() {
    let model = Model::joint();
    let manifest = model.manifest();
    for threads in [1, 2] {
        let options = || Restorer::builder(&manifest).threads(threads).tile(16);
        let restorer = options().build(model.files()).unwrap();
        let mut seen = 0;
        let degraded = picture(3, 100, 100);
        let result = restorer.restore(degraded.view(), None, &mut |progress| {
            seen += 1;
            assert_eq!(progress.done, seen);
            if seen == 5 { Control::Stop } else { Control::Continue }
        });
        refused(result, ErrorKind::Cancelled, &["stopped"]);
        assert_eq!(seen, 5);

        let token = CancelToken::default();
        let restorer = options().cancel(token.clone()).build(model.files()).unwrap();
        let result = restorer.restore(degraded.view(), None, &mut |progress| {
            if progress.done == 3 {
                let token = token.clone();
                std::thread::spawn(move || token.cancel()).join().unwrap();
            }
            assert!(progress.done <= 3, "it went on");
            Control::Continue
        });
        refused(result, ErrorKind::Cancelled, &[]);
        refused(restorer.restore(degraded.view(), None, &mut go), ErrorKind::Cancelled, &[]);
    }
}

#[test]
fn progress_reaches_its_end() {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).threads(2).tile(16).build(model.files()).unwrap();
    let mut last = None;
    restorer
        .restore(picture(3, 70, 50).view(), None, &mut |progress| {
            last = Some((progress.done, progress.tiles, progress.fraction()));
            Control::Continue
        })
        .unwrap();
    let (done, tiles, fraction) = last.unwrap();
    assert_eq!(done, tiles);
    assert!((fraction - 1.0).abs() < 1e-9);
}

#[test]
fn errors_of_source_and_sink_come_back() {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
    let fails = |row: usize| {
        move |y: usize| -> Result<(), RowError> {
            if y == row { Err("the disk is gone".into()) } else { Ok(()) }
        }
    };
    let read = fails(7);
    let mut source = |y: usize, _: &mut [f32]| read(y);
    let mut sink = |_: usize, _: &[f32]| Ok(());
    refused(
        restorer.restore_rows([3, 20, 20], &mut source, &mut sink, &mut go),
        ErrorKind::Rows,
        &["read row 7", "disk is gone"],
    );
    let write = fails(11);
    let mut source = |_: usize, _: &mut [f32]| Ok(());
    let mut sink = |y: usize, _: &[f32]| write(y);
    refused(
        restorer.restore_rows([3, 20, 20], &mut source, &mut sink, &mut go),
        ErrorKind::Rows,
        &["write row 11", "disk is gone"],
    );
}

/// A picture that shows the same pixel everywhere, and takes no memory itself.
#[test]
fn an_ensemble_for_whose_result_there_is_no_memory_is_refused() {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).tile(1 << 14).build(model.files()).unwrap();
    let pixel = Array3::from_elem((1, 1, 1), 0.5);
    let endless = pixel.broadcast((3, 1 << 24, 1 << 24)).unwrap();
    let result = restorer.restore_ensemble(endless, None, &mut go);
    refused(result, ErrorKind::Memory, &["16777216×16777216"]);
}

#[test]
fn memory_that_is_not_enough_is_said_before_work() {
    let model = Model::joint();
    let manifest: Manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).max_memory(10_000).build(model.files()).unwrap();
    let mut source = |_: usize, _: &mut [f32]| -> Result<(), RowError> { panic!("work began") };
    let mut sink = |_: usize, _: &[f32]| Ok(());
    refused(
        restorer.restore_rows([3, 500, 500], &mut source, &mut sink, &mut go),
        ErrorKind::Memory,
        &["MB", "allowed"],
    );
}

#[test]
fn what_is_asked_for_in_place_of_memory_was_asked_for_before() {
    let model = Model::joint();
    let manifest = model.manifest();
    for (threads, steps, tile, end) in [
        (1, 1, None, "allow more memory"),
        (1, 2, None, "allow more memory, or use fewer steps"),
        (2, 1, None, "allow more memory, or use fewer threads"),
        (2, 2, Some(64), "allow more memory, or use fewer threads or steps, or a smaller tile"),
    ] {
        let options = Restorer::builder(&manifest).max_memory(10_000).threads(threads);
        let options = tile.into_iter().fold(options.steps(steps), RestorerBuilder::tile);
        let error = options.build(model.files()).unwrap().memory_estimate([500, 500]).unwrap_err();
        assert!(error.to_string().ends_with(end), "{error}");
    }
}

#[test]
fn steps_are_shown_in_the_memory_that_is_allowed() {
    let model = Model::joint();
    let manifest = model.manifest();
    let input = picture(3, 400, 60);
    let mut restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
    let without = restorer.memory_estimate([400, 60]).unwrap();
    let with = restorer.memory_estimate_with_steps([400, 60]).unwrap();
    // The input, the pictures before and after the step, residual and noise; and what is shown.
    assert_eq!(with.rows, (8 * input.len() * size_of::<f32>()) as u64);

    restorer.set_max_memory(Some(without.bytes));
    assert!(restorer.restore(input.view(), None, &mut go).is_ok());
    let mut begun = |_: Progress| -> Control { panic!("work began") };
    let result = restorer
        .restore_with_steps(input.view(), None, &mut begun, &mut |_| panic!("work was done"));
    refused(result, ErrorKind::Memory, &["MB", "allowed"]);

    restorer.set_max_memory(Some(with.bytes));
    let mut on_step = |_: StepView<'_>| Control::Continue;
    assert!(restorer.restore_with_steps(input.view(), None, &mut go, &mut on_step).is_ok());
}

/// A wide picture takes more than a tall one.
#[test]
fn an_ensemble_knows_before_work_whether_its_turned_forms_fit() {
    for upright in [false, true] {
        let model = Model { upright, ..Model::joint() };
        let manifest = model.manifest();
        let mut restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
        let tall = restorer.least_memory([600, 40]).unwrap().bytes;
        assert!(restorer.least_memory([40, 600]).unwrap().bytes > tall);
        restorer.set_max_memory(Some(tall));
        let mut calls = 0;
        let mut on_progress = |_: Progress| {
            calls += 1;
            Control::Continue
        };
        let result = restorer.restore_ensemble(picture(3, 600, 40).view(), None, &mut on_progress);
        if upright {
            assert!(result.is_ok());
        } else {
            refused(result, ErrorKind::Memory, &["MB", "allowed"]);
            assert_eq!(calls, 0);
        }
    }
}
