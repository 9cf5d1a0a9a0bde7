//! `publish` and `keygen`: what is signed, what is refused, what stays.

use std::{fs, path::Path};

use rddm_manifest::Digest;

use crate::{
    command::run,
    zoo::{Zoo, finish, keys, rddm_zoo},
};

#[test]
fn a_version_is_not_set_back_unless_that_is_asked_for() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    let publish = ["publish", "--signing-key", "secret.key"];
    let model = fs::read(zoo.path("zoo/derain/model.toml")).unwrap();
    zoo.renew(&crate::zoo::noise(1000, 5));
    run(&zoo, &publish).expect(0);
    fs::write(zoo.path("zoo/derain/model.toml"), model).unwrap();
    assert!(run(&zoo, &publish).expect(3).err.contains("is below version 0.2.0"));
    run(&zoo, &[&publish[..], &["--set-back"]].concat()).expect(0);
}

#[test]
fn a_published_model_is_not_lost_unless_that_is_asked_for() {
    let zoo = Zoo::new();
    zoo.add_another();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    let publish = ["publish", "--signing-key", "secret.key"];
    let draft = zoo.path("zoo/derain-too/model.toml");
    fs::rename(&draft, zoo.path("away")).unwrap();
    let outcome = run(&zoo, &publish).expect(3);
    assert!(outcome.err.contains("--retire derain-too"), "{}", outcome.err);
    // What cannot be looked at may be there.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("model.toml", &draft).unwrap();
        let outcome = run(&zoo, &publish).expect(3);
        assert!(outcome.err.contains("cannot read"), "{}", outcome.err);
        fs::remove_file(&draft).unwrap();
    }
    assert!(zoo.path("manifests/derain-too.toml").exists());
    run(&zoo, &[&publish[..], &["--retire", "derain-too"]].concat()).expect(0);
    assert!(!zoo.path("manifests/derain-too.toml").exists());
}

#[test]
fn nothing_is_published_by_a_clock_that_is_before_the_index() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    zoo.publish(rddm_zoo::now().unix() + 2 * 24 * 3600, 365);
    let outcome = run(&zoo, &["publish", "--renew", "--signing-key", "secret.key"]).expect(3);
    assert!(outcome.err.contains("set the clock"), "{}", outcome.err);
}

#[test]
fn an_index_that_a_merge_left_says_what_to_do() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    fs::write(zoo.path("manifests/index.toml"), "<<<<<<< ours\n").unwrap();
    let outcome = run(&zoo, &["publish", "--signing-key", "secret.key"]).expect(3);
    assert!(outcome.err.contains("merge") && outcome.err.contains("--after"), "{}", outcome.err);
}

#[test]
fn the_last_model_is_retired_when_that_is_asked_for() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    fs::remove_dir_all(zoo.path("zoo/derain")).unwrap();
    let publish = ["publish", "--signing-key", "secret.key"];
    assert!(run(&zoo, &publish).expect(3).err.contains("--empty"));
    run(&zoo, &[&publish[..], &["--empty"]].concat()).expect(0);
    assert!(!zoo.path("manifests/derain.toml").exists());
    assert_eq!(run(&zoo, &["list"]).expect(0).out, "no models\n");
}

#[test]
fn a_registry_that_lost_its_index_goes_on_above_what_was_seen() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    let publish = ["publish", "--signing-key", "secret.key"];
    let after = [&publish[..], &["--after", "9"]].concat();
    fs::remove_file(zoo.path("manifests/index.toml")).unwrap();
    let outcome = run(&zoo, &publish).expect(0);
    assert!(outcome.err.contains("--after VERSION"), "{}", outcome.err);
    let outcome = run(&zoo, &after).expect(0);
    assert!(outcome.out.contains("published: version 10") && outcome.err.is_empty());
    assert!(run(&zoo, &after).expect(0).out.contains("unchanged: version 10"));
}

#[test]
fn what_cannot_be_published_is_named() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    let publish = |more: &[&str]| {
        let arguments = [&["publish", "--signing-key", "secret.key"], more].concat();
        run(&zoo, &arguments).expect(3).err
    };
    fs::write(zoo.path("zoo/derain/derain.onnx"), "garbage\n").unwrap();
    assert!(publish(&[]).contains("derain.onnx is not an ONNX file"));
    fs::rename(zoo.path("zoo"), zoo.path("my zoo")).unwrap();
    let error = publish(&["--zoo", "my zoo"]);
    assert!(error.contains("another name") && !error.contains("model.toml"), "{error}");
    // A key that wants a password, and gets none.
    let mut keygen = rddm_zoo(zoo.root.path());
    finish(keygen.env("RDDM_SIGNING_PASSWORD", "secret").args(["keygen", "mine"])).expect(0);
    let outcome = run(&zoo, &["publish", "--signing-key", "mine.key"]).expect(3);
    assert!(outcome.err.contains("RDDM_SIGNING_PASSWORD"), "{}", outcome.err);
}

#[test]
fn publish_signs_once_and_says_when_something_changed() {
    let zoo = Zoo::new();
    fs::remove_dir_all(zoo.path("manifests")).unwrap();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    run(&zoo, &["publish"]).expect(2);
    let publish = ["publish", "--signing-key", "secret.key"];
    assert!(run(&zoo, &publish).expect(0).out.contains("published: version 1"));
    assert!(run(&zoo, &publish).expect(0).out.contains("unchanged: version 1"));
    run(&zoo, &["publish", "--check"]).expect(0);
    fs::write(zoo.path("zoo/derain/recipe.toml"), "seed = 2\n").unwrap();
    run(&zoo, &["publish", "--check"]).expect(3);
    assert!(run(&zoo, &publish).expect(0).out.contains("published: version 2"));
    let evaluation = r#"{"rows":[{"dataset":"d","metric":"psnr_y","value":30.5,"input":20.5,"steps":5,"engine":"tract","command":"c","seconds":1}],"host":"h"}"#;
    fs::write(zoo.path("zoo/derain/eval.json"), evaluation).unwrap();
    assert!(run(&zoo, &publish).expect(0).out.contains("published: version 3"));
    let shown = run(&zoo, &["show", "derain"]).expect(0).out;
    assert!(shown.contains("30.500") && !shown.contains("mirror image"), "{shown}");
    let model = fs::read_to_string(zoo.path("zoo/derain/model.toml")).unwrap();
    let mirrored = model.replace("[sampler]\n", "[sampler]\nmirror = true\n");
    fs::write(zoo.path("zoo/derain/model.toml"), &mirrored).unwrap();
    // Who has pulled a version has what it says.
    let refused = run(&zoo, &publish).expect(3).err;
    assert!(refused.contains("0.1.0 is published with another sampler"), "{refused}");
    let next = mirrored.replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1);
    fs::write(zoo.path("zoo/derain/model.toml"), next).unwrap();
    assert!(run(&zoo, &publish).expect(0).out.contains("published: version 4"));
    let shown = run(&zoo, &["show", "derain"]).expect(0).out;
    assert!(shown.contains("arithmetic mean with the mirror image"), "{shown}");
    // Figures of another network are not this one's.
    let of = |digest: Digest| {
        format!("{{\"networks\": [\"{}\"], {}", digest.hex(), evaluation.strip_prefix('{').unwrap())
    };
    for (bytes, state, figures) in
        [(zoo.network(), "unchanged: version 4", true), (vec![1], "published: version 5", false)]
    {
        fs::write(zoo.path("zoo/derain/eval.json"), of(Digest::of(&bytes))).unwrap();
        let outcome = run(&zoo, &publish).expect(0);
        assert!(outcome.out.contains(state), "{}", outcome.out);
        assert_eq!(outcome.err.contains("measured on another network"), !figures);
        assert_eq!(run(&zoo, &["show", "derain"]).expect(0).out.contains("30.500"), figures);
    }
    let network = zoo.network();
    fs::write(zoo.path("zoo/derain/derain.onnx"), crate::zoo::noise(1000, 5)).unwrap();
    let refused = run(&zoo, &publish).expect(3).err;
    assert!(
        refused.contains("0.2.0 is published with another joint network of fp32")
            && refused.contains("higher version"),
        "{refused}"
    );
    fs::write(zoo.path("zoo/derain/derain.onnx"), network).unwrap();
    fs::remove_file(zoo.path("zoo/derain/recipe.toml")).unwrap();
    run(&zoo, &publish).expect(3);
    let secret = keys().secret.lines().nth(1).unwrap();
    let shown = run(&zoo, &publish);
    assert!(!shown.err.contains(secret) && !shown.out.contains(secret));
}

#[test]
fn a_check_wants_the_signature_that_readers_want() {
    let zoo = Zoo::new();
    let check = ["publish", "--check"];
    run(&zoo, &check).expect(0);
    let mut command = rddm_zoo(zoo.root.path());
    assert!(finish(command.args(check)).expect(5).err.contains("another key"));
    fs::remove_file(zoo.path("manifests/index.toml.minisig")).unwrap();
    assert!(run(&zoo, &check).expect(5).err.contains("not signed"));
    run(&zoo, &["publish", "--check", "--unsigned"]).expect(0);
}

#[test]
fn an_index_that_has_expired_is_published_again() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    zoo.expire();
    let outcome = run(&zoo, &["publish", "--check"]).expect(5);
    assert!(outcome.err.contains("expired on"), "{}", outcome.err);
    run(&zoo, &["publish", "--check", "--allow-expired"]).expect(0);
    let outcome = run(&zoo, &["publish", "--signing-key", "secret.key"]).expect(0);
    assert!(outcome.out.contains("published: version 3"), "{}", outcome.out);
    run(&zoo, &["publish", "--check"]).expect(0);
}

#[cfg(unix)]
#[test]
fn a_password_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    for arguments in [&["keygen", "mine"][..], &["publish", "--signing-key", "secret.key"]] {
        let mut command = rddm_zoo(zoo.root.path());
        command.env("RDDM_SIGNING_PASSWORD", std::ffi::OsStr::from_bytes(b"p\xe4ss"));
        let outcome = finish(command.args(arguments)).expect(2);
        assert!(outcome.err.contains("RDDM_SIGNING_PASSWORD"), "{}", outcome.err);
    }
    assert!(!zoo.path("mine.key").exists());
}

#[test]
fn a_check_makes_no_folder() {
    let zoo = Zoo::new();
    let outcome = run(&zoo, &["publish", "--check", "--out", "new"]).expect(3);
    assert!(outcome.err.contains("new is not what zoo makes"), "{}", outcome.err);
    assert!(!zoo.path("new").exists());
}

#[test]
fn a_new_key_signs_a_zoo_of_ones_own() {
    let zoo = Zoo::new();
    run(&zoo, &["keygen", "mine"]).expect(0);
    run(&zoo, &["keygen", "mine"]).expect(3);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(zoo.path("mine.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    run(&zoo, &["publish", "--signing-key", "mine.key"]).expect(0);
    run(&zoo, &["pull", "derain"]).expect(5);
    let mut command = rddm_zoo(zoo.root.path());
    finish(command.env("RDDM_HOME", zoo.home().0).args(["pull", "derain", "--key", "mine.pub"]))
        .expect(0);
}

#[test]
fn a_new_key_is_not_put_beside_an_old_one() {
    let zoo = Zoo::new();
    run(&zoo, &["keygen", "mine"]).expect(0);
    for (away, stays) in [("mine.key", "mine.pub"), ("mine.pub", "mine.key")] {
        let before = fs::read(zoo.path(stays)).unwrap();
        fs::rename(zoo.path(away), zoo.path("away")).unwrap();
        let outcome = run(&zoo, &["keygen", "mine"]).expect(3);
        assert!(outcome.err.contains(stays), "{}", outcome.err);
        assert!(!zoo.path(away).exists(), "{away}");
        assert_eq!(fs::read(zoo.path(stays)).unwrap(), before);
        fs::rename(zoo.path("away"), zoo.path(away)).unwrap();
    }
}

/// A web server is another user than the one who published, and a machine has one store for all.
#[cfg(unix)]
#[test]
fn what_is_published_and_pulled_is_as_readable_as_any_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain"]).expect(0);
    fs::write(zoo.path("any"), "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let usual = mode(&zoo.path("any"));
    let mut folders = vec![zoo.path("manifests"), zoo.path("home")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), usual, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 6, "{files}");
}
