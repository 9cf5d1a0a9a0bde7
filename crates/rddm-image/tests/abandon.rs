//! A process that ends at once leaves no temporary file; alone in its process, since it holds for all files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use rddm_image::{Header, Metadata, RowWriter};

#[test]
fn what_is_abandoned_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let begin = |name: &str| {
        RowWriter::create(folder.path().join(name), &Header::new(2, 2, 1), &Metadata::default())
            .unwrap()
    };
    drop(begin("a.png"));
    let _writers = [begin("b.png"), begin("c.png")];
    assert_eq!(files(), 2);
    drop(rddm_image::abandon());
    assert_eq!(files(), 0);
    let _writer = begin("d.png");
    assert_eq!(files(), 1);
}
