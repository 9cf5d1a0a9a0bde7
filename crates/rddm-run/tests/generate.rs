//! `--count`: a model that draws pictures from noise.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../rddm-runtime/tests/support/mod.rs"]
mod networks;
mod support;

use networks::Model;
use support::Bench;

fn publish(bench: &Bench, model: &Model) {
    bench.publish_joint(&model.manifest().to_toml().unwrap(), &model.files()[0]);
}

fn drawing() -> Bench {
    let bench = Bench::new();
    publish(&bench, &Model::generator());
    bench
}

#[test]
fn pictures_are_drawn_beside_each_other() {
    let bench = drawing();
    let report =
        bench.restore("--count 3 --size 20x12 --seed 4 -o out/d.png --json").ends(0).json();
    assert_eq!((&report["count"], &report["output"]), (&3.into(), &"out/d.png".into()));
    assert_eq!(report["size"], serde_json::json!({"width": 20, "height": 12}));
    assert_eq!(report["sampler"]["seed"], 4);
    let grid = bench.read("out/d.png");
    let xmp = String::from_utf8(grid.metadata.xmp.clone().unwrap()).unwrap();
    assert!(xmp.contains("rddm:Model=\"tiny\"") && xmp.contains("rddm:Seed=\"4\""), "{xmp}");
    // Two columns and two rows with 8 pixels between, the last place empty.
    assert_eq!((grid.width(), grid.height()), (48, 32));
    let part = |top: usize, left: usize| {
        grid.pixels.slice(ndarray::s![.., top..top + 12, left..left + 20]).to_owned()
    };
    assert!(part(20, 28).iter().all(|value| *value == 1.0));
    // The seeds rise by one.
    for (seed, top, left) in [(4, 0, 0), (5, 0, 28), (6, 20, 0)] {
        bench.restore(&format!("--count 1 --size 20x12 --seed {seed} -o one.png")).ends(0);
        assert_eq!(bench.read("one.png").pixels, part(top, left), "seed {seed}");
    }
}

#[test]
fn the_output_is_named_after_the_model() {
    let bench = drawing();
    bench.restore("--count 1 --size 9x7").ends(0).says(&["tiny.png", "1 pictures"]);
    assert_eq!(bench.files(), ["tiny.png"]);
    bench.restore("--count 1 --size 9x7 --format jpg -o a.jpg").ends(0);
    assert_eq!(bench.read("a.jpg").format, Some(rddm_image::Format::Jpeg));
}

#[test]
fn drawing_keeps_to_the_options_of_files() {
    let bench = drawing();
    bench.write("tiny.png", b"precious");
    let status = |words: &str| bench.restore(words).ends(0).json()["status"].clone();
    bench.restore("--count 1 --size 9x7 --dry-run").ends(0).says(&["tiny.png", "9×7"]);
    assert_eq!(status("--count 1 --size 9x7 --dry-run --json"), "planned");
    bench.restore("--count 1 --size 9x7 --skip-existing").ends(0).says(&["skipped"]);
    assert_eq!(status("--count 1 --size 9x7 --skip-existing --json"), "skipped");
    bench.restore("--count 1 --size 9x7 -o a.gif").ends(2).says(&[".gif is not written"]);
    assert_eq!(std::fs::read(bench.path("tiny.png")).unwrap(), b"precious");
    bench.restore("--count 1 --size 9x7 -o drawn/").ends(0);
    assert_eq!(bench.read("drawn/tiny.png").width(), 9);
    let drawn = std::fs::read(bench.path("drawn/tiny.png")).unwrap();
    let words = "--model tiny --registry registry --allow-unsigned --count 1 --size 9x7 -o -";
    let output = bench.command().args(words.split(' ')).output().unwrap();
    assert_eq!(output.stdout, drawn);
    bench.restore("--count 1 --size 9x7 -o - --json").ends(2);
    bench.restore("--count 1 --size 9x7 --watch").ends(2);
    assert_eq!(bench.files(), ["drawn/tiny.png", "tiny.png"]);
}

#[test]
fn the_self_test_draws() {
    let done = drawing().run("self-test --model tiny --registry registry --allow-unsigned").ends(0);
    assert!(!done.text().contains("FAILED"), "{}", done.text());
    // One whose network looks at all of its picture, which no tiles could give.
    let zoo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests");
    let done = drawing().run(&format!("self-test --model faces64 --registry {zoo}")).ends(0);
    assert!(done.text().contains("faces64") && !done.text().contains("FAILED"), "{}", done.text());
}

#[test]
fn what_cannot_be_drawn_is_two() {
    let bench = drawing();
    bench.picture("a.png", 8, 8);
    bench.restore("--count 1").ends(2).says(&["--size"]);
    bench.restore("--count 0 --size 8x8").ends(2);
    bench.restore("--count 1 --size 0x8").ends(2);
    bench.restore("--count 1 --size 8x8 a.png").ends(2);
    bench.restore("a.png --size 8x8").ends(2);
    bench.restore("a.png").ends(2).says(&["draws pictures"]);
    Bench::new().restore("--count 1 --size 8x8").ends(2).says(&["restores pictures"]);
    // Each of them fits, both beside each other do not.
    for words in ["--dry-run", "--steps 1000 --quiet"] {
        let words = format!("--count 2 --size 8200x800 -o c.webp {words}");
        bench.restore(&words).ends(2).says(&["c.webp", "16408×800", "longest side is 16384"]);
    }
    assert_eq!(bench.files(), ["a.png"]);
}

#[test]
fn what_the_page_has_no_place_for_is_not_served() {
    let bench = drawing();
    let serve = "serve --listen 127.0.0.1:0 --registry registry --allow-unsigned";
    bench.run(&format!("{serve} --model tiny")).ends(2).says(&["draws"]);
    bench.run(serve).ends(4).says(&["tiny is not served", "rddm-zoo pull"]);
}
