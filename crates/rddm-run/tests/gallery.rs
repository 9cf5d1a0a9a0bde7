//! The README's gallery is what its list says, and its list names what there is.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_list_the_files_and_the_readme_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let table = |path: &str| text(path).parse::<toml::Table>().unwrap();
    let (list, index, readme) =
        (table("examples/gallery.toml"), table("manifests/index.toml"), text("README.md"));
    let published: Vec<&str> =
        index["models"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    let mut outputs = BTreeSet::new();
    for entry in list["pictures"].as_array().unwrap() {
        let word = |key: &str| entry[key].as_str().unwrap();
        assert!(published.contains(&word("model")), "{entry}");
        let read = |name: &str| {
            rddm_image::read(root.join("examples").join(name), &Default::default()).unwrap()
        };
        let (input, both) = (read(word("input")), read(word("output")));
        assert_eq!((both.width(), both.height()), (2 * input.width() + 8, input.height()));
        let shown = format!("![{}](examples/{})", word("caption"), word("output"));
        assert!(readme.contains(&shown), "make the gallery anew: {shown} is not in the README");
        outputs.insert(word("output").to_owned());
    }
    let files = std::fs::read_dir(root.join("examples/gallery")).unwrap().map(|entry| {
        let entry = entry.unwrap();
        assert!(entry.metadata().unwrap().len() < 200_000, "{entry:?} is too large for a README");
        format!("gallery/{}", entry.file_name().to_str().unwrap())
    });
    assert_eq!(files.collect::<BTreeSet<_>>(), outputs);
}
