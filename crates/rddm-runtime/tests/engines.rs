//! Engines give the same numbers, and say what is missing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use ndarray::Array4;
use rddm_runtime::{EngineOptions, Network, engine, engines};
use support::{Model, TinyNet};

fn tract(network: &TinyNet) -> Box<dyn Network> {
    engine("tract").unwrap().load(&network.onnx(), &EngineOptions::default()).unwrap()
}

fn batch(n: usize, c: usize, h: usize, w: usize) -> Array4<f32> {
    Array4::from_shape_fn((n, c, h, w), |(n, c, y, x)| {
        ((n * 31 + c * 17 + y * 7 + x * 3) % 23) as f32 / 11.5 - 1.0
    })
}

#[test]
fn the_table_has_tract_first_and_no_name_twice() {
    let names: Vec<_> = engines().iter().map(|engine| engine.name()).collect();
    assert_eq!(names[0], "tract");
    assert!(names.iter().all(|name| names.iter().filter(|other| other == &name).count() == 1));
    assert!(engines().iter().all(|engine| !engine.summary().is_empty()));
}

#[test]
fn tract_runs_any_shape_and_every_picture_of_a_batch_alike() {
    let mut network = tract(&TinyNet::joint(3, 6));
    assert_eq!(network.inputs(), ["x", "time"]);
    assert_eq!(network.outputs(), ["residual", "noise"]);
    for (h, w) in [(2, 2), (16, 8), (30, 44), (16, 8), (8, 16), (64, 2), (2, 64), (6, 6)] {
        let both = batch(2, 6, h, w);
        let outputs = network.run(both.view(), &[500.0]).unwrap();
        assert_eq!(outputs.len(), 2);
        assert!(outputs.iter().all(|output| output.dim() == (2, 3, h, w)));
        for n in 0..2 {
            let one = both.slice(ndarray::s![n..=n, .., .., ..]);
            let alone = network.fork().unwrap().run(one, &[500.0]).unwrap();
            for (alone, output) in alone.iter().zip(&outputs) {
                let far = (alone - &output.slice(ndarray::s![n..=n, .., .., ..])).mapv(f32::abs);
                assert!(far.iter().all(|&far| far < 1e-5));
            }
        }
    }
}

#[test]
fn the_time_reaches_the_network() {
    let two_times = TinyNet { inputs: vec!["x", "time", "time2"], ..TinyNet::joint(3, 6) };
    let mut network = tract(&two_times);
    let x = batch(1, 6, 8, 8);
    let base = network.run(x.view(), &[100.0, 200.0]).unwrap();
    for times in [[300.0, 200.0], [100.0, 300.0], [200.0, 100.0]] {
        let other = network.run(x.view(), &times).unwrap();
        assert!(base[0].iter().zip(&other[0]).any(|(a, b)| (a - b).abs() > 1e-3), "{times:?}");
    }
}

#[test]
fn a_footprint_grows_with_the_window() {
    let network = tract(&TinyNet::joint(3, 6));
    let small = network.footprint([1, 6, 64, 64]).unwrap();
    let large = network.footprint([1, 6, 128, 128]).unwrap();
    // At least the picture that goes in and the hidden layer.
    assert!(small.running >= 64 * 64 * 4 * 6, "{small:?}");
    let growth = large.running as f64 / small.running as f64;
    assert!((3.0..=5.0).contains(&growth), "{small:?} {large:?}");
    assert!(small.weights > 0);
}

#[cfg(not(feature = "ort"))]
#[test]
fn without_the_feature_the_message_names_it() {
    let Err(error) = engine("ort") else { panic!("it is there") };
    assert_eq!(error.kind(), rddm_runtime::ErrorKind::Engine);
    assert!(error.to_string().contains("feature `ort`"), "{error}");
    let _ = Model::joint();
}

#[cfg(feature = "ort")]
mod onnx_runtime {
    use prost::Message as _;
    use rddm_runtime::{Control, Device, ErrorKind, Restorer};
    use tract_onnx::pb::{AttributeProto, ModelProto, attribute_proto::AttributeType};

    use super::*;
    use crate::support::{onnx_runtime, picture};

    fn options() -> Option<EngineOptions> {
        let mut options = EngineOptions::default();
        options.library = Some(onnx_runtime()?);
        Some(options)
    }

    #[test]
    fn tract_and_onnx_runtime_agree_on_every_network() {
        let Some(options) = options() else { return };
        let two_times = TinyNet { inputs: vec!["x", "time", "time2"], ..TinyNet::joint(3, 6) };
        for tiny in [TinyNet::joint(3, 6), two_times, TinyNet::single("noise")] {
            let mut ours = tract(&tiny);
            let mut theirs = engine("ort").unwrap().load(&tiny.onnx(), &options).unwrap();
            assert_eq!(theirs.inputs(), ours.inputs());
            assert_eq!(theirs.outputs(), ours.outputs());
            let times = &[999.0, 30.0][..tiny.inputs.len() - 1];
            for (n, h, w) in [(1, 2, 2), (1, 64, 48), (2, 30, 34)] {
                let x = batch(n, 6, h, w);
                let ours = ours.run(x.view(), times).unwrap();
                let theirs = theirs.run(x.view(), times).unwrap();
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    assert_eq!(ours.dim(), theirs.dim());
                    assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-5));
                }
            }
        }
    }

    #[test]
    fn finished_pictures_agree_too_with_any_threads() {
        let Some(EngineOptions { library: Some(library), .. }) = options() else { return };
        let model = Model::joint();
        let manifest = model.manifest();
        let degraded = picture(3, 70, 90);
        let mut go = |_| Control::Continue;
        let of = |engine: &str, threads| {
            let options = Restorer::builder(&manifest).engine(engine).threads(threads);
            options.library(&library).build(model.files()).unwrap()
        };
        let ours = of("tract", 1).restore(degraded.view(), None, &mut go).unwrap();
        for threads in [1, 2] {
            let restorer = of("ort", threads);
            assert_eq!((restorer.engine(), restorer.device()), ("ort", "cpu"));
            let theirs = restorer.restore(degraded.view(), None, &mut go).unwrap();
            assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 2e-5));
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error_and_auto_says_what_it_took() {
        let Some(mut options) = options() else { return };
        let ort = engine("ort").unwrap();
        let onnx = TinyNet::joint(3, 6).onnx();
        let devices = ort.devices(&options).unwrap();
        assert!(devices.iter().any(|info| info.device == Device::Cpu && info.available));
        for info in devices.iter().filter(|info| !info.available) {
            options.device = info.device.clone();
            let Err(error) = ort.load(&onnx, &options) else { panic!("{info:?} was accepted") };
            assert_eq!(error.kind(), ErrorKind::Device, "{error}");
            assert!(error.to_string().contains("cpu"), "{error}");
        }
        options.device = Device::Auto;
        let took = ort.load(&onnx, &options).unwrap().device().to_owned();
        let best = devices.iter().skip(1).find(|info| info.available);
        assert_eq!(took, best.map_or("cpu".to_owned(), |info| info.device.to_string()));
    }

    #[test]
    fn a_number_is_for_devices_that_have_one() {
        let Some(mut options) = options() else { return };
        options.device = "coreml:7".parse().unwrap();
        let asked = engine("ort").unwrap().load(&TinyNet::joint(3, 6).onnx(), &options);
        let Err(error) = asked else { panic!("it was accepted") };
        assert_eq!(error.kind(), ErrorKind::Device, "{error}");
        assert!(error.to_string().contains("without a number"), "{error}");
    }

    /// Each fork has weights of its own, from its first run on.
    #[cfg(target_os = "linux")]
    #[test]
    fn weights_of_every_session_are_counted_and_none_is_made_for_nothing() {
        fn resident() -> u64 {
            let status = std::fs::read_to_string("/proc/self/statm").unwrap();
            status.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
        }
        let Some(EngineOptions { library: Some(library), .. }) = options() else { return };
        let model = Model::joint();
        let manifest = model.manifest();
        let of = |engine: &str, threads| {
            let options = Restorer::builder(&manifest).engine(engine).threads(threads);
            options.library(&library).build(model.files()).unwrap()
        };
        let more = |engine: &str| {
            let [one, two] = [1, 2].map(|n| of(engine, n).memory_estimate([99, 99]).unwrap());
            two.networks - one.networks
        };
        let ours = tract(&TinyNet::joint(3, 6));
        let weights = ours.footprint([1, 6, 64, 64]).unwrap().weights;
        // And the session itself.
        assert_eq!(more("ort") - more("tract"), weights + 8_000_000);

        let go = &mut |_| Control::Continue;
        of("ort", 1).restore(picture(3, 20, 20).view(), None, go).unwrap();
        let before = resident();
        let many = of("ort", 300);
        many.restore(picture(3, 20, 20).view(), None, go).unwrap();
        let took = resident().saturating_sub(before);
        assert!(took < 40_000_000, "{took}");
    }

    /// What the arena keeps was not estimated.
    #[test]
    fn a_limit_is_for_networks_that_were_loaded_with_one() {
        let Some(EngineOptions { library: Some(library), .. }) = options() else { return };
        let model = Model::joint();
        let manifest = model.manifest();
        let degraded = picture(3, 20, 20);
        let of = |engine: &str| Restorer::builder(&manifest).engine(engine).library(&library);
        let restore = |restorer: &Restorer| {
            restorer.restore(degraded.view(), None, &mut |_| Control::Continue)
        };
        let mut free = of("ort").build(model.files()).unwrap();
        let shared = of("ort").max_memory(1 << 30).share(&free).unwrap();
        restore(&free).unwrap();
        free.set_max_memory(Some(1 << 30));
        for restorer in [&free, &shared] {
            let error = restore(restorer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Options, "{error}");
            assert!(error.to_string().contains("loaded without a limit"), "{error}");
        }
        for engine in ["ort", "tract"] {
            let builder = of(engine);
            let builder = if engine == "ort" { builder.max_memory(1 << 29) } else { builder };
            let mut limited = builder.build(model.files()).unwrap();
            limited.set_max_memory(Some(1 << 30));
            restore(&limited).unwrap();
        }
    }

    #[test]
    fn a_network_that_tract_does_not_run_is_restored_with_and_its_memory_unknown() {
        let Some(EngineOptions { library: Some(library), .. }) = options() else { return };
        let model = Model::joint();
        let mut onnx = ModelProto::decode(&*model.files()[0]).unwrap();
        for node in &mut onnx.graph.as_mut().unwrap().node {
            if node.op_type == "Tanh" {
                node.op_type = "LpPool".to_owned();
                node.attribute.push(AttributeProto {
                    name: "kernel_shape".to_owned(),
                    r#type: AttributeType::Ints as i32,
                    ints: vec![1, 1],
                    ..AttributeProto::default()
                });
            }
        }
        let files = vec![onnx.encode_to_vec()];
        let manifest = model.manifest_of(&files);
        let restorer = Restorer::builder(&manifest).engine("ort").library(&library);
        let restorer = restorer.build(&files).unwrap();
        restorer.restore(picture(3, 20, 20).view(), None, &mut |_| Control::Continue).unwrap();
        let error = restorer.memory_estimate([20, 20]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert!(error.to_string().contains("tract, which tells ONNX Runtime's memory"), "{error}");
    }

    #[test]
    fn one_library_may_be_named_in_two_ways() {
        let Some(mut options) = options() else { return };
        let (ort, onnx) = (engine("ort").unwrap(), TinyNet::joint(3, 6).onnx());
        assert!(ort.load(&onnx, &options).is_ok());
        let path = options.library.take().unwrap().canonicalize().unwrap();
        let folder = path.parent().unwrap();
        let around = folder.join("..").join(folder.file_name().unwrap());
        options.library = Some(around.join(path.file_name().unwrap()));
        assert!(ort.load(&onnx, &options).is_ok());
        options.library = Some(std::env::current_exe().unwrap());
        let Err(error) = ort.load(&onnx, &options) else { panic!("it was taken for the same") };
        assert!(error.to_string().contains("another process"), "{error}");
    }

    #[test]
    fn a_library_that_is_not_there_says_what_to_do() {
        // In a process of its own each: a library that was loaded stays.
        let mut missing = EngineOptions::default();
        let onnx = TinyNet::joint(3, 6).onnx();
        missing.library = Some("/nowhere/libonnxruntime.so".into());
        let Err(error) = engine("ort").unwrap().load(&onnx, &missing) else {
            panic!("it was loaded")
        };
        assert_eq!(error.kind(), ErrorKind::Engine, "{error}");
        assert!(error.to_string().contains("/nowhere/libonnxruntime.so"), "{error}");
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        let Some(options) = options() else { return };
        let ort = engine("ort").unwrap();
        let broken = TinyNet { outputs: vec!["residual"], ..TinyNet::joint(3, 5) };
        let mut network = ort.load(&broken.onnx(), &options).unwrap();
        let Err(error) = network.run(batch(1, 6, 8, 8).view(), &[1.0]) else { panic!("it ran") };
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert!(ort.load(b"nothing", &options).is_err());
    }
}
