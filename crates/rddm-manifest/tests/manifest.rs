//! Manifests and indexes: what is read, what is refused and why.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use rddm_manifest::{
    Draft, Entry, ErrorKind, Index, Location, Manifest, Objective, Precision, Role, Text,
    TrainingData,
};

const DERAIN: &str = include_str!("derain.toml");

/// The manifest with one text replaced, which must be there.
fn with(from: &str, to: &str) -> Result<Manifest, rddm_manifest::Error> {
    assert!(DERAIN.contains(from), "{from}");
    Manifest::parse(&DERAIN.replacen(from, to, 1))
}

fn refused(from: &str, to: &str) -> ErrorKind {
    match with(from, to) {
        Ok(_) => panic!("{to:?} was accepted in place of {from:?}"),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.len() < 1000, "{text:?}");
            error.kind()
        }
    }
}

#[test]
fn a_manifest_is_read_and_written_without_loss() {
    let manifest = Manifest::parse(DERAIN).unwrap();
    assert_eq!(manifest.id.as_str(), "derain");
    assert_eq!(manifest.networks_of(Precision::Fp32)[0].role, Role::Joint);
    assert_eq!(manifest.sampler.objective, Objective::PredResNoise);
    assert_eq!(manifest.sampler.steps, 5);
    assert_eq!(manifest.accuracy[0].input, Some(26.9));
    let again = Manifest::parse(&manifest.to_toml().unwrap()).unwrap();
    assert_eq!(again, manifest);
}

#[test]
fn unknown_missing_and_doubled_keys_are_refused() {
    assert_eq!(refused("task =", "color = 1\ntask ="), ErrorKind::Syntax);
    assert_eq!(refused("opset = 17", ""), ErrorKind::Syntax);
    assert_eq!(refused("task =", "id = \"other\"\ntask ="), ErrorKind::Syntax);
    assert_eq!(refused("[picture]", "[sampler]\n[picture]"), ErrorKind::Syntax);
}

#[test]
fn what_a_manifest_needs_is_known_though_its_keys_are_not() {
    let newer = DERAIN
        .replacen("schema = 1", "schema = 2", 1)
        .replacen("task =", "unheard = 1\ntask =", 1)
        .replacen("least_runtime = \"0.1.0\"", "least_runtime = \"9.0.0\"", 1);
    assert!(Manifest::parse(&newer).is_err());
    assert_eq!(Manifest::least_runtime_of(&newer), Some("9.0.0".parse().unwrap()));
    assert_eq!(Manifest::least_runtime_of(&newer.replacen("9.0.0", "9", 1)), None);
    assert_eq!(Manifest::least_runtime_of("schema = 1"), None);
}

#[test]
fn other_schemas_are_refused_before_anything_else_is_looked_at() {
    assert_eq!(refused("schema = 1", "schema = 2"), ErrorKind::Schema);
    assert_eq!(refused("schema = 1", "schema = -1"), ErrorKind::Schema);
    assert_eq!(refused("schema = 1", "schema = \"1\""), ErrorKind::Schema);
    assert_eq!(refused("schema = 1", ""), ErrorKind::Schema);
    assert_eq!(refused("schema = 1", "schema = 2\nunheard = true"), ErrorKind::Schema);
}

#[test]
fn numbers_outside_their_ranges_are_refused() {
    for (from, to, kind) in [
        ("size = 2001234", "size = 0", ErrorKind::Value),
        ("size = 2001234", "size = -1", ErrorKind::Syntax),
        ("size = 2001234", "size = 4294967297", ErrorKind::Value),
        ("size = 2001234", "size = 99999999999999999999999999", ErrorKind::Syntax),
        ("size = 2001234", "size = 1e9", ErrorKind::Syntax),
        ("opset = 17", "opset = 1000", ErrorKind::Value),
        ("timesteps = 1000", "timesteps = 4000000000", ErrorKind::Value),
        ("steps = 5", "steps = 1001", ErrorKind::Value),
        ("steps = 5", "steps = 0", ErrorKind::Value),
        ("eta = 0.0", "eta = nan", ErrorKind::Value),
        ("eta = 0.0", "eta = -0.1", ErrorKind::Value),
        ("eta = 0.0", "eta = 0.0\nresidual_limit = 2.5", ErrorKind::Value),
        ("sum_scale = 0.01", "sum_scale = inf", ErrorKind::Value),
        ("sum_scale = 0.01", "sum_scale = 0.0", ErrorKind::Value),
        ("sum_scale = 0.01", "sum_scale = 1e-31", ErrorKind::Value),
        ("sum_scale = 0.01", "sum_scale = 1.5", ErrorKind::Value),
        ("ratio = 1.0", "ratio = nan", ErrorKind::Value),
        ("channels = 3", "channels = 2", ErrorKind::Value),
        ("multiple = 8", "multiple = 0", ErrorKind::Value),
        ("tile = 256", "tile = 250", ErrorKind::Value),
        ("overlap = 64", "overlap = 70000", ErrorKind::Value),
        ("value = 33.9", "value = inf", ErrorKind::Value),
    ] {
        assert_eq!(refused(from, to), kind, "{to}");
    }
}

#[test]
fn roles_that_are_swapped_doubled_or_missing_are_refused() {
    let outputs = "outputs = [\"residual\", \"noise\"]";
    for to in [
        "outputs = [\"noise\", \"residual\"]",
        "outputs = [\"residual\"]",
        "outputs = [\"residual\", \"noise\", \"noise\"]",
        "outputs = []",
    ] {
        assert_eq!(refused(outputs, to), ErrorKind::Inconsistent, "{to}");
    }
    assert_eq!(refused("role = \"joint\"", "role = \"residual\""), ErrorKind::Inconsistent);
    assert_eq!(refused("role = \"joint\"", "role = \"both\""), ErrorKind::Syntax);
    assert_eq!(refused("\"pred_res_noise\"", "\"pred_res\""), ErrorKind::Inconsistent);
    let harmonic = "eta = 0.0\nmirror_mean = \"harmonic\"";
    assert_eq!(refused("eta = 0.0", harmonic), ErrorKind::Inconsistent);
    assert_eq!(refused("eta = 0.0", "eta = 0.0\nconfirm = true"), ErrorKind::Inconsistent);
    assert_eq!(refused("[\"x\", \"time\"]", "[\"time\", \"x\"]"), ErrorKind::Inconsistent);
    let network = DERAIN.split_once("[[networks]]").unwrap().1.split_once("[sampler]").unwrap().0;
    let twice = format!("[[networks]]{network}[sampler]");
    assert_eq!(refused("[sampler]", &twice), ErrorKind::Inconsistent);
}

#[test]
fn two_networks_make_one_model_and_both_are_needed() {
    let residual = DERAIN.replacen("\"joint\"", "\"residual\"", 1).replacen(
        "[\"residual\", \"noise\"]",
        "[\"residual\"]",
        1,
    );
    let network = residual.split_once("[[networks]]").unwrap().1.split_once("[sampler]").unwrap().0;
    let noise =
        network.replace("\"residual\"", "\"noise\"").replace("derain.onnx", "derain-noise.onnx");
    let both = residual.replacen("[sampler]", &format!("[[networks]]{noise}[sampler]"), 1);
    let manifest = Manifest::parse(&both).unwrap();
    let roles: Vec<Role> =
        manifest.networks_of(Precision::Fp32).iter().map(|network| network.role).collect();
    assert_eq!(roles, [Role::Residual, Role::Noise]);
    assert_eq!(Manifest::parse(&residual).unwrap_err().kind(), ErrorKind::Inconsistent);
    // The second network in another precision: each precision is complete or refused.
    let mixed = both.replacen("precision = \"fp32\"", "precision = \"fp16\"", 1);
    assert_eq!(Manifest::parse(&mixed).unwrap_err().kind(), ErrorKind::Inconsistent);
}

#[test]
fn places_that_leave_the_registry_are_refused() {
    for url in [
        "../../secret",
        "/etc/passwd",
        "../zoo/../../x",
        "a/./b",
        "a//b",
        ".hidden",
        "..",
        "",
        "a\\\\b",
        "C:x",
        "%2e%2e/x",
        "file:///etc/passwd",
        "ftp://host/x",
        "https://",
        "https://user@host/x",
        "https://host/a b",
        "https://host/#x",
        "zoo/x.",
        "a\\u0000b",
        "nаme",
    ] {
        let to = format!("url = \"{url}\"");
        let kind = refused("url = \"../zoo/derain/derain.onnx\"", &to);
        assert_eq!(kind, ErrorKind::Syntax, "{url}");
    }
    for url in
        ["derain.onnx", "../zoo/a/b-1.0+x_y.onnx", "https://host:8080/a?b=c", "http://[::1]/x"]
    {
        with("url = \"../zoo/derain/derain.onnx\"", &format!("url = \"{url}\"")).unwrap();
    }
}

#[test]
fn names_are_file_names_on_every_system() {
    for id in [
        "",
        "A",
        "-a",
        ".a",
        "a.",
        "a..b",
        "a/b",
        "a\\\\b",
        "con",
        "nul.txt",
        "com1",
        "lpt9.x",
        "index",
        "ä",
        "a b",
        "a\\u0000",
        "a\\n",
        &"a".repeat(65),
    ] {
        let kind = refused("id = \"derain\"", &format!("id = \"{id}\""));
        assert_eq!(kind, ErrorKind::Syntax, "{id}");
    }
    for id in ["a", "0", "lol-derain", "a.b_c-d", "com", "com10", "console", &"a".repeat(64)] {
        with("id = \"derain\"", &format!("id = \"{id}\"")).unwrap();
    }
}

#[test]
fn digests_have_64_lower_case_digits() {
    let hex = "0".repeat(64);
    let from = DERAIN.lines().find(|line| line.starts_with("sha256")).unwrap();
    for digest in [
        &hex[..63],
        &format!("{hex}0"),
        &"A".repeat(64),
        &format!("{}\\u0000", &hex[..63]),
        &format!("{}é", &hex[..62]),
        &format!("sha256:{hex}"),
        "",
        &format!(" {}", &hex[..63]),
    ] {
        assert_eq!(refused(from, &format!("sha256 = \"{digest}\"")), ErrorKind::Syntax, "{digest}");
    }
}

#[test]
fn texts_with_control_or_hiding_characters_are_refused() {
    for summary in [
        "a\\u001b[31m",
        "a\\nb",
        "",
        "  ",
        "a\\u202eb",
        "a\\u200bb",
        "a\\u061cb",
        "a\\u0000",
        "\\ufeffa",
        "a\\U000E0041",
    ] {
        let to = format!("summary = \"{summary}\"");
        assert_eq!(
            refused("summary = \"Removes rain streaks\"", &to),
            ErrorKind::Syntax,
            "{summary}"
        );
    }
    let long = format!("summary = \"{}\"", "a".repeat(1001));
    assert_eq!(refused("summary = \"Removes rain streaks\"", &long), ErrorKind::Syntax);
}

#[test]
fn licences_are_spdx_expressions() {
    for license in
        ["MIT", "(MIT OR Apache-2.0) AND CC-BY-4.0", "GPL-2.0-only WITH Classpath-exception-2.0"]
    {
        with("license = \"MIT OR Apache-2.0\"", &format!("license = \"{license}\"")).unwrap();
    }
    for license in [
        "",
        "MIT Apache",
        "MIT OR",
        "(MIT",
        "MIT)",
        "()",
        "do what you want!",
        "MIT\\nOR Apache-2.0",
        "MIT OR\\tApache-2.0",
    ] {
        let to = format!("license = \"{license}\"");
        assert_eq!(refused("license = \"MIT OR Apache-2.0\"", &to), ErrorKind::Syntax, "{license}");
    }
}

#[test]
fn large_and_deep_texts_are_refused_without_being_understood() {
    let large = format!("{DERAIN}# {}", "x".repeat(Manifest::MAX_BYTES));
    assert_eq!(Manifest::parse(&large).unwrap_err().kind(), ErrorKind::TooLarge);
    let huge = "a".repeat(1 << 30);
    assert_eq!(Manifest::parse(&huge).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(Index::parse(&huge).unwrap_err().kind(), ErrorKind::TooLarge);
    for bomb in [
        format!("schema = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("schema = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000)),
        format!("{} = 1", vec!["a"; 100_000].join(".")),
        format!("[{}]", vec!["a"; 100_000].join(".")),
    ] {
        assert!(Manifest::parse(&bomb).is_err());
        assert!(Index::parse(&bomb).is_err());
    }
}

#[test]
fn what_would_not_be_read_is_not_written() {
    let summary: Text = "🦀".repeat(1000).parse().unwrap();
    let mut index = Index::parse(INDEX).unwrap();
    let entry = index.models[0].clone();
    index.models = (0..3000)
        .map(|number| Entry {
            id: format!("model{number}").parse().unwrap(),
            summary: summary.clone(),
            ..entry.clone()
        })
        .collect();
    assert_eq!(index.to_toml().unwrap_err().kind(), ErrorKind::TooLarge);

    let data = TrainingData { name: summary.clone(), terms: summary };
    let mut draft = Draft::parse(include_str!("draft.toml")).unwrap();
    draft.training_data = vec![data.clone(); 64];
    assert_eq!(draft.to_toml().unwrap_err().kind(), ErrorKind::TooLarge);
    let mut manifest = Manifest::parse(DERAIN).unwrap();
    manifest.training_data = vec![data; 64];
    assert_eq!(manifest.to_toml().unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_network_has_at_most_eight_mirrors() {
    let mut manifest = Manifest::parse(DERAIN).unwrap();
    let mut draft = Draft::parse(include_str!("draft.toml")).unwrap();
    let mirror: Location = "https://host/derain.onnx".parse().unwrap();
    for (mirrors, fits) in [(8, true), (9, false)] {
        manifest.networks[0].mirrors = vec![mirror.clone(); mirrors];
        draft.networks[0].mirrors = vec![mirror.clone(); mirrors];
        let kinds = [manifest.to_toml(), draft.to_toml()]
            .map(|written| written.map(drop).map_err(|error| error.kind()));
        assert_eq!(kinds, [if fits { Ok(()) } else { Err(ErrorKind::Value) }; 2]);
    }
}

#[test]
fn a_model_that_takes_no_picture_takes_no_mask() {
    let masked = DERAIN.replacen("mask = false", "mask = true", 1);
    assert!(Manifest::parse(&masked).is_ok());
    let unconditional = masked.replacen("conditional = true", "conditional = false", 1);
    assert_eq!(Manifest::parse(&unconditional).unwrap_err().kind(), ErrorKind::Inconsistent);
}

#[test]
fn every_prefix_of_a_manifest_is_read_or_refused() {
    for end in (0..DERAIN.len()).filter(|&end| DERAIN.is_char_boundary(end)) {
        if let Ok(manifest) = Manifest::parse(&DERAIN[..end]) {
            manifest.to_toml().unwrap();
        }
    }
}

#[test]
fn a_draft_lies_in_its_own_folder() {
    let manifest = Manifest::parse(DERAIN).unwrap();
    let draft = include_str!("draft.toml");
    assert_eq!(Draft::parse(draft).unwrap().sampler, manifest.sampler);
    let outside = draft.replacen("\"derain.onnx\"", "\"../derain.onnx\"", 1);
    assert_eq!(Draft::parse(&outside).unwrap_err().kind(), ErrorKind::Value);
}

const INDEX: &str = r#"
schema = 1
version = 7
created = "2026-11-24T00:00:00Z"
expires = "2027-11-24T00:00:00Z"
[[models]]
id = "derain"
version = "0.1.0"
manifest = "derain.toml"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
size = 900
task = "derain"
summary = "Removes rain streaks"
"#;

#[test]
fn an_index_lists_each_model_once_and_keeps_manifests_beside_it() {
    let index = Index::parse(INDEX).unwrap();
    assert_eq!(Index::parse(&index.to_toml().unwrap()).unwrap(), index);
    let models = INDEX.split_once("[[models]]").unwrap().1;
    for (text, kind) in [
        (format!("{INDEX}[[models]]{models}"), ErrorKind::Inconsistent),
        (INDEX.replace("\"derain.toml\"", "\"../derain.toml\""), ErrorKind::Value),
        (INDEX.replace("\"derain.toml\"", "\"https://host/derain.toml\""), ErrorKind::Value),
        (INDEX.replace("size = 900", "size = 1073741824"), ErrorKind::Value),
        (INDEX.replace("version = 7", "version = 0"), ErrorKind::Value),
        (INDEX.replace("version = 7", "version = -7"), ErrorKind::Syntax),
        (INDEX.replace("2027-11-24T", "2026-11-23T"), ErrorKind::Inconsistent),
        (INDEX.replace("2027-11-24T", "2027-02-29T"), ErrorKind::Syntax),
    ] {
        assert_eq!(Index::parse(&text).unwrap_err().kind(), kind, "{text}");
    }
}
