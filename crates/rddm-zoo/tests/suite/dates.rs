//! Signatures, expiry, old indexes put back, and clocks that are wrong.

use std::{fs, sync::Mutex};

use rddm_manifest::{PublicKey, Timestamp};
use rddm_zoo::{Access, ErrorKind, Event, Http, Place, Registry, Store, Trust};

use crate::{
    server::{Server, respond},
    zoo::{Home, Zoo, finish, public_key, pull, rddm_zoo},
};

fn folder(zoo: &Zoo) -> String {
    zoo.path("manifests").to_str().unwrap().to_owned()
}

#[test]
fn a_changed_index_is_refused() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let path = zoo.path("manifests/index.toml");
    let text = fs::read_to_string(&path).unwrap().replace("rain streaks", "rain and more");
    fs::write(&path, text).unwrap();
    let outcome = pull(&zoo, &folder(&zoo), &home, &[]).expect(5);
    assert!(outcome.err.contains("changed after it was signed"), "{}", outcome.err);
    home.assert_nothing();
}

#[test]
fn an_index_signed_by_another_key_is_refused_and_so_is_an_unsigned_one() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let run = |more: &[&str]| {
        let mut command = rddm_zoo(zoo.root.path());
        finish(
            command
                .args(["pull", "derain", "--registry", &folder(&zoo), "--home"])
                .arg(&home.0)
                .args(more),
        )
    };
    // The program's own keys did not sign this zoo.
    assert!(run(&[]).expect(5).err.contains("another key"));
    fs::remove_file(zoo.path("manifests/index.toml.minisig")).unwrap();
    assert!(run(&["--key", public_key()]).expect(5).err.contains("not signed"));
    home.assert_nothing();
    let outcome = run(&["--allow-unsigned"]).expect(0);
    assert!(outcome.out.contains("NOT SIGNED"), "{}", outcome.out);
    home.assert_whole(&zoo.network());
}

#[test]
fn a_registry_over_http_without_a_signature_is_refused() {
    let zoo = Zoo::new();
    let home = zoo.home();
    fs::remove_file(zoo.path("manifests/index.toml.minisig")).unwrap();
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &[]).expect(5);
    home.assert_nothing();
}

#[test]
fn an_index_of_which_a_server_sends_a_part_is_a_fault_of_the_server() {
    let zoo = Zoo::new();
    for status in ["206 Partial Content", "416 Range Not Satisfiable"] {
        let server = Server::start(&zoo, move |request, stream| {
            let index = request.path.ends_with("index.toml");
            if index {
                respond(stream, status, &[], b"schema");
            }
            index
        });
        let outcome = pull(&zoo, &server.registry(), &zoo.home(), &[]).expect(6);
        assert!(outcome.err.contains(status), "{}", outcome.err);
    }
}

#[test]
fn an_index_that_is_half_published_is_asked_for_once_more() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let old = fs::read(zoo.path("manifests/index.toml.minisig")).unwrap();
    zoo.publish(rddm_zoo::now().unix(), 365);
    let server = Server::start(&zoo, move |request, stream| {
        let stale = request.path.ends_with(".minisig") && request.before == 0;
        if stale {
            respond(stream, "200 OK", &[], &old);
        }
        stale
    });
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&zoo.network());
}

#[test]
fn an_expired_index_is_refused_unless_that_is_asked_for() {
    let zoo = Zoo::new();
    let home = zoo.home();
    zoo.expire();
    for registry in [folder(&zoo), Server::good(&zoo).registry()] {
        let outcome = pull(&zoo, &registry, &home, &[]).expect(5);
        assert!(outcome.err.contains("expired on"), "{}", outcome.err);
        home.assert_nothing();
    }
    // A folder that one has is listed and shown whatever the date, as it is run.
    let server = Server::good(&zoo);
    let look = |arguments: &[&str], registry: &str| {
        let mut command = rddm_zoo(zoo.root.path());
        command.args(arguments).args(["--registry", registry, "--key", public_key(), "--home"]);
        finish(command.arg(&home.0))
    };
    for arguments in [&["list"][..], &["search", "rain"], &["show", "derain"]] {
        look(arguments, &folder(&zoo)).expect(0);
        look(arguments, &server.registry()).expect(5);
    }
    pull(&zoo, &folder(&zoo), &home, &["--allow-expired"]).expect(0);
}

#[test]
fn an_old_index_put_back_is_refused() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let server = Server::good(&zoo);
    let keep = |name: &str| fs::read(zoo.path("manifests").join(name)).unwrap();
    let old = ["index.toml", "index.toml.minisig", "derain.toml"].map(|name| (name, keep(name)));
    assert_eq!(zoo.publish(rddm_zoo::now().unix(), 365), 2);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    for (name, bytes) in old {
        fs::write(zoo.path("manifests").join(name), bytes).unwrap();
    }
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(5);
    assert!(outcome.err.contains("has version 1"), "{}", outcome.err);
    home.assert_whole(&zoo.network());
    // Whoever set it back on purpose says so.
    finish(rddm_zoo(zoo.root.path()).args(["gc", "--forget-registries", "--home"]).arg(&home.0))
        .expect(0);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
}

#[test]
fn a_damaged_memory_is_not_taken_for_none() {
    let zoo = Zoo::new();
    let home = zoo.home();
    pull(&zoo, &folder(&zoo), &home, &[]).expect(0);
    let note = home.files("registries").into_keys().next().unwrap();
    let good = fs::read_to_string(&note).unwrap();
    for text in [
        format!("{good}x"),
        good.replacen("schema = 1", "schema = 2", 1),
        good.replacen("/manifests", "/others", 1),
        good.replacen("version = 1\n", "version = 0\n", 1),
    ] {
        assert_ne!(text, good);
        fs::write(&note, &text).unwrap();
        let outcome = pull(&zoo, &folder(&zoo), &home, &[]).expect(5);
        assert!(outcome.err.contains(note.to_str().unwrap()), "{}", outcome.err);
        assert!(outcome.err.contains("gc --forget-registries"), "{}", outcome.err);
        assert_eq!(fs::read_to_string(&note).unwrap(), text);
    }
    fs::remove_file(&note).unwrap();
    pull(&zoo, &folder(&zoo), &home, &[]).expect(0);
}

#[test]
fn an_index_counts_as_seen_by_a_pull_that_fails_and_by_a_lock() {
    let zoo = Zoo::new();
    let server = Server::of_network(&zoo, |_, stream| {
        respond(stream, "404 Not Found", &[], b"");
        true
    });
    let keep = |name: &str| fs::read(zoo.path("manifests").join(name)).unwrap();
    let old = ["index.toml", "index.toml.minisig"].map(|name| (name, keep(name)));
    zoo.publish(rddm_zoo::now().unix(), 365);
    let new = ["index.toml", "index.toml.minisig"].map(|name| (name, keep(name)));
    let put = |files: &[(&str, Vec<u8>)]| {
        files.iter().for_each(|(name, bytes)| {
            fs::write(zoo.path("manifests").join(name), bytes).unwrap();
        });
    };
    for (command, code) in [("pull", 6), ("lock", 0)] {
        let home = zoo.path(command);
        let run = || {
            let mut program = rddm_zoo(zoo.root.path());
            program.args([command, "derain", "--registry", &server.registry(), "--home"]);
            finish(program.arg(&home).args(["--key", public_key(), "--retries", "0"]))
        };
        put(&new);
        run().expect(code);
        put(&old);
        let outcome = run().expect(5);
        assert!(outcome.err.contains("had 2"), "{}", outcome.err);
    }
}

#[test]
fn an_unsigned_pull_does_not_make_the_signed_index_forgotten() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let server = Server::good(&zoo);
    let keep = |name: &str| fs::read(zoo.path("manifests").join(name)).unwrap();
    let old = ["index.toml", "index.toml.minisig"].map(|name| (name, keep(name)));
    zoo.publish(rddm_zoo::now().unix(), 365);
    zoo.publish(rddm_zoo::now().unix(), 365);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    for (name, bytes) in old {
        fs::write(zoo.path("manifests").join(name), bytes).unwrap();
    }
    pull(&zoo, &server.registry(), &home, &[]).expect(5);
    let unsigned = |arguments: &[&str]| {
        let mut command = rddm_zoo(zoo.root.path());
        command.args(arguments).args(["--allow-unsigned", "--registry", &server.registry()]);
        finish(command.arg("--home").arg(&home.0))
    };
    unsigned(&["pull", "derain"]).expect(0);
    unsigned(&["list", "--offline"]).expect(0);
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(5);
    assert!(outcome.err.contains("had 3"), "{}", outcome.err);
    // What only an unsigned index lists can be exported too.
    fs::write(zoo.path("zoo/derain/recipe.toml"), "seed = 2\n").unwrap();
    zoo.publish(rddm_zoo::now().unix(), 365);
    unsigned(&["pull", "derain"]).expect(0);
    unsigned(&["export", "bundle"]).expect(0);
}

#[test]
fn a_clock_in_1970_cannot_judge_the_expiry_and_says_so() {
    let zoo = Zoo::new();
    let store = Store::open(zoo.home().0);
    let key: PublicKey = public_key().parse().unwrap();
    let trust = Trust::Keys(vec![key]);
    let http = Http::offline();
    let place = Place::Folder(zoo.path("manifests"));
    let open = |now: Timestamp| {
        let told = Mutex::new(None);
        let access = Access { trust: &trust, http: &http, now, allow_expired: false };
        let result = Registry::open(&place, &access, Some(&store), &|event| {
            if let Event::Index { clock_trusted, .. } = event {
                *told.lock().unwrap() = Some(clock_trusted);
            }
        });
        (result.map(drop), told.into_inner().unwrap())
    };
    let now = rddm_zoo::now();
    assert_eq!(open(Timestamp::from_unix(0)).1, Some(false));
    assert_eq!(open(now).1, Some(true));
    let (late, _) = open(now.plus_days(400));
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Verification);
}

#[test]
fn a_model_that_needs_a_newer_program_is_refused() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let path = zoo.path("zoo/derain/model.toml");
    let draft = fs::read_to_string(&path)
        .unwrap()
        .replace("least_runtime = \"0.1.0\"", "least_runtime = \"99.0.0\"");
    fs::write(&path, draft).unwrap();
    zoo.publish(rddm_zoo::now().unix(), 365);
    let outcome = pull(&zoo, &folder(&zoo), &home, &[]).expect(4);
    assert!(outcome.err.contains("needs version 99.0.0"), "{}", outcome.err);
    home.assert_nothing();
    // It keeps no other one out.
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("99.0.0", "98.0.0")).unwrap();
    zoo.add_another();
    for command in [&["pull", "--all"][..], &["import", "manifests"]] {
        let home = Home(zoo.path(command[0]));
        let mut program = rddm_zoo(zoo.root.path());
        program.args(command).args(["--key", public_key(), "--home"]).arg(&home.0);
        let outcome = finish(&mut program).expect(4);
        assert!(outcome.err.contains("needs version 98.0.0"), "{}", outcome.err);
        assert!(home.0.join("models/derain-too.toml").is_file());
        home.assert_sound();
    }
}
