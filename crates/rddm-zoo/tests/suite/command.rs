//! The commands that work on a store, a registry and a lock file.

use std::{
    fs,
    io::BufRead as _,
    path::Path,
    process::{Child, Stdio},
};

use rddm_manifest::Digest;

use crate::{
    server::Server,
    zoo::{Home, Outcome, SIZE, Zoo, finish, keys, public_key, pull, rddm_zoo},
};

/// Runs in the zoo's own folder, a checkout as far as the command can see.
fn run(zoo: &Zoo, arguments: &[&str]) -> Outcome {
    finish(
        rddm_zoo(zoo.root.path())
            .env("RDDM_HOME", zoo.home().0)
            .args(arguments)
            .args(["--key", public_key()]),
    )
}

#[test]
fn a_checkout_is_found_from_below_it() {
    let zoo = Zoo::new();
    let mut command = rddm_zoo(&zoo.path("zoo/derain"));
    let outcome =
        finish(command.args(["list", "--key", public_key(), "--home"]).arg(zoo.home().0)).expect(0);
    assert!(outcome.out.contains("here"), "{}", outcome.out);
}

#[test]
fn without_a_registry_the_error_says_how_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = finish(rddm_zoo(folder.path()).args(["pull", "derain"]));
    // In this repository's own target folder the checkout's registry may be found from the executable.
    if outcome.code == Some(4) && outcome.err.contains("no registry") {
        assert!(outcome.err.contains("RDDM_REGISTRY"), "{}", outcome.err);
    }
    let copied = folder.path().join("rddm-zoo");
    fs::copy(env!("CARGO_BIN_EXE_rddm-zoo"), &copied).unwrap();
    let output = std::process::Command::new(&copied)
        .args(["pull", "derain"])
        .current_dir(folder.path())
        .env_remove("RDDM_REGISTRY")
        .env("RDDM_HOME", folder.path().join("home"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RDDM_REGISTRY"));
}

#[test]
fn a_model_goes_through_its_whole_life() {
    let zoo = Zoo::new();
    let home = zoo.home();
    assert!(run(&zoo, &["list"]).expect(0).out.contains("Removes rain streaks"));
    assert!(run(&zoo, &["show", "derain"]).expect(0).out.contains("research use"));
    run(&zoo, &["verify", "derain"]).expect(0);
    run(&zoo, &["pull", "derain"]).expect(0);
    assert!(run(&zoo, &["list"]).expect(0).out.contains("pulled"));
    assert!(run(&zoo, &["search", "RAIN", "streaks"]).expect(0).out.contains("derain"));
    assert!(run(&zoo, &["search", "fog"]).expect(0).out.contains("nothing found"));
    run(&zoo, &["verify"]).expect(0);
    // Locks that another process may hold stay.
    run(&zoo, &["gc"]).expect(0);
    assert!(home.0.join("locks/notes").is_file());
    assert!(run(&zoo, &["du", "--json"]).expect(0).out.contains("\"unneeded\":0"));
    run(&zoo, &["rm", "derain"]).expect(0);
    home.assert_nothing();
    run(&zoo, &["rm", "derain"]).expect(4);
}

#[test]
fn rm_removes_all_that_it_is_given_or_nothing() {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain"]).expect(0);
    let outcome = run(&zoo, &["rm", "derain", "nosuch"]).expect(4);
    assert!(outcome.err.contains("nosuch is not in the store"), "{}", outcome.err);
    zoo.home().assert_whole(&zoo.network());
    run(&zoo, &["rm", "derain", "derain"]).expect(0);
    zoo.home().assert_nothing();
}

#[test]
fn a_mistyped_name_is_recognised() {
    let zoo = Zoo::new();
    assert!(run(&zoo, &["pull", "dreain"]).expect(4).err.contains("did you mean derain?"));
    // Before anything is pulled.
    run(&zoo, &["pull", "derain", "dreain"]).expect(4);
    zoo.home().assert_nothing();
}

#[test]
fn a_flipped_byte_in_the_store_is_found_and_named() {
    let zoo = Zoo::new();
    let home = zoo.home();
    run(&zoo, &["pull", "derain"]).expect(0);
    let blob = home.blob(&zoo.network());
    let mut bytes = fs::read(&blob).unwrap();
    bytes[1000] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let outcome = run(&zoo, &["verify", "derain"]).expect(5);
    assert!(outcome.err.contains("rddm-zoo pull derain"), "{}", outcome.err);
    run(&zoo, &["verify"]).expect(5);
    home.assert_not_resolved("derain");
    run(&zoo, &["pull", "derain"]).expect(0);
    run(&zoo, &["verify"]).expect(0);
}

#[test]
fn a_model_is_run_from_a_folder_and_from_a_url_only_after_a_pull() {
    let zoo = Zoo::new();
    let id = "derain".parse().unwrap();
    let mut options = rddm_zoo::ResolveOptions::default();
    options.home = Some(zoo.home().0);
    options.trust = rddm_zoo::Trust::Keys(vec![public_key().parse().unwrap()]);
    options.registry = Some(rddm_zoo::Place::Folder(zoo.path("manifests")));
    let model = rddm_zoo::resolve(&id, &options).unwrap();
    assert_eq!(model.networks[0].bytes, zoo.network());
    assert!(!zoo.home().0.exists(), "running writes nothing");

    let server = Server::good(&zoo);
    options.registry = Some(server.registry().parse().unwrap());
    let error = rddm_zoo::resolve(&id, &options).unwrap_err();
    assert_eq!(error.kind(), rddm_zoo::ErrorKind::NotPulled);
    let next = error.next().unwrap();
    let pull_first = format!("rddm-zoo pull derain --registry {}/", server.registry());
    assert!(next.ends_with(&format!("{pull_first} --key {}", public_key())), "{next}");
    assert!(server.requests.lock().unwrap().is_empty());
    pull(&zoo, &server.registry(), &zoo.home(), &[]).expect(0);
    rddm_zoo::resolve(&id, &options).unwrap();
}

#[test]
fn a_bundle_is_carried_to_a_machine_without_network() {
    let zoo = Zoo::new();
    run(&zoo, &["export", "bundle", "derain"]).expect(4);
    run(&zoo, &["pull", "derain"]).expect(0);
    run(&zoo, &["export", "bundle"]).expect(0);
    // Nothing of the first place is there any more.
    let bundle = tempfile::tempdir().unwrap();
    let there = bundle.path().join("stick");
    fs::rename(zoo.path("bundle"), &there)
        .or_else(|_| copy_folder(&zoo.path("bundle"), &there))
        .unwrap();
    let home = Home(bundle.path().join("home"));
    let import = |more: &[&str]| {
        finish(
            rddm_zoo(bundle.path())
                .args(["import", "stick", "--offline", "--home"])
                .arg(&home.0)
                .args(more),
        )
    };
    import(&[]).expect(5);
    home.assert_nothing();
    import(&["--key", public_key()]).expect(0);
    home.assert_whole(&zoo.network());
}

#[test]
fn an_empty_store_is_not_exported() {
    let zoo = Zoo::new();
    let outcome = run(&zoo, &["export", "bundle"]).expect(4);
    assert!(outcome.err.contains("has no models"), "{}", outcome.err);
    assert!(outcome.err.contains("rddm-zoo pull"), "{}", outcome.err);
    assert!(!zoo.path("bundle").exists());
}

#[test]
fn a_model_that_is_named_twice_is_exported_once() {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain"]).expect(0);
    let outcome = run(&zoo, &["export", "bundle", "derain", "derain", "--json"]).expect(0);
    let exported: serde_json::Value =
        serde_json::from_str(outcome.out.lines().last().unwrap()).unwrap();
    assert_eq!(exported["models"], serde_json::json!(["derain"]));
    assert_eq!(exported["bytes"], SIZE);
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target).map(|_| ())?
        }
    }
    Ok(())
}

#[test]
fn a_lock_file_pins_exact_bytes() {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "--locked"]).expect(3);
    run(&zoo, &["lock", "derain"]).expect(0);
    let lock = fs::read_to_string(zoo.path("rddm.lock")).unwrap();
    run(&zoo, &["pull", "--locked"]).expect(0);
    // Here and good: the registry is not even looked at.
    finish(rddm_zoo(zoo.root.path()).env("RDDM_HOME", zoo.home().0).args([
        "pull",
        "--locked",
        "--offline",
        "--registry",
        "https://zoo.example/",
    ]))
    .expect(0);
    run(&zoo, &["rm", "derain"]).expect(0);
    zoo.renew(&crate::zoo::noise(1000, 5));
    zoo.publish(rddm_zoo::now().unix(), 365);
    let outcome = run(&zoo, &["pull", "derain", "--locked"]).expect(5);
    assert!(outcome.err.contains("the lock file wants"), "{}", outcome.err);
    zoo.home().assert_nothing();
    run(&zoo, &["lock", "derain"]).expect(0);
    assert_ne!(fs::read_to_string(zoo.path("rddm.lock")).unwrap(), lock);
    run(&zoo, &["pull", "--locked"]).expect(0);
}

#[test]
fn a_lock_is_met_by_what_an_earlier_pull_brought() {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain"]).expect(0);
    run(&zoo, &["lock", "derain"]).expect(0);
    zoo.renew(&crate::zoo::noise(1000, 5));
    zoo.publish(rddm_zoo::now().unix(), 365);
    run(&zoo, &["pull", "derain"]).expect(0);
    assert!(run(&zoo, &["list", "--pulled"]).expect(0).out.contains("0.2.0"));
    run(&zoo, &["pull", "--locked", "--offline"]).expect(0);
    assert!(run(&zoo, &["list", "--pulled"]).expect(0).out.contains("0.1.0"));
    zoo.home().assert_sound();
    // Not any more once it is gone.
    run(&zoo, &["pull", "derain"]).expect(0);
    run(&zoo, &["gc"]).expect(0);
    assert!(run(&zoo, &["pull", "--locked"]).expect(5).err.contains("rddm-zoo export"));
}

#[test]
fn what_a_lock_brought_back_was_of_no_other_registry() {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain"]).expect(0);
    run(&zoo, &["lock", "derain"]).expect(0);
    zoo.renew(&crate::zoo::noise(1000, 5));
    zoo.publish(rddm_zoo::now().unix(), 365);
    for arguments in [["pull", "derain"], ["pull", "--locked"], ["pull", "derain"]] {
        assert_eq!(run(&zoo, &arguments).expect(0).err, "", "{arguments:?}");
    }
}

#[test]
fn a_mirror_that_is_not_there_is_passed_over() {
    let zoo = Zoo::new();
    for mirror in ["nowhere/manifests", "http://127.0.0.1:1/manifests"] {
        run(&zoo, &["pull", "derain", "--mirror", mirror]).expect(0);
        run(&zoo, &["rm", "derain"]).expect(0);
    }
}

#[test]
fn a_lock_file_that_a_merge_or_a_stranger_wrote_is_refused() {
    let zoo = Zoo::new();
    run(&zoo, &["lock", "derain"]).expect(0);
    run(&zoo, &["pull", "derain", "--lock-file", "rddm.lock"]).expect(2);
    let lock = fs::read_to_string(zoo.path("rddm.lock")).unwrap();
    let model = &lock[lock.find("[[models]]").unwrap()..];
    fs::write(zoo.path("rddm.lock"), format!("{lock}\n{model}")).unwrap();
    for arguments in [["pull", "--locked"], ["lock", "derain"]] {
        assert!(run(&zoo, &arguments).expect(3).err.contains("derain is locked twice"));
    }
    fs::write(zoo.path("rddm.lock"), "schema = 1\n\"\\u001b[31m\" = 1\n").unwrap();
    let outcome = run(&zoo, &["pull", "--locked"]).expect(3);
    assert!(outcome.err.contains("[31m") && !outcome.err.contains('\u{1b}'), "{}", outcome.err);
}

#[test]
fn a_pulled_model_is_shown_without_network() {
    let zoo = Zoo::new();
    let registry = Server::good(&zoo).registry();
    let show = ["show", "derain", "--offline", "--registry", &registry];
    run(&zoo, &show).expect(6);
    pull(&zoo, &registry, &zoo.home(), &[]).expect(0);
    assert!(run(&zoo, &show).expect(0).out.contains("research use"));
}

#[test]
fn a_model_that_gets_another_origin_says_so() {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain"]).expect(0);
    assert!(!run(&zoo, &["list", "--pulled"]).expect(0).out.contains("unsigned"));
    fs::rename(zoo.path("manifests"), zoo.path("others")).unwrap();
    let others = |arguments: &[&str]| {
        let mut command = rddm_zoo(zoo.root.path());
        command.args(arguments).args(["--allow-unsigned", "--registry", "others", "--home"]);
        finish(command.arg(zoo.home().0)).expect(0)
    };
    let outcome = others(&["pull", "derain"]);
    assert!(outcome.err.contains("derain was another"), "{}", outcome.err);
    assert_eq!(others(&["pull", "derain"]).err, "");
    assert!(others(&["list", "--pulled"]).out.contains("pulled, unsigned"));
}

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

#[test]
fn serve_gives_exactly_what_the_index_names() {
    let zoo = Zoo::new();
    fs::write(zoo.path("manifests/private"), "private").unwrap();
    fs::write(zoo.path("private"), "private").unwrap();
    let (mut server, url) = served(&zoo, "manifests");
    let top = url.strip_suffix("manifests/").unwrap();
    for registry in [url.as_str(), top] {
        let home = Home(zoo.path(if registry == top { "one" } else { "two" }));
        home.leave_part(&zoo.network(), &zoo.network()[..1000], None);
        pull(&zoo, registry, &home, &[]).expect(0);
        home.assert_whole(&zoo.network());
    }
    let address = top.strip_prefix("http://").unwrap().trim_end_matches('/');
    for path in [
        "/private",
        "/manifests/private",
        "/manifests/../private",
        "/../etc/hostname",
        "//etc/hostname",
        "/zoo/derain/recipe.toml",
        "/",
    ] {
        assert!(
            raw(address, &format!("GET {path} HTTP/1.1\r\n\r\n")).starts_with("HTTP/1.1 404"),
            "{path}"
        );
    }
    assert!(raw(address, "POST /index.toml HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(raw(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(
        raw(address, &format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)))
            .starts_with("HTTP/1.1 431")
    );
    // What has its digest for a name may be kept; all else is asked for again.
    let (hex, manifest) = (Digest::of(&zoo.network()).hex(), zoo.path("manifests/derain.toml"));
    fs::create_dir_all(zoo.path(&format!("manifests/blobs/sha256/{}", &hex[..2]))).unwrap();
    let blob = format!("blobs/sha256/{}/{hex}", &hex[..2]);
    fs::write(zoo.path("manifests").join(&blob), zoo.network()).unwrap();
    for (path, kept) in [
        ("derain.toml", false),
        ("zoo/derain/derain.onnx", false),
        ("index.toml", false),
        (&blob, true),
    ] {
        let head = raw(address, &format!("HEAD /{path} HTTP/1.1\r\n\r\n"));
        assert_eq!(head.contains("Cache-Control: no-cache"), !kept, "{path}: {head}");
        assert_eq!(head.contains("immutable"), kept, "{path}: {head}");
    }
    for (tag, status) in [(Digest::of(&fs::read(manifest).unwrap()).hex(), "304"), (hex, "200")] {
        let head = format!("GET /derain.toml HTTP/1.1\r\nIf-None-Match: \"0\", \"{tag}\"\r\n\r\n");
        assert!(raw(address, &head).starts_with(&format!("HTTP/1.1 {status}")), "{status}");
    }
    let part = raw(address, "GET /index.toml HTTP/1.1\r\nRange: bytes=0-5\r\n\r\n");
    assert!(part.starts_with("HTTP/1.1 206") && part.ends_with("\r\n\r\nschema"), "{part}");
    assert!(
        raw(address, "GET /index.toml HTTP/1.1\r\nRange: bytes=999999-\r\n\r\n")
            .starts_with("HTTP/1.1 416")
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

/// A server of the registry in a folder of `zoo`, and the URL that it says.
fn served(zoo: &Zoo, registry: &str) -> (Child, String) {
    served_in(zoo.root.path(), registry)
}

fn served_in(folder: &Path, registry: &str) -> (Child, String) {
    let mut server = rddm_zoo(folder)
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--key", public_key()])
        .args(["--registry", registry])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    (server, value["url"].as_str().unwrap().to_owned())
}

#[test]
fn the_url_that_serve_says_is_one_that_it_answers() {
    let zoo = Zoo::new();
    let name = "my models (é)+%41";
    fs::rename(zoo.path("manifests"), zoo.path(name)).unwrap();
    let (mut server, url) = served(&zoo, name);
    assert!(url.ends_with("/my%20models%20%28%C3%A9%29%2B%2541/"), "{url}");
    pull(&zoo, &url, &zoo.home(), &[]).expect(0);
    zoo.home().assert_whole(&zoo.network());
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn serve_says_why_it_cannot_answer() {
    use std::io::Read as _;
    let zoo = Zoo::new();
    let (mut server, url) = served(&zoo, "manifests");
    fs::remove_file(zoo.path("manifests/index.toml.minisig")).unwrap();
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    assert!(raw(address, "GET /index.toml HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 500"));
    server.kill().unwrap();
    let mut log = String::new();
    server.stdout.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("\"status\":500") && log.contains("is not signed"), "{log}");
    server.wait().unwrap();
}

#[test]
fn what_a_client_asks_for_turns_no_terminal() {
    use std::io::Read as _;
    let zoo = Zoo::new();
    let mut server = rddm_zoo(zoo.root.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--key", public_key()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let asked = "GET /\u{1b}]0;owned\u{7}\u{1b}[2Jx\r404 HTTP/1.1\r\n\r\n";
    assert!(raw(address, asked).starts_with("HTTP/1.1 404"));
    server.kill().unwrap();
    let mut log = String::new();
    out.read_to_string(&mut log).unwrap();
    assert!(log.contains("owned") && !log.chars().any(|c| c.is_control() && c != '\n'), "{log:?}");
    server.wait().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn serve_says_a_url_for_a_folder_whose_name_is_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let zoo = Zoo::new();
    let folder = zoo.root.path().join(std::ffi::OsStr::from_bytes(b"np\xe4"));
    fs::rename(zoo.path("manifests"), &folder).unwrap();
    let (mut server, url) = served_in(&folder, ".");
    pull(&zoo, &url, &zoo.home(), &[]).expect(0);
    zoo.home().assert_whole(&zoo.network());
    server.kill().unwrap();
    server.wait().unwrap();
}

fn raw(address: &str, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A server that refuses early may close before it has read all.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn json_is_one_object_a_line_and_quiet_is_quiet() {
    let zoo = Zoo::new();
    let outcome = run(&zoo, &["pull", "derain", "--json"]).expect(0);
    let events: Vec<String> = outcome
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .filter(|event| event != "progress")
        .collect();
    assert_eq!(events, ["index", "model", "started", "verified", "pulled"]);
    let outcome = run(&zoo, &["pull", "nothing", "--json"]).expect(4);
    let error: serde_json::Value =
        serde_json::from_str(outcome.out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (error["event"].as_str(), error["kind"].as_str(), error["exit_code"].as_i64()),
        (Some("error"), Some("not_found"), Some(4))
    );
    let outcome = finish(rddm_zoo(zoo.root.path()).args(["--json", "pull"])).expect(2);
    let error: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!((error["kind"].as_str(), error["exit_code"].as_i64()), (Some("usage"), Some(2)));
    assert!(outcome.err.contains("Usage:"), "{}", outcome.err);
    let outcome = run(&zoo, &["pull", "derain", "-q"]).expect(0);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("", ""));
}

/// A disk that is full is not a reader that has gone.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_no_success() {
    let zoo = Zoo::new();
    for arguments in [["list", "--json"], ["search", "rain"], ["completions", "bash"]] {
        let mut command = rddm_zoo(zoo.root.path());
        command.args(arguments).args(["--key", public_key(), "--home"]).arg(zoo.home().0);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(7), "{err}");
        assert!(err.contains("cannot write to the standard output"), "{err}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(command.stdout(writer).output().unwrap().status.code(), Some(0));
    }
}

#[test]
fn completions_and_man_pages_are_made() {
    let zoo = Zoo::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(run(&zoo, &["completions", shell]).expect(0).out.contains("rddm-zoo"));
    }
    run(&zoo, &["man", "pages"]).expect(0);
    assert!(fs::read_to_string(zoo.path("pages/rddm-zoo-pull.1")).unwrap().contains("verified"));
}

#[test]
fn an_unknown_option_is_a_matter_of_usage() {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain", "--nonsense"]).expect(2);
    run(&zoo, &["pull"]).expect(2);
    run(&zoo, &["pull", "derain", "--registry", "ftp://zoo.example/"]).expect(2);
    run(&zoo, &["pull", "derain", "--registry", "https://user@zoo.example/"]).expect(2);
    run(&zoo, &["pull", "derain", "--registry", "nowhere"]).expect(4);
}

#[test]
fn a_registry_may_be_named_by_its_index_and_a_scheme_in_capitals() {
    let zoo = Zoo::new();
    let url = Server::good(&zoo).registry().replace("http", "HTTP");
    for registry in ["manifests/index.toml", &url, &format!("{url}/index.toml")] {
        run(&zoo, &["pull", "derain", "--registry", registry]).expect(0);
    }
}
