//! Restoring with the real command: files, names, reports.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::process::Stdio;

use ndarray::Array2;
use rddm_image::{Depth, EncodeOptions, Format, Limits};
use support::{Bench, Done, apart, colours};

#[test]
fn a_picture_is_restored_beside_its_input() {
    let bench = Bench::new();
    let input = bench.picture("rain.png", 61, 43);
    let before = std::fs::read(bench.path("rain.png")).unwrap();
    bench.restore("rain.png").ends(0).says(&["rain.png → rain.tiny.png", "61×43"]);
    assert_eq!(bench.files(), ["rain.png", "rain.tiny.png"]);
    assert_eq!(std::fs::read(bench.path("rain.png")).unwrap(), before);
    let output = bench.read("rain.tiny.png");
    assert!(apart(&input, &output) > 5.0, "nothing was done");
}

#[test]
fn seed_gives_the_same_picture_whatever_tiles_and_threads() {
    let bench = Bench::new();
    bench.picture("a.png", 150, 90);
    for (name, words) in [
        ("1.png", "--tile 256 --threads 1"),
        ("2.png", "--tile 32 --threads 2"),
        ("3.png", "--tile 32 --threads 1"),
        ("4.png", "--tile 32 --threads 1 --seed 1"),
    ] {
        let words =
            format!("--model tiny --registry registry --allow-unsigned a.png -o {name} {words}");
        bench.run(&words).ends(0);
    }
    assert!(apart(&bench.read("1.png"), &bench.read("2.png")) <= 1.01);
    let bytes = |name: &str| bench.read(name).pixels;
    assert_eq!(bytes("2.png"), bytes("3.png"));
    assert_ne!(bytes("3.png"), bytes("4.png"));
}

#[test]
fn pictures_of_any_size_and_colour_are_restored() {
    let bench = Bench::new();
    for (width, height) in [(1, 1), (1, 37), (131, 2), (64, 64)] {
        bench.picture("a.png", width, height);
        bench.restore("a.png -o b.png").ends(0);
        let output = bench.read("b.png");
        assert_eq!((output.width(), output.height()), (width, height));
    }
    let mut grey = colours(20, 30);
    grey.pixels = rddm_image::with_channels(grey.pixels.view(), 1).unwrap();
    bench.save("grey.png", &grey);
    bench.restore("grey.png").ends(0);
    assert_eq!(bench.read("grey.tiny.png").pixels.dim(), (1, 30, 20));
}

#[test]
fn alpha_depth_metadata_and_orientation_are_kept() {
    let bench = Bench::new();
    let mut input = colours(40, 24);
    input.depth = Depth::Sixteen;
    input.alpha = Some(Array2::from_shape_fn((24, 40), |(y, _)| y as f32 / 23.0));
    // Turned clockwise on the way in.
    input.metadata.exif =
        Some(b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec());
    input.metadata.add_properties("dc", "urn:dc", &[("creator", "somebody")]);
    bench.save("a.png", &input);
    bench.restore("a.png --seed 5 --steps 2 --strength 0.5").ends(0);
    let output = bench.read("a.tiny.png");
    assert_eq!((output.width(), output.height()), (24, 40));
    assert_eq!(output.depth, Depth::Sixteen);
    assert_eq!(output.alpha, bench.read("a.png").alpha);
    assert!(output.metadata.exif.is_some());
    let xmp = String::from_utf8(output.metadata.xmp.unwrap()).unwrap();
    for word in [
        "dc:creator=\"somebody\"",
        "rddm:Model=\"tiny\"",
        "rddm:Seed=\"5\"",
        "rddm:Steps=\"2\"",
        "rddm:Strength=\"0.5\"",
        "rddm:Engine=\"tract\"",
        "rddm:Precision=\"fp32\"",
        "rddm:Method=",
        "sum scale 0.01",
    ] {
        assert!(xmp.contains(word), "{word} is not in {xmp}");
    }
    bench.restore("a.png -o bare.png --strip").ends(0);
    assert_eq!(bench.read("bare.png").metadata, Default::default());
}

#[test]
fn the_ensemble_is_another_picture_and_says_so() {
    let bench = Bench::new();
    bench.picture("a.png", 40, 24);
    bench.restore("a.png").ends(0);
    let done = bench.restore("a.png -o mean.png --ensemble --json").ends(0);
    assert_eq!(done.json()["sampler"]["ensemble"], true);
    let (one, mean) = (bench.read("a.tiny.png"), bench.read("mean.png"));
    assert_eq!(one.pixels.dim(), mean.pixels.dim());
    assert_ne!(one.pixels, mean.pixels);
    let xmp = String::from_utf8(mean.metadata.xmp.unwrap()).unwrap();
    assert!(xmp.contains("rddm:Ensemble=\"true\""), "{xmp}");
    assert!(xmp.contains("rddm:Mirror=\"false\""), "{xmp}");
    bench.restore("a.png --ensemble --preview steps").ends(2).says(&["--ensemble", "--preview"]);
}

#[test]
fn the_mirror_image_is_asked_about_too() {
    let bench = Bench::new();
    bench.picture("a.png", 40, 24);
    for (mirror, output) in [("off", "once.png"), ("on", "mean.png")] {
        let line = format!("a.png -o {output} --mirror {mirror} --json");
        let done = bench.restore(&line).ends(0);
        assert_eq!(done.json()["sampler"]["mirror"], mirror == "on");
        let xmp = String::from_utf8(bench.read(output).metadata.xmp.unwrap()).unwrap();
        assert!(xmp.contains(&format!("rddm:Mirror=\"{}\"", mirror == "on")), "{xmp}");
    }
    bench.restore("a.png -o own.png").ends(0);
    let [own, once, mean] = ["own.png", "once.png", "mean.png"].map(|name| bench.read(name).pixels);
    assert_eq!(own, once);
    assert_ne!(once, mean);
    bench.restore("a.png --mirror sideways").ends(2).says(&["--mirror", "sideways"]);
    let done = bench.restore("a.png -o off.png --confirm off --json").ends(0);
    assert_eq!(done.json()["sampler"]["confirm"], false);
    bench.restore("a.png --confirm on").ends(2).says(&["confirm", "pred_res"]);
}

#[test]
fn the_output_has_the_format_that_its_name_says() {
    let bench = Bench::new();
    bench.picture("a.png", 32, 32);
    for (name, format) in
        [("b.jpg", Format::Jpeg), ("b.webp", Format::WebP), ("b.tif", Format::Tiff)]
    {
        bench.restore(&format!("a.png -o {name}")).ends(0);
        assert_eq!(bench.read(name).format, Some(format));
    }
    bench.restore("a.png --format jpg --quality 50").ends(0);
    assert_eq!(bench.read("a.tiny.jpg").format, Some(Format::Jpeg));

    let mut clear = colours(32, 32);
    clear.alpha = Some(Array2::zeros((32, 32)));
    bench.save("c.png", &clear);
    bench.restore("c.png -o c.jpg").ends(0).says(&["c.jpg", "alpha channel", "left out"]);
}

#[test]
fn standard_input_goes_to_standard_output() {
    let bench = Bench::new();
    bench.picture("a.png", 30, 20);
    let file = std::fs::File::open(bench.path("a.png")).unwrap();
    let words = "--model tiny --registry registry --allow-unsigned -";
    let output = bench.command().args(words.split(' ')).stdin(Stdio::from(file)).output().unwrap();
    let done = Done::of(output).ends(0);
    let picture = rddm_image::decode(&done.stdout, &Limits::default()).unwrap();
    assert_eq!((picture.width(), picture.format), (30, Some(Format::Png)));
    bench.restore("a.png -o b.png").ends(0);
    assert_eq!(picture.pixels, bench.read("b.png").pixels);

    bench.restore("- -o -").ends(3).says(&["standard input", "empty"]);
    bench.restore("- --json").ends(2).says(&["standard output"]);
}

#[test]
fn a_folder_keeps_its_tree_and_one_bad_file_stops_nothing() {
    let bench = Bench::new();
    bench.picture("in/a.png", 16, 16);
    bench.picture("in/deep/er/b.png", 16, 24);
    bench.write("in/deep/broken.png", b"\x89PNG\r\n\x1a\nand then nothing");
    bench.write("in/notes.txt", b"no picture");

    let done = bench.restore("in -o out -r --json").ends(9);
    let report = done.json();
    assert_eq!(report["written"], 2);
    assert_eq!(report["failed"], 1);
    assert_eq!(report["pictures"][1]["error"]["code"], 3);
    assert!(done.stderr.contains("broken.png"), "{}", done.stderr);
    let outputs: Vec<_> = bench.files().into_iter().filter(|f| f.starts_with("out")).collect();
    assert_eq!(outputs, ["out/a.png", "out/deep/er/b.png"]);

    // Going on where it stopped: what is there is left alone.
    let kept = std::fs::metadata(bench.path("out/a.png")).unwrap().modified().unwrap();
    bench.write("in/deep/broken.png", &std::fs::read(bench.path("in/a.png")).unwrap());
    let report = bench.restore("in -o out -r --json --skip-existing").ends(0).json();
    assert_eq!((&report["written"], &report["skipped"]), (&1.into(), &2.into()));
    assert_eq!(std::fs::metadata(bench.path("out/a.png")).unwrap().modified().unwrap(), kept);

    // Without --recursive, only the folder itself.
    let report = bench.restore("in -o flat --json").ends(0).json();
    assert_eq!(report["written"], 1);
}

#[test]
fn a_folder_does_not_take_its_own_outputs_again() {
    let bench = Bench::new();
    bench.picture("in/a.png", 16, 16);
    bench.restore("in --compare").ends(0);
    bench.restore("in").ends(0);
    assert_eq!(bench.files(), ["in/a.png", "in/a.tiny.compare.png", "in/a.tiny.png"]);
    // Nor those that lie in it where it is restored in place.
    bench.picture("place/a.png", 16, 16);
    for _ in 0..2 {
        let report = bench.restore("place -o place --overwrite --compare --json").ends(0).json();
        assert_eq!(report["written"], 1);
    }
    assert_eq!(bench.restore("place -o elsewhere --json").ends(0).json()["written"], 2);
    // An output folder inside the input folder is not an input.
    bench.restore("in -r -o in/out").ends(0);
    bench.restore("in -r -o in/out").ends(0);
    assert!(!bench.path("in/out/out").exists());
}

/// What other models wrote is known by their names, and a comparison by its picture.
#[test]
fn a_folder_does_not_take_the_outputs_of_other_models() {
    let bench = Bench::new();
    let index = std::fs::read_to_string(bench.path("registry/index.toml")).unwrap();
    let (_, entry) = index.split_once("[[models]]").unwrap();
    let other = entry.replace("\"tiny\"", "\"other\"");
    bench.write("registry/index.toml", format!("{index}[[models]]{other}").as_bytes());
    for name in ["a", "a.other", "a.other.compare", "a.gone.compare", "b.other", "a.holiday"] {
        bench.picture(&format!("in/{name}.png"), 8, 8);
    }
    let report = bench.restore("in --json").ends(0).json();
    let inputs = report["pictures"].as_array().unwrap().iter().map(|picture| &picture["input"]);
    let inputs: Vec<_> = inputs.collect();
    assert_eq!(inputs, ["in/a.holiday.png", "in/a.png", "in/b.other.png"]);
}

/// A shell's glob that matches the outputs of the run before.
#[test]
fn the_same_glob_can_be_restored_again() {
    let bench = Bench::new();
    bench.picture("g/a.png", 8, 8);
    bench.restore("g/a.png --compare").ends(0);
    for words in ["", "--skip-existing"] {
        let glob = "g/a.png g/a.tiny.compare.png g/a.tiny.png --compare";
        bench.restore(&format!("{glob} {words}")).ends(0).says(&["outputs of other inputs", "2"]);
    }
    assert_eq!(bench.files(), ["g/a.png", "g/a.tiny.compare.png", "g/a.tiny.png"]);
    bench.picture("b.png", 8, 8);
    bench.restore("b.png -o out/").ends(0);
    bench.restore("b.png out -o out --skip-existing").ends(0).says(&["out gets what is written"]);
    // A photograph is not taken for the output of another one where that would be written over it.
    bench.picture("place/a.jpg", 8, 8);
    bench.restore("place -o place --format png").ends(0);
    bench.restore("place -o place --format png").ends(2);
    bench.restore("place -o place --format png --skip-existing").ends(0).says(&["place/a.png"]);
}

#[test]
fn what_is_named_twice_is_restored_once() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.restore("a.png ./a.png -o out").ends(0).says(&["named twice: 1 left out"]);
    assert_eq!(bench.files(), ["a.png", "out/a.png"]);
}

#[test]
fn an_end_that_is_no_format_is_a_part_of_the_name() {
    let bench = Bench::new();
    let picture = rddm_image::encode(&colours(8, 8), &Default::default()).unwrap().bytes;
    bench.write("scan.1", &picture);
    bench.write("scan.2", &picture);
    bench.restore("scan.1 scan.2").ends(0);
    bench.restore("scan.1 scan.2 -o out --format jpg").ends(0);
    let made = ["out/scan.1.jpg", "out/scan.2.jpg", "scan.1", "scan.1.tiny.png", "scan.2"];
    assert_eq!(bench.files(), [&made[..], &["scan.2.tiny.png"]].concat());
}

#[cfg(unix)]
#[test]
fn links_that_are_not_followed_are_counted() {
    let bench = Bench::new();
    bench.picture("in/a.png", 8, 8);
    bench.picture("photos/b.png", 8, 8);
    for (to, link) in [("../photos", "in/photos"), ("gone.png", "in/b.png"), ("a.png", "in/c.png")]
    {
        std::os::unix::fs::symlink(to, bench.path(link)).unwrap();
    }
    let done = bench.restore("in -r -o out --json").ends(0).says(&["links", "nothing: 2 left out"]);
    assert_eq!(done.json()["written"], 2);
}

#[test]
fn what_is_passed_over_in_a_folder_is_said() {
    let bench = Bench::new();
    bench.picture("in/a.jpg", 8, 8);
    for name in ["in/b.heic", "in/c.GIF", "in/notes.txt", "heic/b.heic"] {
        bench.write(name, b"");
    }
    for folder in ["@eaDir/a.jpg", ".thumbnails", "more"] {
        bench.picture(&format!("in/{folder}/d.png"), 8, 8);
    }
    let done = bench.restore("in -r -o out --json").ends(0);
    let done = done.says(&["such as in/b.heic: 2 left out", "such as in/.thumbnails: 2 left out"]);
    assert_eq!(done.json()["written"], 2);
    bench.restore("in/.thumbnails -r -o named").ends(0);
    bench.restore("heic").ends(3).says(&["no pictures in heic", "convert heic/b.heic"]);
    let measured = bench.run("metrics in in --json").ends(0).json();
    assert_eq!(measured["pictures"].as_array().unwrap().len(), 2);
}

#[test]
fn a_list_names_inputs() {
    let bench = Bench::new();
    bench.picture("a.png", 16, 16);
    bench.picture("b c.png", 16, 16);
    bench.write("list", b"a.png\n\n  b c.png\r\n");
    bench.restore("@list -o out").ends(0).says(&["2 written"]);
    assert!(bench.path("out/b c.png").exists());
    bench.restore("@none -o out").ends(3).says(&["none"]);
    // Of one, it has a folder too.
    bench.write("one", b"a.png\n");
    bench.restore("@one -o alone").ends(0);
    assert!(bench.path("alone/a.png").is_file());
    // Or it comes from a program that finds them.
    let mut command = bench.command();
    let words = "--model tiny --registry registry --allow-unsigned @- -o found";
    command.args(words.split(' ')).stdin(std::fs::File::open(bench.path("list")).unwrap());
    Done::of(command.output().unwrap()).ends(0).says(&["2 written"]);
    bench.restore("@- -").ends(2).says(&["standard input can be read once"]);
    bench.restore("@- --watch").ends(2).says(&["can't be watched"]);
}

#[test]
fn an_input_is_not_replaced_unless_asked() {
    let bench = Bench::new();
    bench.picture("a.png", 16, 16);
    bench.picture("sub/a.png", 16, 16);
    let before = std::fs::read(bench.path("a.png")).unwrap();
    bench.restore("a.png -o ./a.png").ends(2).says(&["one of the inputs", "--overwrite"]);
    bench.restore("a.png -o new/../a.png").ends(2).says(&["one of the inputs"]);
    bench
        .restore("a.png -o a.png --overwrite --skip-existing")
        .ends(2)
        .says(&["it is the input", "--skip-existing"]);
    bench.restore("sub -o sub").ends(2).says(&["one of the inputs"]);
    bench.restore("a.png sub/a.png -o out").ends(2).says(&["both be written"]);
    bench.restore("a.png sub/a.png -o -").ends(2).says(&["standard output"]);
    assert_eq!(std::fs::read(bench.path("a.png")).unwrap(), before);
    bench.restore("a.png -o a.png --overwrite").ends(0);
    assert_ne!(std::fs::read(bench.path("a.png")).unwrap(), before);
    assert_eq!(bench.files(), ["a.png", "sub/a.png"]);
}

#[test]
fn a_name_of_a_format_that_is_not_written_is_refused() {
    let bench = Bench::new();
    bench.picture("a.png", 16, 16);
    bench.restore("a.png -o b.gif").ends(2).says(&[".gif", "--format"]);
    bench.restore("a.png -o b.gif --format png").ends(0);
    bench.restore("a.png -o b.other").ends(0);
    // In a folder, one fails alone.
    bench.write("b.gif", b"GIF89a\x01\0\x01\0\0\0\0;");
    bench.write("c.gif", &std::fs::read(bench.path("a.png")).unwrap());
    let done =
        bench.restore("a.png b.gif c.gif -o out --json").ends(9).says(&["c.gif: .gif is not"]);
    let report = done.json();
    assert_eq!((&report["written"], &report["failed"]), (&1.into(), &2.into()));
    assert_eq!(report["pictures"][1]["error"]["code"], 3);
}

/// Nor are those that are written beside the restored picture, nor is what is read beside it.
#[test]
fn what_else_is_written_falls_on_nothing() {
    let bench = Bench::new();
    for name in ["in/a.png", "in/a.step-01.png", "x/b.png", "y/b.png", "z/c.png", "z/c.compare.png"]
    {
        bench.picture(name, 16, 16);
    }
    bench.write("list.png", b"x/b.png\n");
    let before = bench.files();
    bench.restore("in -o out --preview in").ends(2).says(&["steps of in/a.png", "a.step-01.png"]);
    bench.restore("x y -r -o out --preview steps").ends(2);
    bench.restore("x/b.png y/b.png -o out --preview steps").ends(2);
    bench.restore("z -o z2 --compare").ends(2).says(&["comparison of z/c.png", "c.compare.png"]);
    bench.restore("@list.png -o list.png").ends(2).says(&["list.png is a file"]);
    bench.restore("x/b.png -o y/b.png --mask y/b.png").ends(2).says(&["is the mask"]);
    assert_eq!(bench.files(), before);
    bench.restore("in -o out --preview steps --compare").ends(0);
}

/// A folder that may not be read, such as a disk's `lost+found`, and a name in no encoding.
#[cfg(target_os = "linux")]
#[test]
fn one_odd_name_stops_nothing() {
    use std::os::unix::ffi::OsStrExt as _;
    let bench = Bench::new();
    bench.picture("in/a.png", 16, 16);
    let odd = std::ffi::OsStr::from_bytes(b"in/caf\xe9.png");
    std::fs::copy(bench.path("in/a.png"), bench.path("").join(odd)).unwrap();
    for _ in 0..2 {
        let report = bench.restore("in --json").ends(0).json();
        assert_eq!(report["written"], 2);
    }
    // In a list, and where another name differs from it in no letter that is one.
    bench.write("list", b"in/caf\xe9.png\r\nin/caf\xe8.png\n");
    let other = std::ffi::OsStr::from_bytes(b"in/caf\xe8.png");
    std::fs::copy(bench.path("in/a.png"), bench.path("").join(other)).unwrap();
    let report = bench.restore("@list -o out --compare --json").ends(0).json();
    assert_eq!(report["written"], 2);
    assert_eq!(std::fs::read_dir(bench.path("out")).unwrap().count(), 4);
}

/// macOS keeps what it knows of a picture in a file beside it, where a disk has no place for it.
#[test]
fn what_macos_keeps_beside_a_picture_is_none() {
    let bench = Bench::new();
    bench.picture("in/a.png", 8, 8);
    bench.picture("in/._b.png", 8, 8);
    bench.write("in/._a.png", b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ");
    assert_eq!(bench.restore("in -o out --json").ends(0).json()["written"], 2);
}

#[test]
fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let bench = Bench::new();
    bench.picture("a.png", 100, 50);
    let report = bench.restore("a.png -o out/b.png --dry-run --json").ends(0).json();
    assert_eq!(report["pictures"][0]["status"], "planned");
    assert_eq!(report["pictures"][0]["output"], "out/b.png");
    let bytes = |report: &serde_json::Value| report["pictures"][0]["memory"]["bytes"].as_u64();
    assert!(bytes(&report) > Some(10_000));
    // The sum of several forms stands beside input and result.
    bench.picture("large.png", 3000, 2000);
    let [one, several] = ["", "--ensemble"].map(|words| {
        bytes(&bench.restore(&format!("large.png --dry-run --json {words}")).ends(0).json())
            .unwrap()
    });
    assert!(several.saturating_sub(one) > 60_000_000, "{one} {several}");
    std::fs::remove_file(bench.path("large.png")).unwrap();
    assert_eq!(bench.files(), ["a.png"]);
}

#[test]
fn the_report_says_how_it_was_made() {
    let bench = Bench::new();
    bench.picture("a.png", 50, 40);
    let done = bench.restore("a.png --json --seed 9 --steps 2 --eta 0.5 --quiet").ends(0);
    let report = done.json();
    assert_eq!(done.stderr, "");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["model"]["id"], "tiny");
    assert_eq!(report["model"]["version"], "0.1.0");
    assert_eq!(report["engine"]["name"], "tract");
    assert_eq!(report["engine"]["device"], "cpu");
    assert_eq!(report["sampler"]["seed"], 9);
    assert_eq!(report["sampler"]["steps"], 2);
    assert_eq!(report["sampler"]["eta"], 0.5);
    let picture = &report["pictures"][0];
    assert_eq!(picture["status"], "written");
    assert_eq!(picture["size"]["width"], 50);
    assert!(picture["seconds"]["restore"].as_f64().unwrap() > 0.0);
}

#[test]
fn comparisons_and_steps_are_written() {
    let bench = Bench::new();
    bench.picture("a.png", 40, 30);
    let report = bench.restore("a.png --compare --preview steps --steps 3 --json").ends(0).json();
    assert_eq!(report["pictures"][0]["also"].as_array().unwrap().len(), 4);
    let both = bench.read("a.tiny.compare.png");
    assert_eq!((both.width(), both.height()), (40 + 8 + 40, 30));
    let last = bench.read("steps/a.step-03.png");
    assert!(apart(&last, &bench.read("a.tiny.png")) <= 1.01);

    bench.write("<b>.png", &std::fs::read(bench.path("a.png")).unwrap());
    bench.restore("<b>.png --compare=html").ends(0);
    let page = std::fs::read_to_string(bench.path("<b>.tiny.compare.html")).unwrap();
    assert!(page.contains("&lt;b&gt;.png") && !page.contains("<b>"), "a name is markup");
    assert_eq!(page.matches("data:image/png;base64,").count(), 2);
    assert!(!page.contains("{{") && !page.contains("http"), "the page needs something else");
    bench.picture("{{after}}.png", 8, 8);
    bench.restore("{{after}}.png --compare=html").ends(0);
    let page = std::fs::read_to_string(bench.path("{{after}}.tiny.compare.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 2);

    // Without the comparison that was asked for there is no output.
    bench.picture("c.png", 8, 8);
    std::fs::create_dir(bench.path("c.tiny.compare.png")).unwrap();
    bench.restore("c.png --compare").ends(7);
    assert!(!bench.path("c.tiny.png").exists());

    // Of a tree they have one, too.
    bench.picture("tree/1/a.png", 8, 8);
    bench.picture("tree/2/a.png", 8, 8);
    bench.restore("tree -r -o tree-out --preview tree-steps --steps 1").ends(0);
    assert!(
        ["1", "2"].iter().all(|at| bench.path(&format!("tree-steps/{at}/a.step-01.png")).exists())
    );

    // Steps below a folder are no pictures of it.
    bench.picture("w/a.png", 8, 8);
    for _ in 0..2 {
        bench.restore("w -r -o w-out --preview w/steps --steps 1 --overwrite").ends(0);
    }
}

#[test]
fn pages_are_not_written_over() {
    let bench = Bench::new();
    let pages = include_bytes!("../../rddm-image/tests/samples/pages.tif");
    bench.write("a.tif", pages);
    bench.write("b.png", include_bytes!("../../rddm-image/tests/samples/animation.png"));
    for words in ["", "--dry-run", "--max-memory 2GB", "--max-memory 2GB --dry-run"] {
        for (file, what) in [("a.tif", "pages"), ("b.png", "frames of the animation")] {
            let lost = format!("the further {what} would be lost");
            bench.restore(&format!("{file} -o {file} --overwrite {words}")).ends(2).says(&[&lost]);
        }
    }
    assert_eq!(std::fs::read(bench.path("a.tif")).unwrap(), pages);
    bench.restore("a.tif -o b.tif").ends(0).says(&["note: a.tif: the further pages"]);
}

/// Lists of some editors begin with a mark of their encoding.
#[test]
fn a_list_with_a_mark_of_its_encoding_is_read() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.write("list", "\u{feff}a.png\n".as_bytes());
    bench.restore("@list").ends(0);
    assert_eq!(bench.files(), ["a.png", "a.tiny.png", "list"]);
}

#[test]
fn what_a_format_cannot_hold_is_refused_before_the_work() {
    let bench = Bench::new();
    bench.picture("a.png", 16_385, 2);
    for words in ["--dry-run", "--dry-run --max-memory 2GB", "--steps 1000"] {
        bench
            .restore(&format!("a.png -o a.webp {words}"))
            .ends(2)
            .says(&["a.webp", "longest side is 16384"]);
    }
}

/// What a picture says of itself comes before what is said of its restoration.
#[test]
fn parameters_do_not_drive_out_the_xmp_of_a_picture() {
    let bench = Bench::new();
    let mut input = colours(16, 16);
    input.metadata.add_properties("dc", "urn:dc", &[("title", &"x".repeat(65_000))]);
    let options = EncodeOptions::default().with_format(Format::Jpeg);
    bench.write("a.jpg", &rddm_image::encode(&input, &options).unwrap().bytes);
    let done = bench.restore("a.jpg -o b.jpg --json").ends(0).says(&["parameters", "too long"]);
    assert_eq!(done.json()["pictures"][0]["losses"][0], "the restoration's parameters");
    assert_eq!(bench.read("b.jpg").metadata.xmp, input.metadata.xmp);
    bench.restore("a.jpg -o b.png").ends(0);
    assert!(bench.read("b.png").metadata.xmp.unwrap().len() > 65_500);
    // Where no picture says anything, there is nothing to tell.
    bench.picture("c.bmp", 16, 16);
    let done = bench.restore("c.bmp -o d.bmp --json").ends(0);
    assert!(done.json()["pictures"][0].get("losses").is_none(), "{}", done.text());
    assert!(!done.stderr.contains("parameters"), "{}", done.stderr);
}

/// Parameters of an earlier restoration, as other programs write them, are not taken for this one's.
#[test]
fn a_packet_that_another_program_has_rewritten_is_said() {
    let bench = Bench::new();
    let mut input = colours(1500, 1000);
    let packet = "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description \
        xmlns:rddm=\"urn:rddm-zoo:restoration:1\"><rddm:Model>lol</rddm:Model></rdf:Description></rdf:RDF>";
    input.metadata.xmp = Some(packet.into());
    bench.save("a.png", &input);
    for (words, rows) in [("", false), ("--max-memory 80MB", true)] {
        let line = format!("a.png -o b.png --steps 1 --json {words}");
        let done = bench.restore(&line).ends(0).says(&["parameters are left out", "earlier one"]);
        let picture = &done.json()["pictures"][0];
        assert_eq!(picture["losses"], serde_json::json!(["the restoration's parameters"]));
        assert_eq!(picture["memory"]["rows"] == true, rows);
        assert_eq!(bench.read("b.png").metadata.xmp, input.metadata.xmp);
    }
}

#[test]
fn a_limit_of_memory_is_kept_or_refused() {
    let bench = Bench::new();
    bench.picture("a.png", 300, 200);
    bench.restore("a.png -o whole.png --tile 512").ends(0);
    let report = bench.restore("a.png -o b.png --max-memory 70MB --json").ends(0).json();
    assert!(report["pictures"][0]["memory"]["bytes"].as_u64().unwrap() <= 70_000_000);
    assert_eq!(report["pictures"][0]["memory"]["rows"], false);
    assert!(apart(&bench.read("whole.png"), &bench.read("b.png")) <= 1.01);
    bench.restore("a.png -o c.png --max-memory 1kB").ends(2).says(&["1 MB are allowed", "need"]);
    assert!(!bench.path("c.png").exists());
}

#[test]
fn a_large_jpeg_exif_is_said_to_be_lost_and_not_the_end() {
    let bench = Bench::new();
    let mut input = colours(16, 16);
    let mut exif = b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    exif.resize(70_000, 0);
    input.metadata.exif = Some(exif);
    bench.save("a.png", &input);
    bench.restore("a.png -o b.jpg").ends(0).says(&["EXIF"]);
    let options = EncodeOptions::default().with_format(Format::Jpeg);
    assert_eq!(rddm_image::encode(&input, &options).unwrap().losses.len(), 1);
}
