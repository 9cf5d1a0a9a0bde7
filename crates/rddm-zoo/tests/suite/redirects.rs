//! Where a server can send a client, and what goes with it.

use std::fs;

use crate::{
    server::{NETWORK, Server, respond, serve},
    zoo::{Zoo, finish, public_key, pull, pulling, rddm_zoo},
};

fn redirecting(zoo: &Zoo, to: impl Fn(usize) -> String + Send + Sync + 'static) -> Server {
    Server::start(zoo, move |request, stream| {
        if !request.path.starts_with(NETWORK) {
            return false;
        }
        respond(stream, "302 Found", &[("Location", &to(request.before))], b"");
        true
    })
}

#[test]
fn a_redirect_loop_ends() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let server = redirecting(&zoo, |_| NETWORK.to_owned());
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(6);
    assert!(outcome.err.contains("redirected more than"), "{}", outcome.err);
    home.assert_nothing();
    assert_eq!(server.of_path(NETWORK).len(), 6);
}

#[test]
fn a_redirect_to_a_file_or_another_scheme_is_not_followed() {
    for place in [
        "file:///etc/hostname",
        "ftp://127.0.0.1/x",
        "data:text/plain,x",
        "http://user:secret@127.0.0.1/",
        "http://",
    ] {
        let zoo = Zoo::new();
        let home = zoo.home();
        let server = redirecting(&zoo, move |_| place.to_owned());
        pull(&zoo, &server.registry(), &home, &[]).expect(6);
        home.assert_nothing();
        assert_eq!(server.of_path(NETWORK).len(), 1, "{place}");
    }
}

#[test]
fn a_token_stays_with_its_registry() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let other = Server::good(&zoo);
    let target = format!("http://{}{NETWORK}", other.address);
    let server = redirecting(&zoo, move |_| target.clone());
    fs::write(zoo.path("token"), "hush\n").unwrap();
    pull(&zoo, &server.registry(), &home, &["--token-file", zoo.path("token").to_str().unwrap()])
        .expect(0);
    home.assert_whole(&zoo.network());
    assert_eq!(server.of_path("/manifests/index.toml")[0].headers["authorization"], "Bearer hush");
    assert_eq!(server.of_path(NETWORK)[0].headers["authorization"], "Bearer hush");
    // The other port is another host as far as secrets go.
    assert!(!other.of_path(NETWORK)[0].headers.contains_key("authorization"));
}

#[test]
fn a_token_is_not_sent_in_the_open() {
    let zoo = Zoo::new();
    let home = zoo.home();
    fs::write(zoo.path("token"), "hush\n").unwrap();
    let token = zoo.path("token");
    pull(
        &zoo,
        "http://example.invalid/manifests",
        &home,
        &["--token-file", token.to_str().unwrap()],
    )
    .expect(2);
}

#[test]
fn a_proxy_is_used_and_can_be_switched_off() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let root = zoo.root.path().to_owned();
    let proxy = Server::start(&zoo, move |request, stream| {
        let Some(path) = request.path.strip_prefix("http://zoo.invalid/") else { return false };
        serve(stream, request, &fs::read(root.join(path)).unwrap());
        true
    });
    let address = format!("http://{}", proxy.address);
    pull(&zoo, "http://zoo.invalid/manifests", &home, &["--proxy", &address]).expect(0);
    home.assert_whole(&zoo.network());
    let asked = proxy.requests.lock().unwrap().len();
    // From the environment, as usual; and not if it is switched off.
    let run = |more: &[&str]| {
        let mut command = rddm_zoo(zoo.root.path());
        command.env("HTTP_PROXY", &address).env("http_proxy", &address).args([
            "list",
            "--registry",
            "http://zoo.invalid/manifests",
        ]);
        finish(command.args(["--key", public_key(), "--retries", "0"]).args(more))
    };
    run(&[]).expect(0);
    assert_eq!(proxy.requests.lock().unwrap().len(), asked + 2);
    run(&["--proxy", "none"]).expect(6);
    assert_eq!(proxy.requests.lock().unwrap().len(), asked + 2);
}

#[test]
fn no_proxy_sees_what_this_machine_is_asked_or_its_token() {
    let zoo = Zoo::new();
    let home = zoo.home();
    let (server, proxy) = (Server::good(&zoo), Server::good(&zoo));
    fs::write(zoo.path("token"), "hush\n").unwrap();
    let token = zoo.path("token");
    let address = format!("http://{}", proxy.address);
    let mut command =
        pulling(&zoo, &server.registry(), &home, &["--token-file", token.to_str().unwrap()]);
    finish(command.env("HTTP_PROXY", &address).env("http_proxy", &address)).expect(0);
    pull(&zoo, &server.registry(), &home, &["--proxy", &address]).expect(0);
    assert!(proxy.requests.lock().unwrap().is_empty());
}
