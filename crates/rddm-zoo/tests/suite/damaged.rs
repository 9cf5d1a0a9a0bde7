//! Stores of two models one of which is damaged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    command::run,
    zoo::{Home, Outcome, SIZE, Zoo, keys},
};

/// The zoo with `derain` and `derain-too`, both of them pulled.
fn scene() -> (Zoo, Home) {
    let zoo = Zoo::new();
    zoo.add_another();
    run(&zoo, &["pull", "--all"]).expect(0);
    let home = zoo.home();
    (zoo, home)
}

fn record(home: &Home, model: &str) -> PathBuf {
    home.0.join("models").join(format!("{model}.toml"))
}

/// The ways in which `derain-too` can be damaged.
const WAYS: [fn(&Zoo); 5] = [
    |zoo| fs::write(record(&zoo.home(), "derain-too"), "junk\n").unwrap(),
    |zoo| fs::write(record(&zoo.home(), "derain-too"), b"\xff\xfe").unwrap(),
    |zoo| fs::write(record(&zoo.home(), "derain-too"), vec![b'#'; 1 << 20]).unwrap(),
    |zoo| {
        let home = zoo.home();
        fs::copy(record(&home, "derain"), record(&home, "derain-too")).map(drop).unwrap()
    },
    |zoo| {
        let manifest = fs::read(zoo.path("manifests/derain-too.toml")).unwrap();
        fs::remove_file(zoo.home().blob(&manifest)).unwrap();
    },
];

#[track_caller]
fn assert_says_what_to_do(outcome: &Outcome, model: &str) {
    for command in ["pull", "rm"] {
        let wanted = format!("rddm-zoo {command} {model}");
        assert!(outcome.err.contains(&wanted), "{wanted}: {}", outcome.err);
    }
}

#[test]
fn the_good_one_is_not_removed_by_halves() {
    for damage in WAYS {
        let (zoo, home) = scene();
        damage(&zoo);
        let before = home.files("");
        let outcome = run(&zoo, &["rm", "derain"]).expect(5);
        assert!(outcome.err.contains("nothing was removed"), "{}", outcome.err);
        assert_says_what_to_do(&outcome, "derain-too");
        assert_eq!(home.files(""), before);
    }
}

#[test]
fn the_damaged_one_is_removed_and_the_good_one_stays_whole() {
    for damage in WAYS {
        let (zoo, home) = scene();
        damage(&zoo);
        run(&zoo, &["rm", "derain-too"]).expect(0);
        assert_eq!(home.files("blobs").len(), 2);
        home.assert_whole(&zoo.network());
        run(&zoo, &["rm", "derain"]).expect(0);
        home.assert_nothing();
    }
}

#[test]
fn the_damaged_one_is_pulled_again() {
    for damage in WAYS {
        let (zoo, home) = scene();
        damage(&zoo);
        run(&zoo, &["pull", "derain-too"]).expect(0);
        run(&zoo, &["list", "--pulled"]).expect(0);
        home.assert_sound();
        run(&zoo, &["lock", "derain-too"]).expect(0);
        damage(&zoo);
        run(&zoo, &["pull", "--locked"]).expect(0);
        home.assert_sound();
    }
}

#[test]
fn the_good_one_is_listed_and_the_damaged_one_reported() {
    for damage in WAYS {
        let (zoo, _) = scene();
        damage(&zoo);
        let outcome = run(&zoo, &["list", "--pulled"]).expect(5);
        assert!(outcome.out.contains("Removes rain streaks"), "{}", outcome.out);
        assert!(!outcome.out.contains("derain-too"), "{}", outcome.out);
        assert_says_what_to_do(&outcome, "derain-too");
    }
}

#[test]
fn a_damaged_record_is_a_state_of_a_model_of_the_registry() {
    let (zoo, home) = scene();
    fs::write(record(&home, "derain-too"), "junk\n").unwrap();
    let outcome = run(&zoo, &["list", "--json"]).expect(5);
    let mut lines =
        outcome.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let models = lines.next().unwrap()["models"].clone();
    let states = [&models[0]["state"], &models[1]["state"]];
    assert_eq!(states, ["pulled", "damaged"]);
    assert_eq!(lines.next().unwrap()["event"], "error");
    assert_says_what_to_do(&outcome, "derain-too");
}

#[test]
fn the_good_ones_bytes_are_counted_and_what_is_not_needed_is_not_known() {
    for damage in WAYS {
        let (zoo, home) = scene();
        damage(&zoo);
        let outcome = run(&zoo, &["du"]).expect(5);
        assert!(outcome.out.contains("not known"), "{}", outcome.out);
        assert_says_what_to_do(&outcome, "derain-too");
        let outcome = run(&zoo, &["du", "--json"]).expect(5);
        let usage: serde_json::Value =
            serde_json::from_str(outcome.out.lines().next().unwrap()).unwrap();
        let manifest = fs::metadata(zoo.path("manifests/derain.toml")).unwrap().len();
        let bytes = SIZE as u64 + manifest;
        assert_eq!(usage["models"], serde_json::json!([{ "id": "derain", "bytes": bytes }]));
        assert_eq!(usage["unneeded"], serde_json::Value::Null);
        assert_eq!(usage["blobs"], home.files("blobs").values().sum::<u64>());
    }
}

#[test]
fn garbage_is_not_collected_as_long_as_one_is_damaged() {
    for damage in WAYS {
        let (zoo, home) = scene();
        damage(&zoo);
        let before = home.files("");
        for more in ["--dry-run", "--forget-registries"] {
            let outcome = run(&zoo, &["gc", more]).expect(5);
            assert!(outcome.err.contains("nothing was removed"), "{}", outcome.err);
            assert_says_what_to_do(&outcome, "derain-too");
            assert_eq!(home.files(""), before);
        }
    }
}

#[test]
fn several_damaged_ones_are_all_named_and_removed_together() {
    let (zoo, home) = scene();
    for model in ["derain", "derain-too"] {
        fs::write(record(&home, model), "junk\n").unwrap();
    }
    for command in [&["list", "--pulled"][..], &["du"]] {
        let outcome = run(&zoo, command).expect(5);
        assert!(outcome.err.contains("rddm-zoo rm derain\n"), "{}", outcome.err);
        assert_says_what_to_do(&outcome, "derain-too");
    }
    assert_says_what_to_do(&run(&zoo, &["gc"]).expect(5), "derain derain-too");
    assert_says_what_to_do(&run(&zoo, &["rm", "derain"]).expect(5), "derain-too");
    run(&zoo, &["rm", "derain", "derain-too"]).expect(0);
    home.assert_nothing();
}

#[test]
fn verify_names_all_that_is_wrong() {
    let (zoo, home) = scene();
    fs::write(record(&home, "derain-too"), "junk\n").unwrap();
    let stray = home.blob(b"nobody's");
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, "another").unwrap();
    // Nor can it be read, but by root.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&stray, fs::Permissions::from_mode(0o0)).unwrap();
    }
    let outcome = run(&zoo, &["verify"]).expect(5);
    assert!(outcome.out.contains("derain 0.1.0 is good"), "{}", outcome.out);
    assert!(outcome.err.contains("record of derain-too"), "{}", outcome.err);
    assert!(outcome.err.contains(stray.to_str().unwrap()), "{}", outcome.err);
}

#[test]
fn a_named_folder_is_verified_whatever_the_store_has() {
    let (zoo, home) = scene();
    // Not beside the zoo, whose files it would name.
    run(&zoo, &["export", "stick/bundle", "derain"]).expect(0);
    for names in [&[][..], &["derain"]] {
        let arguments = [&["verify", "--registry", "stick/bundle"], names].concat();
        let outcome = run(&zoo, &arguments).expect(0);
        assert!(outcome.out.contains("derain 0.1.0 is good"), "{}", outcome.out);
        assert!(!outcome.out.contains("derain-too"), "{}", outcome.out);
        let blob = Home(zoo.path("stick/bundle")).blob(&zoo.network());
        let good = fs::read(&blob).unwrap();
        let mut bytes = good.clone();
        bytes[1000] ^= 1;
        fs::write(&blob, bytes).unwrap();
        let outcome = run(&zoo, &arguments).expect(5);
        let name = blob.file_name().unwrap().to_str().unwrap();
        assert!(outcome.err.contains(name), "{}", outcome.err);
        fs::write(&blob, good).unwrap();
    }
    home.assert_sound();
}

/// Opening a pipe would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_is_refused() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let replace = |path: &Path| {
        fs::remove_file(path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    run(&zoo, &["pull", "derain"]).expect(0);
    replace(&home.blob(&zoo.network()));
    run(&zoo, &["verify"]).expect(5);
    home.assert_not_resolved("derain");
    // Another pull brings the network anew.
    run(&zoo, &["pull", "derain"]).expect(0);
    home.assert_whole(&zoo.network());
    replace(&record(&home, "derain"));
    run(&zoo, &["list", "--pulled"]).expect(5);
    replace(&zoo.path("zoo/derain/derain.onnx"));
    let outcome = run(&zoo, &["publish", "--renew", "--signing-key", "secret.key"]).expect(3);
    assert!(outcome.err.contains("it is not a file"), "{}", outcome.err);
    fs::remove_file(record(&home, "derain")).unwrap();
    run(&zoo, &["verify", "derain"]).expect(3);
}
