//! Several processes at once.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use crate::{
    server::{NETWORK, Server, head},
    zoo::{SIZE, Zoo, pulling, rddm_zoo},
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
