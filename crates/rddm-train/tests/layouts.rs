//! The folders of public data sets, in small.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use ndarray::Axis;
use rddm_train::Recipe;
use rddm_train::data::{DataSet, Files, Layout, Split};

/// Pictures of 24×24 pixels under these paths.
fn pictures(folder: &Path, paths: &[&str]) {
    for (index, path) in paths.iter().enumerate() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(24, 24, Rgb([index as u8 * 20, 90, 200])).save(path).unwrap();
    }
}

/// Name, clean, degraded and mask of each example, below the folder.
fn found(layout: Layout, folder: &Path, split: Split) -> Vec<[String; 4]> {
    let below = |path: Option<&Path>| match path {
        Some(path) => path.strip_prefix(folder).unwrap().display().to_string(),
        None => "-".to_owned(),
    };
    let examples = layout.examples(folder, split).unwrap();
    let each = examples.iter().map(|Files { name, clean, degraded, mask }| {
        [name.clone(), below(Some(clean)), below(degraded.as_deref()), below(mask.as_deref())]
    });
    each.collect()
}

fn check(layout: Layout, paths: &[&str], split: Split, expected: &[[&str; 4]]) {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), paths);
    assert_eq!(found(layout, folder.path(), split), expected, "{layout}");
}

#[test]
fn istd_has_masks() {
    let paths = ["train/train_A/1-1.png", "train/train_B/1-1.png", "train/train_C/1-1.png"];
    let files = ["1-1.png", paths[2], paths[0], paths[1]];
    check(Layout::Istd, &paths, Split::Train, &[files]);
}

#[test]
fn lol_has_a_test_part_of_its_own_name() {
    let paths = ["our485/low/2.png", "our485/high/2.png", "eval15/low/1.png", "eval15/high/1.png"];
    check(Layout::Lol, &paths, Split::Train, &[["2.png", paths[1], paths[0], "-"]]);
    check(Layout::Lol, &paths, Split::Test, &[["1.png", paths[3], paths[2], "-"]]);
}

#[test]
fn raindrop_has_two_names_for_a_pair() {
    let paths = ["test_a/data/0_rain.png", "test_a/gt/0_clean.png"];
    check(Layout::RainDrop, &paths, Split::Test, &[["0_rain.png", paths[1], paths[0], "-"]]);
}

#[test]
fn gopro_has_a_folder_for_each_sequence() {
    let paths = ["train/G1/blur/01.png", "train/G1/sharp/01.png", "train/G1/blur_gamma/01.png"];
    check(Layout::GoPro, &paths, Split::Train, &[["G1/01.png", paths[1], paths[0], "-"]]);
}

#[test]
fn folders_of_programs_are_no_part_of_a_data_set() {
    let paths = ["train/G1/blur/01.png", "train/G1/sharp/01.png", "train/@eaDir/01.png"];
    check(Layout::GoPro, &paths, Split::Train, &[["G1/01.png", paths[1], paths[0], "-"]]);
    let paths = ["rain-1.png", "norain-1.png", ".ipynb_checkpoints/rain-1.png"];
    check(Layout::Rain100, &paths, Split::Train, &[["rain-1.png", paths[1], paths[0], "-"]]);
}

#[test]
fn sidd_has_pairs_in_a_folder_for_each_scene() {
    let paths = [
        "Data/0001_S6/0001_NOISY_SRGB_010.PNG",
        "Data/0001_S6/0001_GT_SRGB_010.PNG",
        "Data/0001_S6/0001_NOISY_SRGB_011.PNG",
        "Data/0001_S6/0001_GT_SRGB_011.PNG",
    ];
    let named = |n: usize| format!("0001_S6/0001_NOISY_SRGB_0{n}.PNG");
    let (first, second) = (named(10), named(11));
    let files = [[&first, paths[1], paths[0], "-"], [&second, paths[3], paths[2], "-"]];
    check(Layout::Sidd, &paths, Split::Train, &files);
}

#[test]
fn rain100_has_three_forms() {
    let beside = ["rain-001.png", "norain-001.png"];
    let files = ["rain-001.png", beside[1], beside[0], "-"];
    check(Layout::Rain100, &beside, Split::Test, &[files]);
    let apart = ["rain/X2/norain-1x2.png", "norain/norain-1.png"];
    let files = ["norain-1x2.png", apart[1], apart[0], "-"];
    check(Layout::Rain100, &apart, Split::Train, &[files]);
    let above = ["test/rainy/rain-7.png", "test/norain-7.png"];
    let files = ["rain-7.png", above[1], above[0], "-"];
    check(Layout::Rain100, &above, Split::Test, &[files]);
}

/// As PReNet's authors name the folders.
#[test]
fn rain100_is_parted_by_the_names_of_folders() {
    // Rainy and clean of the test part, then of the other.
    let parted = |paths: [&str; 4], name| {
        for (split, at) in [(Split::Test, 0), (Split::Train, 2)] {
            check(Layout::Rain100, &paths, split, &[[name, paths[at + 1], paths[at], "-"]]);
        }
    };
    let paths = [
        "rain_data_test_Heavy/rain/norain-1x2.png",
        "rain_data_test_Heavy/norain/norain-1.png",
        "rain_data_train_Heavy/rain/norain-1x2.png",
        "rain_data_train_Heavy/norain/norain-1.png",
    ];
    parted(paths, "norain-1x2.png");
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), &paths[2..]);
    let error = Layout::Rain100.examples(folder.path(), Split::Test).unwrap_err().to_string();
    assert!(error.contains("for train"), "{error}");
    // As JORDER's authors name them: what no folder's name tells is the other part.
    for [test, train] in [["Rain100L", "RainTrainL"], ["RainTestL", "L"]] {
        let [a, b, c, d] = [(test, "rain"), (test, "norain"), (train, "rain"), (train, "norain")]
            .map(|(folder, side)| format!("{folder}/{side}-1.png"));
        parted([&a, &b, &c, &d], "rain-1.png");
    }
    // No word for tests.
    let paths = ["latest/rain-1.png", "latest/norain-1.png"];
    let files = ["rain-1.png", paths[1], paths[0], "-"];
    check(Layout::Rain100, &paths, Split::Train, &[files]);
    check(Layout::Rain100, &paths, Split::Test, &[files]);
}

#[test]
fn rain100_pairs_the_nearest_and_guesses_nothing() {
    let paths = ["H/rain-1.png", "H/norain-1.png", "L/rain-1.png", "L/norain-1.png"];
    let files = [0, 2].map(|at| ["rain-1.png", paths[at + 1], paths[at], "-"]);
    check(Layout::Rain100, &paths, Split::Train, &files);
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), &["rain/rain-1.png", "H/norain-1.png", "L/norain-1.png"]);
    let error = Layout::Rain100.examples(folder.path(), Split::Train).unwrap_err().to_string();
    assert!(error.contains("equally near"), "{error}");
}

#[test]
fn celeba_is_parted_by_its_list() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), &["img_align_celeba/1.jpg", "img_align_celeba/2.jpg"]);
    fs::write(folder.path().join("list_eval_partition.txt"), "1.jpg 0\n2.jpg 2\n").unwrap();
    let files = ["1.jpg", "img_align_celeba/1.jpg", "-", "-"];
    assert_eq!(found(Layout::CelebA, folder.path(), Split::Train), [files]);
    let list = |text: &str| fs::write(folder.path().join("list_eval_partition.txt"), text).unwrap();
    list("2\npartition\n1.jpg 0\n2.jpg 2\n");
    assert_eq!(found(Layout::CelebA, folder.path(), Split::Train), [files]);
    for (text, says) in [
        ("1.jpg 0\n2.jpg 1\n", "no picture of the test part of celeb_a"),
        ("1.jpg 0\n2.jpg 2\n3.jpg\n", "line 3: '3.jpg' is no name and part"),
    ] {
        list(text);
        let error = Layout::CelebA.examples(folder.path(), Split::Test).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    list("1.jpg 0\n2.jpg 2\n");

    // As its authors' folder has it.
    for (above, name) in [("Img", "img_align_celeba"), ("Eval", "list_eval_partition.txt")] {
        fs::create_dir(folder.path().join(above)).unwrap();
        fs::rename(folder.path().join(name), folder.path().join(above).join(name)).unwrap();
    }
    let files = ["2.jpg", "Img/img_align_celeba/2.jpg", "-", "-"];
    assert_eq!(found(Layout::CelebA, folder.path(), Split::Test), [files]);
}

/// A face is learnt whole: the middle square, a side of it dark, in half of its size.
#[test]
fn pictures_are_fitted_when_the_recipe_says() {
    let folder = tempfile::tempdir().unwrap();
    let face = RgbImage::from_fn(40, 60, |x, y| {
        let outside = !(10..50).contains(&y);
        Rgb([if outside { 255 } else { 100 * u8::from(x >= 20) }; 3])
    });
    face.save(folder.path().join("1.png")).unwrap();
    let recipe = Recipe::parse(
        "schema = 1\nid = \"faces\"\n[network]\nfamily = \"edge\"\nin_channels = 3\n\
         [diffusion]\nconditional = false\nsum_scale = 1.0\n[[data]]\nkind = \"clean\"\nclean = \".\"\n\
         [training]\nfit = 20\ncrop = 16\naugment = \"none\"\n[validation]\ncrop = 16\n",
    )
    .unwrap();
    let pair = DataSet::load(&recipe, folder.path()).unwrap().example(&recipe, 0, 0);
    assert_eq!(pair.target.dim(), (3, 16, 16));
    for row in pair.target.index_axis(Axis(0), 0).rows() {
        // At most four columns are cut off; whatever they are, dark ends and light is, and nothing of the outside.
        assert!(row[3] < 0.05 && (row[12] - 100.0 / 255.0).abs() < 0.02, "{row}");
    }
}

#[test]
fn a_missing_partner_is_named() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), &["our485/low/2.png"]);
    fs::create_dir_all(folder.path().join("our485/high")).unwrap();
    let error = Layout::Lol.examples(folder.path(), Split::Train).unwrap_err().to_string();
    assert!(error.contains("2.png") && error.contains("not there"), "{error}");
    pictures(folder.path(), &["our485/high/2.png", "our485/high/3.png", "our485/high/4.png"]);
    let error = Layout::Lol.examples(folder.path(), Split::Train).unwrap_err().to_string();
    assert!(error.contains("3.png: has no degraded partner, nor have 1 more"), "{error}");
    pictures(folder.path(), &["Data/1/1_GT_SRGB.PNG", "Data/1/1_NOISY_SRGB.PNG"]);
    assert_eq!(found(Layout::Sidd, folder.path(), Split::Train).len(), 1);
    fs::remove_file(folder.path().join("Data/1/1_NOISY_SRGB.PNG")).unwrap();
    let error = Layout::Sidd.examples(folder.path(), Split::Train).unwrap_err().to_string();
    assert!(error.contains("1_GT_SRGB.PNG: has no degraded partner"), "{error}");
    let error = Layout::Sidd.examples(folder.path(), Split::Test).unwrap_err().to_string();
    assert!(error.contains("no test part"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| ["rain", "norain"].map(|side| format!("{name}/{side}-1.png"));
    for [rainy, clean] in [of("RainTrainL"), of("Rain100L/a"), of("Rain100L/b")] {
        pictures(folder.path(), &[&rainy, &clean]);
    }
    assert_eq!(found(Layout::Rain100, folder.path(), Split::Test).len(), 2);
    fs::remove_file(folder.path().join("Rain100L/b/rain-1.png")).unwrap();
    let error = Layout::Rain100.examples(folder.path(), Split::Test).unwrap_err().to_string();
    assert!(error.contains("b/norain-1.png: has no degraded partner"), "{error}");
    // The other part is whole.
    assert_eq!(found(Layout::Rain100, folder.path(), Split::Train).len(), 1);
}

#[test]
fn a_recipe_names_a_layout_and_gets_its_masks() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("ISTD");
    pictures(&part, &["train/train_A/1.png", "train/train_C/1.png", "train/train_B/1.png"]);
    let recipe = |channels: usize, kind: &str| {
        Recipe::parse(&format!(
            "schema = 1\nid = \"shadow\"\n[network]\nfamily = \"edge\"\nin_channels = {channels}\n\
             [[data]]\n{kind}\n[training]\ncrop = 16\n[validation]\ncrop = 16\n"
        ))
    };
    let istd = "kind = \"layout\"\nlayout = \"istd\"\nfolder = \"ISTD\"";
    let plain = recipe(6, istd).unwrap();
    let pair = DataSet::load(&plain, folder.path()).unwrap().example(&plain, 0, 0);
    assert!(pair.mask.is_none());
    let masked = recipe(7, istd).unwrap();
    let pair = DataSet::load(&masked, folder.path()).unwrap().example(&masked, 0, 0);
    assert_eq!(pair.mask.unwrap().dim(), (1, 16, 16));
    assert!((pair.input[(0, 0, 0)] - 0.0).abs() < 1e-6);
    assert!((pair.target[(0, 0, 0)] - 20.0 / 255.0).abs() < 1e-6);
    let none = "kind = \"pairs\"\ninput = \"a\"\ntarget = \"b\"";
    let error = recipe(7, none).unwrap_err().to_string();
    assert!(error.contains("takes a mask") && error.contains('a'), "{error}");
}
