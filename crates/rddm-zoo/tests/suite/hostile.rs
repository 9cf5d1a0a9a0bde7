//! Registries that mean harm: each is an error of a known kind, and nothing is written outside the store.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
};

use minisign::SecretKeyBox;
use rddm_manifest::Digest;

use crate::{
    server::{Server, head},
    zoo::{Zoo, finish, keys, public_key, pull, rddm_zoo},
};

/// Signs whatever the index is now, as a registry that means harm can.
fn sign(zoo: &Zoo) {
    let path = zoo.path("manifests/index.toml");
    let secret =
        SecretKeyBox::from_string(&keys().secret).unwrap().into_unencrypted_secret_key().unwrap();
    let bytes = fs::read(&path).unwrap();
    let signature = minisign::sign(None, &secret, Cursor::new(bytes), None, None).unwrap();
    fs::write(zoo.path("manifests/index.toml.minisig"), signature.into_string()).unwrap();
}

/// The zoo with a changed manifest, whose digest and size the index has.
fn with_manifest(change: impl Fn(String) -> String) -> Zoo {
    let zoo = Zoo::new();
    let path = zoo.path("manifests/derain.toml");
    let before = fs::read_to_string(&path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "nothing was changed");
    fs::write(&path, &after).unwrap();
    let index = fs::read_to_string(zoo.path("manifests/index.toml")).unwrap();
    let index = index
        .replace(&Digest::of(before.as_bytes()).hex(), &Digest::of(after.as_bytes()).hex())
        .replace(&format!("size = {}", before.len()), &format!("size = {}", after.len()));
    fs::write(zoo.path("manifests/index.toml"), index).unwrap();
    sign(&zoo);
    zoo
}

fn with_index(change: impl Fn(String) -> String) -> Zoo {
    let zoo = Zoo::new();
    let path = zoo.path("manifests/index.toml");
    let before = fs::read_to_string(&path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "nothing was changed");
    fs::write(&path, after).unwrap();
    sign(&zoo);
    zoo
}

/// All files with their bytes, but those of the store.
fn outside(zoo: &Zoo) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files)
            } else {
                drop(files.insert(path.clone(), fs::read(&path).unwrap()))
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(zoo.root.path(), &mut files);
    files.retain(|path, _| !path.starts_with(zoo.home().0));
    files
}

#[track_caller]
fn refused(zoo: &Zoo, code: i32) {
    let before = outside(zoo);
    let home = zoo.home();
    let outcome = pull(zoo, zoo.path("manifests").to_str().unwrap(), &home, &[]).expect(code);
    assert!(!outcome.err.contains("panicked"), "{}", outcome.err);
    assert!(!outcome.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", outcome.err);
    assert_eq!(outside(zoo), before);
    home.assert_nothing();
}

#[test]
fn paths_in_a_manifest_cannot_leave_the_registry() {
    for url in [
        "../../secret",
        "/etc/hostname",
        "../zoo/../../secret",
        "file:///etc/hostname",
        "..",
        "a\\u0000b",
        "~/x",
        "%2e%2e/%2e%2e/x",
    ] {
        refused(&with_manifest(|text| text.replace("../zoo/derain/derain.onnx", url)), 5);
    }
}

#[test]
fn paths_in_an_index_cannot_leave_the_registry() {
    for path in
        ["../derain.toml", "/etc/hostname", "https://zoo.example/derain.toml", "sub/../../x"]
    {
        refused(&with_index(|text| text.replace("\"derain.toml\"", &format!("\"{path}\""))), 5);
    }
}

#[test]
fn names_cannot_be_paths_or_devices() {
    for id in ["../derain", "derain/..", "con", "NUL", "a\\u0000", "index", "", "."] {
        refused(&with_index(|text| text.replace("id = \"derain\"", &format!("id = \"{id}\""))), 5);
        refused(
            &with_manifest(|text| text.replace("id = \"derain\"", &format!("id = \"{id}\""))),
            5,
        );
    }
    let zoo = Zoo::new();
    for name in ["../derain", "con", "", "a/b", "A", "derain\u{202e}"] {
        finish(rddm_zoo(zoo.root.path()).args(["pull", name, "--key", public_key()])).expect(2);
    }
}

#[test]
fn digests_are_64_lower_case_digits() {
    for change in [
        |hex: &str| hex[1..].to_owned(),
        |hex: &str| format!("{hex}0"),
        |hex: &str| "ABCDEF0123456789".repeat(hex.len() / 16),
        |hex: &str| format!("{}\\u0000", &hex[1..]),
        |hex: &str| format!("{}é", &hex[2..]),
        |hex: &str| format!("../../{}", &hex[6..]),
    ] {
        refused(&with_manifest(|text| replace_digest(&text, change)), 5);
        refused(&with_index(|text| replace_digest(&text, change)), 5);
    }
}

fn replace_digest(text: &str, change: fn(&str) -> String) -> String {
    let (before, rest) = text.split_once("sha256 = \"").unwrap();
    let (hex, after) = rest.split_once('"').unwrap();
    format!("{before}sha256 = \"{}\"{after}", change(hex))
}

#[test]
fn texts_with_terminal_escapes_are_refused() {
    refused(&with_index(|text| text.replace("rain streaks", "\\u001b]0;owned\\u0007")), 5);
    refused(&with_manifest(|text| text.replace("rain streaks", "\\u001b[2J")), 5);
}

#[test]
fn doubled_and_unknown_keys_and_other_schemas_are_refused() {
    for (from, to) in [
        ("task =", "task = \"x\"\ntask ="),
        ("task =", "run = \"rm -rf\"\ntask ="),
        ("schema = 1", "schema = 2"),
        ("schema = 1", "schema = 1.5"),
    ] {
        refused(&with_manifest(|text| text.replacen(from, to, 1)), 5);
        refused(&with_index(|text| text.replacen(from, to, 1)), 5);
    }
}

#[test]
fn a_manifest_with_a_key_of_a_newer_program_asks_for_that_program() {
    let with = |least: &str| {
        with_manifest(|text| {
            text.replace("[sampler]\n", "[sampler]\nunheard_of = 1\n")
                .replace("least_runtime = \"0.1.0\"", &format!("least_runtime = \"{least}\""))
        })
    };
    refused(&with("0.1.0"), 5);
    let zoo = with("99.0.0");
    refused(&zoo, 4);
    let outcome = pull(&zoo, zoo.path("manifests").to_str().unwrap(), &zoo.home(), &[]).expect(4);
    assert!(outcome.err.contains("derain needs version 99.0.0"), "{}", outcome.err);
    assert!(outcome.err.contains("install a newer version"), "{}", outcome.err);
}

#[test]
fn numbers_that_are_huge_or_negative_are_refused() {
    for size in ["0", "-1", "18446744073709551616", "9223372036854775807", "1e30", "nan"] {
        refused(&with_manifest(|text| text.replace("size = 300000", &format!("size = {size}"))), 5);
    }
    refused(&with_index(|text| text.replacen("version = 1", "version = -1", 1)), 5);
    refused(
        &with_index(|text| text.replacen("version = 1", "version = 99999999999999999999", 1)),
        5,
    );
}

#[test]
fn swapped_roles_are_refused() {
    refused(
        &with_manifest(|text| {
            text.replace(
                "outputs = [\"residual\", \"noise\"]",
                "outputs = [\"noise\", \"residual\"]",
            )
        }),
        5,
    );
    refused(&with_manifest(|text| text.replace("role = \"joint\"", "role = \"noise\"")), 5);
}

#[test]
fn texts_of_a_gigabyte_and_of_great_depth_are_refused() {
    let zoo = Zoo::new();
    let index = zoo.path("manifests/index.toml");
    // A file with a hole: a gigabyte that takes no room on the disk.
    fs::OpenOptions::new().write(true).open(&index).unwrap().set_len(1 << 30).unwrap();
    let home = zoo.home();
    pull(&zoo, zoo.path("manifests").to_str().unwrap(), &home, &[]).expect(5);
    home.assert_nothing();
    refused(&with_index(|_| format!("schema = {}{}", "[".repeat(100_000), "]".repeat(100_000))), 5);
    refused(&with_index(|_| format!("schema = 1\n{} = 1\n", vec!["a"; 50_000].join("."))), 5);
    refused(&with_manifest(|_| format!("x = {}", "{a=".repeat(20_000))), 5);
}

#[test]
fn texts_without_an_end_are_cut_off_at_their_limit() {
    for path in ["/manifests/index.toml", "/manifests/index.toml.minisig", "/manifests/derain.toml"]
    {
        let zoo = Zoo::new();
        let home = zoo.home();
        let server = Server::start(&zoo, move |request, stream| {
            if request.path != path {
                return false;
            }
            head(stream, "200 OK", &[("Transfer-Encoding", "chunked")], None);
            let piece = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
            let sent = (0..).take_while(|_| stream.write_all(&piece).is_ok()).take(1000).count();
            assert!(sent < 1000, "the client took all of it");
            true
        });
        pull(&zoo, &server.registry(), &home, &[]).expect(5);
        home.assert_nothing();
    }
}

#[test]
fn a_pipe_or_a_folder_in_place_of_a_file_is_no_file() {
    for what in ["folder", "pipe"] {
        let zoo = Zoo::new();
        let network = zoo.path("zoo/derain/derain.onnx");
        fs::remove_file(&network).unwrap();
        if what == "folder" {
            fs::create_dir(&network).unwrap();
        } else {
            let made = std::process::Command::new("mkfifo").arg(&network).status();
            if !made.is_ok_and(|status| status.success()) {
                crate::zoo::skipped("no mkfifo here");
                continue;
            }
        }
        let home = zoo.home();
        pull(&zoo, zoo.path("manifests").to_str().unwrap(), &home, &[]).expect(5);
        home.assert_nothing();
    }
}

#[test]
fn a_manifest_of_another_model_or_version_is_refused() {
    refused(&with_manifest(|text| text.replacen("id = \"derain\"", "id = \"denoise\"", 1)), 5);
    refused(
        &with_manifest(|text| text.replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1)),
        5,
    );
}
