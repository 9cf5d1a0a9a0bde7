//! The repository's own zoo: every model of its registry, with the keys that the program carries.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rddm_manifest::{Index, ModelId};
use rddm_zoo::{Place, ResolveOptions, resolve};

use crate::{
    server::Server,
    zoo::{finish, rddm_zoo, skipped},
};

fn manifests() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests").canonicalize().ok();
    let found = folder.filter(|folder| folder.join("index.toml").is_file());
    if found.is_none() {
        skipped("this checkout has no manifests/index.toml yet");
    }
    found
}

fn models(manifests: &Path) -> Vec<ModelId> {
    let text = fs::read_to_string(manifests.join("index.toml")).unwrap();
    Index::parse(&text).unwrap().models.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn every_model_resolves_without_network() {
    let Some(manifests) = manifests() else { return };
    let mut options = ResolveOptions::default();
    options.registry = Some(Place::Folder(manifests.clone()));
    for id in models(&manifests) {
        let model = resolve(&id, &options).unwrap();
        assert!(!model.networks.is_empty());
    }
}

#[test]
fn every_model_is_pulled_from_a_plain_web_server_of_the_folder() {
    let Some(manifests) = manifests() else { return };
    let server = Server::of_folder(manifests.parent().unwrap());
    let home = tempfile::tempdir().unwrap();
    let mut command = rddm_zoo(home.path());
    command
        .args(["pull", "--all", "--allow-expired", "--registry", &server.registry(), "--home"])
        .arg(home.path().join("store"));
    finish(&mut command).expect(0);
    let mut options = ResolveOptions::default();
    options.home = Some(home.path().join("store"));
    for id in models(&manifests) {
        resolve(&id, &options).unwrap();
    }
}

#[test]
fn the_registry_is_what_the_zoo_makes() {
    let Some(manifests) = manifests() else { return };
    let mut command = rddm_zoo(manifests.parent().unwrap());
    finish(command.args(["publish", "--check", "--allow-expired"])).expect(0);
}

#[test]
fn a_checkout_turns_no_line_ends() {
    let Some(manifests) = manifests() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::copy(manifests.with_file_name(".gitattributes"), folder.path().join(".gitattributes"))
        .unwrap();
    let git = |arguments: &[&str]| {
        std::process::Command::new("git").args(arguments).current_dir(folder.path()).output()
    };
    if git(&["init", "--quiet"]).is_err() {
        return skipped("no git here");
    }
    let files = ["manifests/index.toml", "manifests/lol.toml", "zoo/lol/recipe.toml", "a.onnx"];
    let output = git(&[&["check-attr", "text"][..], &files].concat()).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches(": text: unset").count(), files.len(), "{text}");
}

#[test]
fn a_program_that_was_copied_away_lists_the_models_that_it_carries() {
    let Some(manifests) = manifests() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("rddm-zoo");
    fs::copy(env!("CARGO_BIN_EXE_rddm-zoo"), &program).unwrap();
    let run = |arguments: &[&str]| {
        std::process::Command::new(&program)
            .args(arguments)
            .args(["--home", "store"])
            .env_remove("RDDM_REGISTRY")
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let output = run(&["list"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for id in models(&manifests) {
        assert!(text.contains(id.as_str()), "{id} is not in\n{text}");
    }
    // It has no manifests, and says where they are to be had.
    let output = run(&["show", "derain"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("manifest of derain") && text.contains("RDDM_REGISTRY"), "{text}");
}
