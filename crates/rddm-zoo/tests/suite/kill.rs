//! Processes that are killed, as by a cut of power: the store is sound after each.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    server::{NETWORK, Server, head, serve},
    zoo::{Home, Numbers, SIZE, Zoo, finish, public_key, pull, pulling, rddm_zoo},
};

fn command(zoo: &Zoo, server: &Server, home: &Home) -> Command {
    let mut command = pulling(zoo, &server.registry(), home, &["--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// SIGKILL: the process gets no chance to tidy up.
fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn has_ended(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}

#[test]
fn killed_after_each_event() {
    let zoo = Zoo::new();
    let server = slow(&zoo);
    let home = zoo.home();
    let mut kills = 0;
    for event in 0..12 {
        let mut child = command(&zoo, &server, &home).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.by_ref().take(event).count();
        kill(child);
        kills += usize::from(told == event);
        home.assert_sound();
        if home.0.join("models/derain.toml").exists() {
            std::fs::remove_dir_all(&home.0).unwrap();
        }
    }
    assert!(kills >= 6, "{kills}");
    ends_well(&zoo, &home);
}

#[test]
fn killed_at_60_points_of_the_transfer() {
    let zoo = Zoo::new();
    let network = zoo.network();
    let home = zoo.home();
    let mut kills = 0;
    for point in 0..60 {
        let (sent, hear) = std::sync::mpsc::sync_channel(1);
        let body = network.clone();
        let cut = SIZE * point / 59;
        let server = Server::of_network(&zoo, move |request, stream| {
            let from = request.from().unwrap_or(0);
            if from >= cut {
                // The rest comes at once, and the kill comes while it is put away.
                let _ = sent.try_send(());
                serve(stream, request, &body);
                return true;
            }
            let range = format!("bytes {from}-{}/{SIZE}", SIZE - 1);
            let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
            head(stream, status, &[("Content-Range", &range)], Some(SIZE - from));
            let _ = stream.write_all(&body[from..cut]);
            let _ = sent.try_send(());
            thread::sleep(Duration::from_secs(3));
            true
        });
        let mut child = command(&zoo, &server, &home).spawn().unwrap();
        // An earlier kill may have left the whole file without its name: then nothing is asked for.
        while hear.recv_timeout(Duration::from_millis(20)).is_err() && !has_ended(&mut child) {}
        // Time for the bytes to arrive, different each time.
        thread::sleep(Duration::from_millis(point as u64 % 10));
        kills += usize::from(!has_ended(&mut child));
        kill(child);
        home.assert_sound();
        if home.0.join("models/derain.toml").exists() {
            std::fs::remove_dir_all(&home.0).unwrap();
        }
    }
    assert!(kills >= 50, "{kills}");
    ends_well(&zoo, &home);
}

#[test]
fn killed_at_30_random_moments() {
    let zoo = Zoo::new();
    let server = Server::good(&zoo);
    let home = zoo.home();
    let mut numbers = Numbers(11);
    for _ in 0..30 {
        let child = command(&zoo, &server, &home).spawn().unwrap();
        thread::sleep(Duration::from_micros(numbers.below(60_000) as u64));
        kill(child);
        home.assert_sound();
        if numbers.below(4) == 0 {
            let _ = std::fs::remove_dir_all(&home.0);
        }
    }
    ends_well(&zoo, &home);
}

/// Asks a process to end; not as the keyboard does, which is ignored where the tests run in a shell's background.
#[cfg(unix)]
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[test]
fn interrupted_ends_with_130_and_keeps_the_part() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let network = zoo.network();
    let server = slow(&zoo);
    let child = command(&zoo, &server, &home).spawn().unwrap();
    while !std::fs::metadata(home.part(&network)).is_ok_and(|metadata| metadata.len() > 0) {
        thread::sleep(Duration::from_millis(5));
    }
    interrupt(&child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(home.assert_part(&network) > 0);
    ends_well(&zoo, &home);
}

#[cfg(unix)]
#[test]
fn an_interrupted_export_leaves_no_temporary_file() {
    // Large, so that the copy takes longer than it takes to interrupt it.
    let network = vec![8; 128 << 20];
    let zoo = Zoo::with(&network);
    let home = zoo.home();
    let registry = zoo.path("manifests").to_str().unwrap().to_owned();
    pull(&zoo, &registry, &home, &[]).expect(0);
    let mut export = rddm_zoo(zoo.root.path());
    export.args(["export", "bundle", "--key", public_key(), "--home"]).arg(&home.0);
    let mut child = export.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let bundle = Home(zoo.path("bundle"));
    let temporary = || {
        let is_new = |path: &PathBuf| path.to_string_lossy().contains("/.new-");
        bundle.files("blobs").into_keys().any(|path| is_new(&path))
    };
    while !temporary() && !has_ended(&mut child) {
        thread::sleep(Duration::from_millis(1));
    }
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!temporary());
    assert!(!bundle.0.join("derain.toml").exists());
    finish(&mut export).expect(0);
    assert!(bundle.blob(&network).is_file());
}

/// Brings the network in small pieces, so that there are many events.
fn slow(zoo: &Zoo) -> Server {
    let network = zoo.network();
    Server::start(zoo, move |request, stream| {
        if request.path != NETWORK {
            return false;
        }
        let from = request.from().unwrap_or(0);
        let range = format!("bytes {from}-{}/{SIZE}", SIZE - 1);
        let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
        head(stream, status, &[("Content-Range", &range)], Some(SIZE - from));
        for piece in network[from..].chunks(60_000) {
            if stream.write_all(piece).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(120));
        }
        true
    })
}

fn ends_well(zoo: &Zoo, home: &Home) {
    let server = Server::good(zoo);
    assert!(command(zoo, &server, home).stdout(Stdio::null()).status().unwrap().success());
    home.assert_whole(&zoo.network());
}
