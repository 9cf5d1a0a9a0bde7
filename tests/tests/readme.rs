//! The README's commands for a newcomer, run as it has them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

/// A command that serves until the test ends.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The README's "Embed", as rustfmt has it.
fn embedded(picture: &ndarray::Array3<f32>) -> Result<ndarray::Array3<f32>, Box<dyn Error>> {
    use rddm_runtime::{Control, Restorer};

    let mut options = rddm_zoo::ResolveOptions::default();
    options.registry = Some("manifests".parse()?);
    let model = rddm_zoo::resolve(&"derain".parse()?, &options)?;
    let restorer = Restorer::builder(&model.manifest)
        .threads(2)
        .build(model.networks.iter().map(|n| &n.bytes))?;
    let restored = restorer.restore(picture.view(), None, &mut |_| Control::Continue)?;
    Ok(restored)
}

#[test]
fn what_is_embedded_as_the_readme_has_it_restores() {
    let root = rddm_tests::root().canonicalize().unwrap();
    let text = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, section) = text.split_once("\n## Embed\n").unwrap();
    let lines = section.lines().skip_while(|line| line.is_empty());
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    let snippet = bare(&lines.collect::<String>());
    assert!(
        snippet.ends_with("?;") && bare(include_str!("readme.rs")).contains(&snippet),
        "{snippet}"
    );
    // The other test names its folders in full.
    std::env::set_current_dir(root).unwrap();
    let picture = ndarray::Array3::from_elem((3, 24, 32), 0.5);
    assert_eq!(embedded(&picture).unwrap().dim(), picture.dim());
}

#[test]
fn a_newcomer_restores_looks_around_and_pulls() {
    let root = rddm_tests::root().canonicalize().unwrap();
    let text = fs::read_to_string(root.join("README.md")).unwrap();
    let sections = text.split("\n## ").filter(|section| {
        section.starts_with("Restore a picture\n") || section.starts_with("Models\n")
    });
    let folder = tempfile::tempdir().unwrap();
    // What the commands read of a checkout; what they write stays here.
    for name in ["manifests", "zoo"] {
        symlink(root.join(name), folder.path().join(name)).unwrap();
    }
    let pictures = folder.path().join("examples/pictures");
    fs::create_dir_all(&pictures).unwrap();
    fs::copy(root.join("examples/pictures/rainy.png"), pictures.join("rainy.png")).unwrap();
    let photo = folder.path().join("photo.jpg");
    fs::copy(root.join("examples/pictures/house.jpg"), photo).unwrap();

    let commands = ["rddm-run", "rddm-zoo"].map(rddm_tests::command);
    let [Some(run), Some(_)] = &commands else { return };
    let path = std::env::var_os("PATH").unwrap();
    let path = [run.parent().unwrap().to_owned()].into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).unwrap();
    let shell = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec {line}")]).current_dir(folder.path()).env("PATH", &path);
        shell.env_remove("RDDM_REGISTRY").env("RDDM_HOME", folder.path().join("store"));
        shell
    };
    let (mut ran, mut serving) = (0, Vec::new());
    for line in sections.flat_map(str::lines).filter_map(|line| line.strip_prefix("    ")) {
        if line.starts_with("cargo install ") {
            continue;
        }
        let line = rddm_tests::by_cargo(line)
            .map_or(line.to_owned(), |(name, rest)| format!("{name} {rest}"));
        if let Some(server) = line.strip_suffix("serve").or_else(|| line.strip_suffix("serve &")) {
            let server = format!("{server} serve --listen 127.0.0.1:0");
            let mut server = shell(&server).stdout(Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
            serving.push((Serving(server), said));
        } else {
            // The server took a free port in place of its own.
            let line = serving.last().map_or(line.clone(), |(_, said)| {
                let port = said.rsplit(':').next().unwrap();
                line.replace(
                    "8420",
                    &port.chars().take_while(char::is_ascii_digit).collect::<String>(),
                )
            });
            let output = shell(&line).output().unwrap();
            assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        }
        ran += 1;
    }
    assert_eq!(ran, 7, "the README has other commands than before");
    assert!(pictures.join("rainy.derain.png").exists());
    assert!(folder.path().join("photo.derain.jpg").exists());
    assert!(folder.path().join("store").is_dir(), "nothing was pulled");
}
