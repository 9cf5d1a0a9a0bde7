//! Without network there is no socket at all: a library that ends the process at the first one is
//! loaded under the command.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    server::Server,
    zoo::{Outcome, Zoo, finish, public_key, pull, rddm_zoo, skipped},
};

const TRAP: &str = r#"
#include <stdlib.h>
#include <sys/socket.h>
struct addrinfo;
int socket(int domain, int type, int protocol) { (void)domain; (void)type; (void)protocol; abort(); }
int connect(int fd, const struct sockaddr *address, socklen_t length) { (void)fd; (void)address; (void)length; abort(); }
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    (void)node; (void)service; (void)hints; (void)result; abort();
}
"#;

fn trap(zoo: &Zoo) -> Option<PathBuf> {
    let (source, library) = (zoo.path("trap.c"), zoo.path("trap.so"));
    fs::write(&source, TRAP).unwrap();
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).output();
    if !cfg!(target_os = "linux") || !compiled.is_ok_and(|output| output.status.success()) {
        skipped("this machine does not let a test put a library under a command");
        return None;
    }
    Some(library)
}

#[test]
fn offline_opens_no_socket_and_resolves_no_name() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let Some(trap) = trap(&zoo) else { return };
    let server = Server::good(&zoo);
    let url = server.registry();
    let trapped = |arguments: &[&str]| -> Outcome {
        let mut command = rddm_zoo(zoo.root.path());
        command
            .env("LD_PRELOAD", &trap)
            .args(arguments)
            .args(["--key", public_key(), "--home"])
            .arg(&home.0);
        finish(&mut command)
    };
    // The trap works.
    assert_eq!(trapped(&["pull", "derain", "--registry", &url]).code, None);

    let outcome = trapped(&["pull", "derain", "--offline", "--registry", &url]).expect(6);
    assert!(outcome.err.contains("--offline"), "{}", outcome.err);
    trapped(&["pull", "derain", "--offline", "--registry", "https://zoo.example/manifests"])
        .expect(6);
    let outcome = trapped(&["list", "--offline", "--registry", &url]).expect(6);
    assert!(outcome.err.contains("rddm-zoo pull NAME"), "{}", outcome.err);
    home.assert_nothing();

    pull(&zoo, &url, &home, &[]).expect(0);
    assert!(trapped(&["list", "--offline", "--registry", &url]).expect(0).out.contains("derain"));
    trapped(&["search", "rain", "--offline", "--registry", &url]).expect(0);
    trapped(&["show", "derain", "--offline"]).expect(0);
    trapped(&["verify", "--offline"]).expect(0);
    // Nothing of this needs the network, whether that is forbidden or not.
    trapped(&["list", "--pulled"]).expect(0);
    trapped(&["verify"]).expect(0);
    trapped(&["gc"]).expect(0);
    let folder = zoo.path("manifests");
    trapped(&["pull", "derain", "--registry", folder.to_str().unwrap()]).expect(0);
}
