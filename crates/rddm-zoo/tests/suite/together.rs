//! Several processes at once.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{
    server::{NETWORK, Server, head},
    zoo::{SIZE, Zoo, finish, keys, public_key, pull, pulling, rddm_zoo},
};

#[test]
fn ten_processes_pull_one_model_and_one_transfers_it() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let network = zoo.network();
    let body = network.clone();
    let server = Server::of_network(&zoo, move |_, stream| {
        use std::io::Write as _;
        head(stream, "200 OK", &[], Some(SIZE));
        let _ = stream.write_all(&body[..1000]);
        thread::sleep(Duration::from_millis(500));
        let _ = stream.write_all(&body[1000..]);
        true
    });
    let start = || -> Child {
        let mut command = pulling(&zoo, &server.registry(), &home, &[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..10).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    home.assert_whole(&network);
    assert_eq!(server.of_path(NETWORK).len(), 1);
}

#[test]
fn garbage_is_not_collected_while_a_model_is_pulled() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let network = zoo.network();
    let body = network.clone();
    let server = Server::of_network(&zoo, move |_, stream| {
        use std::io::Write as _;
        head(stream, "200 OK", &[], Some(SIZE));
        let _ = stream.write_all(&body[..100_000]);
        thread::sleep(Duration::from_secs(2));
        let _ = stream.write_all(&body[100_000..]);
        true
    });
    let mut pull = pulling(&zoo, &server.registry(), &home, &["-q"]).spawn().unwrap();
    while !fs::metadata(home.part(&network)).is_ok_and(|metadata| metadata.len() > 0) {
        thread::sleep(Duration::from_millis(5));
    }
    let gc = rddm_zoo(zoo.root.path())
        .args(["gc", "-q", "--partial-days", "0", "--home"])
        .arg(&home.0)
        .status()
        .unwrap();
    assert_eq!(gc.code(), Some(0));
    assert_eq!(pull.wait().unwrap().code(), Some(0));
    home.assert_whole(&network);
    assert_eq!(server.of_path(NETWORK).len(), 1);
}

/// Begins a command with `--json` and returns it when it has said that it waits for the store.
fn waiting(command: &mut std::process::Command) -> Child {
    let mut child = command.arg("--json").stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = out.lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line.contains("\"waiting\"") && line.contains("the store")));
    // It goes on writing; nobody reads, and the pipe has to stay.
    thread::spawn(move || lines.count());
    child
}

#[test]
fn a_model_that_is_removed_while_a_pull_waits_is_brought_again() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    // What `rm` does while it holds the store.
    let lock = fs::File::create(home.0.join("locks/store")).unwrap();
    lock.lock().unwrap();
    let mut child = waiting(&mut pulling(&zoo, &server.registry(), &home, &[]));
    fs::remove_dir_all(home.0.join("blobs")).unwrap();
    fs::remove_dir_all(home.0.join("models")).unwrap();
    drop(lock);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    home.assert_whole(&zoo.network());
}

#[test]
fn rm_and_gc_say_that_they_wait() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    for arguments in [&["gc"][..], &["rm", "derain"]] {
        let lock = fs::File::create(home.0.join("locks/store")).unwrap();
        lock.lock_shared().unwrap();
        let mut command = rddm_zoo(zoo.root.path());
        let (said, hear) = mpsc::channel::<()>();
        thread::spawn(move || {
            let _ = hear.recv_timeout(Duration::from_secs(20));
            drop(lock);
        });
        let mut child = waiting(command.args(arguments).arg("--home").arg(&home.0));
        drop(said);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    home.assert_nothing();
}

#[cfg(unix)]
#[test]
fn publishes_at_once_take_turns_and_clear_up() {
    let zoo = Zoo::new();
    fs::write(zoo.path("secret.key"), &keys().secret).unwrap();
    // What a killed one leaves.
    fs::write(zoo.path("manifests/.new-left"), "half").unwrap();
    let publish = || {
        let mut command = rddm_zoo(zoo.root.path());
        command.args(["publish", "-q", "--renew", "--signing-key", "secret.key"]).spawn().unwrap()
    };
    let children: Vec<Child> = (0..8).map(|_| publish()).collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let index = fs::read_to_string(zoo.path("manifests/index.toml")).unwrap();
    assert!(index.contains("\nversion = 9\n"), "{index}");
    pull(&zoo, "manifests", &zoo.home(), &[]).expect(0);
    assert!(!zoo.path("manifests/.new-left").exists());
}

#[cfg(unix)]
#[test]
fn two_locks_at_once_are_both_kept_and_a_link_stays_one() {
    let zoo = Zoo::new();
    zoo.add_another();
    let server = Server::start(&zoo, |request, _| {
        if request.path == "/manifests/derain.toml" {
            thread::sleep(Duration::from_secs(2));
        }
        false
    });
    std::os::unix::fs::symlink("real.lock", zoo.path("rddm.lock")).unwrap();
    let lock = |id: &str| {
        let mut command = rddm_zoo(zoo.root.path());
        command.args(["lock", id, "-q", "--registry", &server.registry(), "--key", public_key()]);
        command
    };
    let mut slow = lock("derain").spawn().unwrap();
    while server.of_path("/manifests/derain.toml").is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    finish(&mut lock("derain-too")).expect(0);
    assert_eq!(slow.wait().unwrap().code(), Some(0));
    assert!(fs::symlink_metadata(zoo.path("rddm.lock")).unwrap().is_symlink());
    let text = fs::read_to_string(zoo.path("real.lock")).unwrap();
    assert_eq!(text.matches("id = ").count(), 2, "{text}");
}
