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
    zoo::{Home, Outcome, SIZE, Zoo, finish, public_key, pull, rddm_zoo},
};

/// Runs in the zoo's own folder, a checkout as far as the command can see.
pub(crate) fn run(zoo: &Zoo, arguments: &[&str]) -> Outcome {
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

/// A zoo whose model was pulled and locked before it got a newer version.
fn locked_and_renewed() -> Zoo {
    let zoo = Zoo::new();
    run(&zoo, &["pull", "derain"]).expect(0);
    run(&zoo, &["lock", "derain"]).expect(0);
    zoo.renew(&crate::zoo::noise(1000, 5));
    zoo.publish(rddm_zoo::now().unix(), 365);
    zoo
}

#[test]
fn a_lock_is_met_by_what_an_earlier_pull_brought() {
    let zoo = locked_and_renewed();
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
    let zoo = locked_and_renewed();
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
