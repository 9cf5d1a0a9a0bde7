//! What is made of folders of pictures: degraded ones, data sets, models that begin.

use std::fs;
use std::process::Command;

use image::{Rgb, RgbImage};
use rddm_manifest::Draft;
use rddm_train::degrade::{DegradationSpec, Shadow};
use rddm_train::evaluate;

use crate::bench::{Bench, RECIPE};

#[test]
fn a_degradation_is_drawn_with_its_mask() {
    let bench = Bench::new(1);
    let degrade = |degradation: &str| {
        Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .arg("degrade")
            .arg(bench.path("data/gt/a.png"))
            .args(["--degradation", degradation, "--output"])
            .arg(bench.path("degraded.png"))
            .arg("--mask")
            .arg(bench.path("mask.png"))
            .output()
            .unwrap()
    };
    assert!(degrade("{ kind = \"holes\" }").status.success());
    let open = |name: &str| image::open(bench.path(name)).unwrap().into_rgb8();
    let (clean, degraded, mask) = (open("data/gt/a.png"), open("degraded.png"), open("mask.png"));
    for (x, y, mask) in mask.enumerate_pixels() {
        assert!(mask.0[0] == 255 || degraded.get_pixel(x, y) == clean.get_pixel(x, y));
    }
    assert!(mask.pixels().any(|pixel| pixel.0 == [255; 3]));
    let output = degrade("{ kind = \"blur\" }");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no mask"));
}

#[test]
fn a_folder_is_degraded_into_a_data_set() {
    let bench = Bench::new(1);
    let text = RECIPE.replace("STEPS", "1").replace("\"camera_noise\"", "\"shadow\"");
    let text = text.replace("[validation]", "[validation]\nseed = 7");
    fs::write(bench.path("recipe.toml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
        .arg("degrade")
        .arg(bench.path("data/gt"))
        .arg("--recipe")
        .arg(bench.path("recipe.toml"))
        .arg("--output")
        .arg(bench.path("set"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // It is what an evaluation measures: the same inputs, and masks beside them.
    let degraded = evaluate::degraded_pairs(
        &bench.path("data/gt"),
        &DegradationSpec::Shadow(Shadow::default()),
        7,
    );
    let stored = evaluate::stored_pairs(&bench.path("set"), "input", 3).unwrap();
    let mut count = 0;
    for (degraded, stored) in degraded.unwrap().zip(stored) {
        let ((name, degraded), (stored_name, stored)) = (degraded.unwrap(), stored.unwrap());
        assert_eq!(name, stored_name);
        assert_eq!(degraded.input, stored.input);
        assert_eq!(degraded.target, stored.target);
        let (drawn, read) = (degraded.mask.unwrap(), stored.mask.unwrap());
        let far = drawn.iter().zip(&read).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 0.51 / 255.0, "{name}: {far}");
        count += 1;
    }
    assert_eq!(count, 3);
}

/// Two names that are no UTF-8 and read the same are two pictures.
#[cfg(target_os = "linux")]
#[test]
fn names_in_any_encoding_are_kept() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new(1);
    let names = [OsStr::from_bytes(b"a\xfe.png"), OsStr::from_bytes(b"a\xff.png")];
    for (from, to) in ["a.png", "b.png"].into_iter().zip(names) {
        fs::rename(bench.path("data/gt").join(from), bench.path("data/gt").join(to)).unwrap();
    }
    let program = || Command::new(env!("CARGO_BIN_EXE_rddm-train"));
    let output = program()
        .arg("degrade")
        .arg(bench.path("data/gt"))
        .args(["--degradation", "{ kind = \"holes\" }", "--output"])
        .arg(bench.path("set"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in ["gt", "input", "mask"] {
        let set = bench.path("set").join(part);
        assert!(names.iter().all(|name| set.join(name).exists()), "{part}");
    }
    let pairs = evaluate::stored_pairs(&bench.path("set"), "input", 3).unwrap();
    let targets: Vec<_> = pairs.map(|pair| pair.unwrap().1.target).collect();
    assert!(targets.len() == 3 && targets[0] != targets[1]);

    let folder = OsStr::from_bytes(b"g\xff");
    fs::rename(bench.path("data/gt"), bench.path("data").join(folder)).unwrap();
    let output = program()
        .args(["new-task", "tiny", "--summary", "t", "--terms", "t", "--data"])
        .arg(bench.path("data"))
        .args(["--degradation", "{ kind = \"holes\" }", "--clean"])
        .arg(folder)
        .arg("--zoo")
        .arg(bench.path("zoo"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("UTF-8"), "{text}");
}

#[test]
fn a_folder_is_degraded_into_a_data_set_of_its_own() {
    let bench = Bench::new(1);
    let degrade = |degradation: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .arg("degrade")
            .arg(bench.path("data/gt"))
            .args(["--degradation", degradation, "--output"])
            .arg(bench.path("set"))
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (blur, holes) = ("{ kind = \"blur\" }", "{ kind = \"holes\" }");
    // The same pictures again replace those before, and so do masks.
    for degradation in [blur, blur, holes, holes] {
        let (code, text) = degrade(degradation);
        assert_eq!(code, Some(0), "{text}");
    }
    let (code, text) = degrade(blur);
    assert!(code == Some(7) && text.contains("mask"), "masks that tell of nothing: {text}");
    fs::rename(bench.path("data/gt/a.png"), bench.path("data/gt/d.png")).unwrap();
    let (code, text) = degrade(holes);
    assert!(code == Some(7) && text.contains("a.png") && text.contains("empty folder"), "{text}");
    assert!(!bench.path("set/gt/d.png").exists());

    fs::remove_dir_all(bench.path("set")).unwrap();
    let picture = image::open(bench.path("data/gt/b.png")).unwrap().into_rgb8();
    picture.save(bench.path("data/gt/b.jpg")).unwrap();
    let (code, text) = degrade(blur);
    assert!(code == Some(3) && text.contains("b.png"), "{code:?}: {text}");
    assert!(!bench.path("set").exists());
}

#[test]
fn clean_pictures_are_not_degraded_in_their_own_place() {
    let bench = Bench::new(1);
    let degrade = |input: &str, options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
            .args(["degrade", input, "--degradation", "{ kind = \"holes\" }"])
            .args(options)
            .current_dir(bench.folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let clean = fs::read(bench.path("data/gt/a.png")).unwrap();
    let one = "data/gt/a.png";
    for (options, says) in [
        (&["--output", "data/input/../gt/a.png"][..], "would be replaced"),
        (&["--output", "b.png", "--mask", one], "would be replaced"),
        (&["--output", "b.png", "--mask", "./b.png"], "file of --output"),
        (&["--output", "new/b.png", "--mask", "./new/b.png"], "file of --output"),
        (&["--output", "b.jpg"], "--output: b.jpg is written as PNG"),
        (&["--output", "b.png", "--mask", "mask"], "--mask: mask is written as PNG"),
    ] {
        let (code, text) = degrade(one, options);
        assert!(code == Some(2) && text.contains(says), "{options:?}: {text}");
    }
    let entries = fs::read_dir(bench.folder.path()).unwrap().count();
    assert_eq!(entries, 2, "the data and the recipe alone");

    // A set that lacks its degraded side gets it.
    fs::remove_dir_all(bench.path("data/input")).unwrap();
    let deep = image::ImageBuffer::from_fn(40, 36, |x, y| Rgb([x as u16, y as u16, 9]));
    image::DynamicImage::ImageRgb16(deep).save(bench.path("data/gt/b.png")).unwrap();
    let before = fs::read(bench.path("data/gt/b.png")).unwrap();
    let (code, text) = degrade("data/gt", &["--output", "data"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(bench.path("data/input/b.png").exists() && bench.path("data/mask/b.png").exists());
    assert!(fs::read(bench.path("data/gt/b.png")).unwrap() == before);
    let (code, text) = degrade("data/input", &["--output", "data"]);
    assert!(code == Some(2) && text.contains("would be replaced"), "{text}");
    assert!(fs::read(bench.path("data/gt/a.png")).unwrap() == clean);
}

/// What cannot be written whole leaves nothing in the way of the next try.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_is_no_dead_end() {
    let bench = Bench::new(40);
    let program = env!("CARGO_BIN_EXE_rddm-train");
    let limited = |blocks: &str, arguments: &[&str]| {
        let script = "trap '' XFSZ; ulimit -f $0; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, blocks, program]).args(arguments);
        command.current_dir(bench.folder.path()).output().unwrap()
    };
    let recipe = fs::read_to_string(bench.path("recipe.toml")).unwrap();
    let recipe = recipe.replace("time_width = 8", "time_width = 8\noutputs = 1");
    let recipe =
        recipe.replace("[training]", "[diffusion]\nobjective = \"pred_noise\"\n\n[training]");
    fs::write(bench.path("recipe.toml"), recipe).unwrap();
    let choose = &["aosa", "recipe.toml", "--data", "data", "--out", "run", "--rate", "1e-2"];
    assert_eq!(limited("8", choose).status.code(), Some(7));
    assert!(!bench.path("run/recipe.toml").exists());
    let output = limited("unlimited", choose);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let large = RgbImage::from_fn(130, 130, |x, y| Rgb([x as u8, y as u8, 0]));
    fs::create_dir(bench.path("my data")).unwrap();
    for name in ["a.png", "b.png"] {
        let mut picture = large.clone();
        picture.put_pixel(0, 0, Rgb([name.as_bytes()[0]; 3]));
        picture.save(bench.path("my data").join(name)).unwrap();
    }
    let begin = ["new-task", "dim", "--data", "my data", "--clean", "."];
    let begin =
        [&begin[..], &["--degradation", "{ kind = \"exposure\" }", "--zoo", "it's"]].concat();
    assert_eq!(limited("1", &begin).status.code(), Some(7));
    assert!(!bench.path("it's/dim").exists());
    let output = limited("unlimited", &begin);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let command = r"train 'it'\''s/dim/recipe.toml' --data 'my data' --out runs/dim";
    assert!(text.contains(command), "{text}");
    assert!(text.contains("publish --zoo 'it'\\''s' --out manifests"), "{text}");
}

#[test]
fn a_model_is_begun_whatever_its_texts_hold() {
    let folder = tempfile::tempdir().unwrap();
    let at = |part: &str| folder.path().join(part);
    for part in ["gt", "in \u{a0}'\"put"] {
        fs::create_dir(at(part)).unwrap();
        for (name, blue) in [("a.png", 1), ("b.png", 2)] {
            let picture = RgbImage::from_fn(130, 130, |x, y| Rgb([x as u8, y as u8, blue]));
            picture.save(at(part).join(name)).unwrap();
        }
    }
    let summary = "Says \"no\u{a0}more\" \\ less";
    let output = Command::new(env!("CARGO_BIN_EXE_rddm-train"))
        .args(["new-task", "quoted", "--size", "tiny", "--summary", summary, "--terms", summary])
        .args(["--pairs", "in \u{a0}'\"put", "gt", "--data"])
        .arg(folder.path())
        .arg("--zoo")
        .arg(at("zoo"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let draft = fs::read_to_string(at("zoo/quoted/model.toml")).unwrap();
    let draft = Draft::parse(&draft).unwrap();
    assert_eq!(draft.summary.as_str(), summary);
    assert_eq!(draft.training_data[0].terms.as_str(), summary);
    assert_eq!(draft.training_data[0].name.as_str(), "in \u{a0}'\"put");
}
