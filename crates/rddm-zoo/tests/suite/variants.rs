//! Models of two networks, and of several precisions.

use std::{fs, thread, time::Duration};

use rddm_manifest::{Precision, Role};
use rddm_zoo::{ErrorKind, ResolveOptions, Store, resolve};

use crate::{
    server::Server,
    zoo::{DRAFT, Zoo, noise, public_key, pull, pulling},
};

/// A model of a residual and a noise network, each in fp32 and fp16.
fn composite() -> Zoo {
    let zoo = Zoo::new();
    let draft = DRAFT.replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1);
    let (head, rest) = draft.split_once("[[networks]]").unwrap();
    let (_, tail) = rest.split_once("[sampler]").unwrap();
    let mut networks = String::new();
    for (seed, (role, precision)) in
        [("noise", "fp16"), ("residual", "fp16"), ("noise", "fp32"), ("residual", "fp32")]
            .into_iter()
            .enumerate()
    {
        networks += &format!(
            "[[networks]]\nrole = \"{role}\"\nprecision = \"{precision}\"\nfile = \"{role}-{precision}.onnx\"\nopset = 17\n\
             inputs = [\"x\", \"time\"]\noutputs = [\"{role}\"]\n"
        );
        fs::write(
            zoo.path(&format!("zoo/derain/{role}-{precision}.onnx")),
            noise(5000, seed as u64 + 1),
        )
        .unwrap();
    }
    fs::write(zoo.path("zoo/derain/model.toml"), format!("{head}{networks}[sampler]{tail}"))
        .unwrap();
    zoo.publish(rddm_zoo::now().unix(), 365);
    zoo
}

#[test]
fn two_networks_are_one_name() {
    let zoo = composite();
    let home = zoo.home();
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &["--jobs", "4"]).expect(0);
    home.assert_sound();
    assert_eq!(home.files("blobs").len(), 5);
    let mut options = ResolveOptions::default();
    options.home = Some(home.0);
    let model = resolve(&"derain".parse().unwrap(), &options).unwrap();
    let roles: Vec<_> =
        model.networks.iter().map(|network| (network.role, network.precision)).collect();
    assert_eq!(roles, [(Role::Residual, Precision::Fp32), (Role::Noise, Precision::Fp32)]);
}

#[test]
fn one_precision_is_pulled_alone_and_the_others_later() {
    let zoo = composite();
    let home = zoo.home();
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &["--precision", "int8"]).expect(4);
    pull(&zoo, &server.registry(), &home, &["--precision", "fp16"]).expect(0);
    assert_eq!(home.files("blobs").len(), 3);
    let id = "derain".parse().unwrap();
    let mut options = ResolveOptions::default();
    options.home = Some(home.0.clone());
    assert_eq!(resolve(&id, &options).unwrap().networks[0].precision, Precision::Fp16);
    options.precision = Some(Precision::Fp32);
    let error = resolve(&id, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPulled);
    assert!(error.next().unwrap().contains("--precision fp32"));
    pull(&zoo, &server.registry(), &home, &["--precision", "fp32"]).expect(0);
    assert_eq!(resolve(&id, &options).unwrap().networks[0].precision, Precision::Fp32);
    options.precision = Some(Precision::Fp16);
    assert_eq!(resolve(&id, &options).unwrap().networks.len(), 2);
}

#[test]
fn two_precisions_that_are_pulled_at_once_are_both_known() {
    let zoo = composite();
    let home = zoo.home();
    let server = Server::start(&zoo, |request, _| {
        if request.path.ends_with("fp32.onnx") {
            thread::sleep(Duration::from_secs(2));
        }
        false
    });
    let wide = ["--precision", "fp32", "-q"];
    let mut slow = pulling(&zoo, &server.registry(), &home, &wide).spawn().unwrap();
    while server.of_path("/zoo/derain/noise-fp32.onnx").is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    pull(&zoo, &server.registry(), &home, &["--precision", "fp16"]).expect(0);
    assert_eq!(slow.wait().unwrap().code(), Some(0));
    let record = Store::open(&home.0).record(&"derain".parse().unwrap()).unwrap().unwrap();
    assert_eq!(record.precisions, [Precision::Fp32, Precision::Fp16]);
}

#[test]
fn a_slow_pull_of_an_older_index_leaves_what_a_newer_one_brought() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let old = zoo.network();
    let server = Server::of_network(&zoo, move |request, stream| {
        if request.before > 0 {
            return false;
        }
        thread::sleep(Duration::from_secs(2));
        crate::server::serve(stream, request, &old);
        true
    });
    let mut slow = pulling(&zoo, &server.registry(), &home, &["-q"]).spawn().unwrap();
    while server.of_path(crate::server::NETWORK).is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    zoo.renew(&noise(5000, 9));
    zoo.publish(rddm_zoo::now().unix(), 365);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    assert_eq!(slow.wait().unwrap().code(), Some(0));
    let record = Store::open(&home.0).record(&"derain".parse().unwrap()).unwrap().unwrap();
    assert_eq!(record.version.to_string(), "0.2.0");
}

#[test]
fn a_locked_model_is_here_only_with_the_precision_that_is_asked_for() {
    let zoo = composite();
    let home = zoo.home();
    let server = Server::good(&zoo);
    let locked =
        |more: &[&str]| pull(&zoo, &server.registry(), &home, &[&["--locked"], more].concat());
    let mut lock = crate::zoo::rddm_zoo(zoo.root.path());
    lock.args(["lock", "derain", "--key", public_key(), "--home"]).arg(&home.0);
    crate::zoo::finish(&mut lock).expect(0);
    locked(&["--precision", "fp16"]).expect(0);
    assert_eq!(home.files("blobs").len(), 3);
    let here = "all locked models are here";
    assert!(locked(&["--precision", "fp16", "--offline"]).expect(0).out.contains(here));
    locked(&["--precision", "fp32", "--offline"]).expect(6);
    locked(&["--offline"]).expect(6);
    locked(&["--precision", "int8"]).expect(4);
    assert!(!locked(&["--precision", "fp32"]).expect(0).out.contains(here));
    assert_eq!(home.files("blobs").len(), 5);
    assert!(locked(&["--offline"]).expect(0).out.contains(here));
}

#[test]
fn blobs_that_models_share_stay_as_long_as_one_needs_them() {
    let zoo = Zoo::new();
    zoo.add_another();
    let home = zoo.home();
    let run = |arguments: &[&str]| {
        let mut command = crate::zoo::rddm_zoo(zoo.root.path());
        crate::zoo::finish(
            command.args(arguments).args(["--key", public_key(), "--home"]).arg(&home.0),
        )
        .expect(0)
    };
    run(&["pull", "--all"]);
    assert_eq!(home.files("blobs").len(), 3);
    run(&["rm", "derain"]);
    assert_eq!(home.files("blobs").len(), 2);
    home.assert_sound();
    run(&["verify", "derain-too"]);
}
