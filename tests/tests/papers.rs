//! What the project's papers name is there: files, sections, and the options of its commands.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every Markdown file of the checkout and its text.
fn papers() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&path, found);
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&rddm_tests::root().canonicalize().unwrap(), &mut found);
    found
}

/// The parts of a text between two marks, on one line each.
fn between<'a>(text: &'a str, from: &'a str, to: char) -> impl Iterator<Item = &'a str> {
    let parts = text.lines().flat_map(move |line| line.split(from).skip(1));
    parts.filter_map(move |part| part.split_once(to).map(|(part, _)| part))
}

/// What stands between single backticks.
fn code(text: &str) -> Vec<&str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The anchors of a page's headings, as hosts of Markdown make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for (path, text) in papers() {
        for link in between(&text, "](", ')') {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let page = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            assert!(page.exists(), "{}: {link} is not there", path.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&page).unwrap());
                assert!(there.contains(anchor), "{}: {link} has no such heading", path.display());
            }
            links += 1;
        }
    }
    assert!(links > 20, "{links} links were found");
}

#[test]
fn files_that_are_named_are_there() {
    /// What a command of the README writes.
    const WRITTEN: &str = "examples/pictures/rainy.derain.png";
    let root = rddm_tests::root().canonicalize().unwrap();
    let papers = papers();
    let pages: BTreeSet<_> = papers.iter().filter_map(|(path, _)| path.file_name()).collect();
    let mut names = 0;
    for (path, text) in &papers {
        for name in code(text) {
            if name.contains(|c: char| " <>*{}$…:".contains(c))
                || name.contains("MODEL")
                || name == WRITTEN
            {
                continue;
            }
            let there = match name.split_once('/') {
                Some((first, _))
                    if !["", "..", "target"].contains(&first) && root.join(first).is_dir() =>
                {
                    root.join(name).exists() || path.with_file_name(name).exists()
                }
                None if name.ends_with(".md") => pages.contains(OsStr::new(name)),
                _ => continue,
            };
            assert!(there, "{}: `{name}` is not there", path.display());
            names += 1;
        }
    }
    assert!(names > 50, "{names} names were found");
}

/// The options of a command and of each of its subcommands, by its own helps. The command's own are below the empty name.
fn options(command: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let help = |words: &[&str]| {
        let output = Command::new(command).args(words).arg("--help").output().unwrap();
        assert!(output.status.success(), "{} {words:?} --help", command.display());
        String::from_utf8(output.stdout).unwrap()
    };
    let named = |help: &str| {
        let words = help.split(|c: char| c.is_whitespace() || ",[]<>=`().;:".contains(c));
        words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
    };
    let whole = help(&[]);
    let mut options = BTreeMap::from([(String::new(), named(&whole))]);
    let commands = whole.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        // Further lines of a description stand further to the right.
        let Some(name) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) else {
            continue;
        };
        let name = name.split_whitespace().next().unwrap();
        if name != "help" {
            options.insert(name.to_owned(), named(&help(&[name])));
        }
    }
    options
}

#[test]
fn options_that_are_named_exist() {
    let names = ["rddm-run", "rddm-zoo", "rddm-train", "rddm-export"];
    let mut known = BTreeMap::new();
    for name in names {
        let Some(command) = rddm_tests::command(name) else { return };
        known.insert(name, options(&command));
    }
    let mut checked = 0;
    for (path, text) in papers() {
        // What was true of a version stays in its history.
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        let blocks = text.lines().filter(|line| {
            line.starts_with("    ") || line.starts_with("rddm-") || line.starts_with("cargo ")
        });
        for line in blocks.chain(code(&text)) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(at) = words.iter().position(|word| names.contains(word)) else { continue };
            let name = words[at];
            // `cargo run -p NAME … -- words`, or `NAME words` up to the next command of the line.
            let by_cargo = at > 0 && words[at - 1] == "-p";
            let skipped =
                if by_cargo { words.iter().position(|word| *word == "--") } else { Some(at) };
            let Some(skipped) = skipped else { continue };
            let given =
                words[skipped + 1..].iter().take_while(|word| !["&&", "|", ";"].contains(word));
            let given: Vec<&str> = given.copied().collect();
            let options = &known[name];
            let command =
                given.iter().find(|word| options.contains_key(**word)).copied().unwrap_or_default();
            for word in given {
                let option = word
                    .split('=')
                    .next()
                    .unwrap()
                    .trim_end_matches(|c: char| !c.is_alphanumeric());
                if option.len() > 2 && option.starts_with("--") {
                    let there = options[command].contains(option) || options[""].contains(option);
                    assert!(there, "{}: {name} {command} has no {option}: {line}", path.display());
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 60, "{checked} options were found");
}
