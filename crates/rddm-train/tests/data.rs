//! Examples from real folders: what each kind of source and each key of `[training]` gives.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use ndarray::{Array3, s};
use rddm_train::data::{DataSet, Pair, Picture8, files};
use rddm_train::recipe::Distance;
use rddm_train::{Kind, Recipe};

/// Writes a picture of 48×40 pixels.
fn picture(folder: &Path, name: &str, value: impl Fn(u32, u32) -> u8) {
    fs::create_dir_all(folder).unwrap();
    let picture = RgbImage::from_fn(48, 40, |x, y| Rgb([value(x, y); 3]));
    picture.save(folder.join(name)).unwrap();
}

/// Two scenes that get brighter downwards, their rain (0.2 everywhere), and other pictures, dark ones.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |part: &str| folder.path().join(part);
    for (index, name) in ["a.png", "b.png"].into_iter().enumerate() {
        let base = 60 * index as u8;
        picture(&at("gt"), name, |_, y| base + 2 * y as u8);
        picture(&at("input"), name, |_, y| base + 2 * y as u8 + 51);
    }
    for name in ["c.png", "d.png"] {
        picture(&at("other"), name, |x, _| x as u8 / 4);
    }
    folder
}

fn recipe(data: &str, training: &str) -> Recipe {
    // Of the folders that the sources name, `gt` alone has such a picture.
    let held_out = if data.contains("\"gt\"") { "\"b\"" } else { "" };
    let text = format!(
        "schema = 1\nid = \"tiny\"\n[network]\nfamily = \"edge\"\nwidths = [8, 8]\nblocks = [1, 1]\n\
         [[data]]\n{data}\n[training]\nsteps = 10\nbatch = 4\ncrop = 16\n{training}\n\
         [validation]\nhold_out = [{held_out}]\ncrop = 24\n"
    );
    Recipe::parse(&text).unwrap()
}

fn examples(recipe: &Recipe, folder: &Path, step: usize) -> Vec<Pair> {
    let data = DataSet::load(recipe, folder).unwrap();
    (0..40).map(|index| data.example(recipe, step, index)).collect()
}

const PAIRS: &str = "kind = \"pairs\"\ninput = \"input\"\ntarget = \"gt\"";

fn falls_downwards(picture: &Array3<f32>) -> bool {
    picture[(0, 15, 3)] > picture[(0, 0, 3)] && picture[(0, 3, 0)] == picture[(0, 3, 15)]
}

#[test]
fn mirrored_examples_keep_their_up_and_down_and_turned_ones_do_not() {
    let folder = folder();
    let upright = |augment: &str| {
        let recipe = recipe(PAIRS, &format!("augment = \"{augment}\""));
        let pairs = examples(&recipe, folder.path(), 0);
        pairs.iter().filter(|pair| falls_downwards(&pair.target)).count()
    };
    assert_eq!(upright("none"), 40);
    assert_eq!(upright("mirror"), 40);
    assert!((1..=25).contains(&upright("turn")));
}

/// Ramps of 2 a row become flatter, on both sides of a pair alike.
#[test]
fn examples_are_enlarged_when_the_recipe_says() {
    let folder = folder();
    let recipe = recipe(PAIRS, "augment = \"none\"\nzoom = [1.0, 2.0]");
    let slope = |picture: &Array3<f32>| (picture[(0, 12, 7)] - picture[(0, 4, 7)]) * 255.0 / 16.0;
    let pairs = examples(&recipe, folder.path(), 0);
    let slopes: Vec<f32> = pairs.iter().map(|pair| slope(&pair.target)).collect();
    assert!(slopes.iter().all(|slope| (0.45..1.01).contains(slope)), "{slopes:?}");
    assert!(slopes.iter().any(|slope| *slope < 0.6) && slopes.iter().any(|slope| *slope > 0.85));
    for pair in &pairs {
        assert_eq!(pair.input.dim(), (3, 16, 16));
        assert!((&pair.input - &pair.target).iter().all(|value| (value - 0.2).abs() < 1e-3));
    }
    // Pictures of 48×40 pixels are large enough for crops of 64 where all are enlarged enough.
    let large = recipe.to_toml().unwrap().replace("crop = 16", "crop = 64");
    assert!(DataSet::load(&Recipe::parse(&large).unwrap(), folder.path()).is_err());
    let large = Recipe::parse(&large.replace("[1.0, 2.0]", "[1.6, 2.0]")).unwrap();
    for pair in examples(&large, folder.path(), 0) {
        assert_eq!(pair.input.dim(), (3, 64, 64));
    }
    let wrong = recipe.to_toml().unwrap().replace("[1.0, 2.0]", "[0.5, 2.0]");
    let error = Recipe::parse(&wrong).unwrap_err().to_string();
    assert!(error.contains("training.zoom"), "{error}");
}

#[test]
fn examples_grow_when_the_recipe_says() {
    let folder = folder();
    let recipe = recipe(PAIRS, "grow = [{ after = 0.5, crop = 32, batch = 2 }]");
    assert_eq!((0..10).map(|step| recipe.training.examples(step)).collect::<Vec<_>>(), {
        let mut sizes = vec![(16, 4); 5];
        sizes.resize(10, (32, 2));
        sizes
    });
    assert_eq!(examples(&recipe, folder.path(), 4)[0].input.dim(), (3, 16, 16));
    assert_eq!(examples(&recipe, folder.path(), 5)[0].input.dim(), (3, 32, 32));
}

#[test]
fn a_source_gets_its_share_step_by_step_when_the_recipe_says() {
    let folder = folder();
    let data = "kind = \"clean\"\nclean = \"gt\"\nweight = [9.0, 1.0]\n\
                [[data]]\nkind = \"clean\"\nclean = \"other\"\nweight = 1.0";
    let recipe = recipe(data, "augment = \"none\"");
    // `gt` gets brighter downwards, `other` to the right.
    let share = |step| {
        let pairs = examples(&recipe, folder.path(), step);
        pairs.iter().filter(|pair| pair.target[(0, 0, 0)] != pair.target[(0, 15, 0)]).count()
    };
    assert_eq!(recipe.data[0].weight().at(recipe.training.done(5)), 5.0);
    assert!((33..=39).contains(&share(0)), "{}", share(0));
    assert!((15..=29).contains(&share(10)), "{}", share(10));
    for (weight, says) in [
        ("[9.0, -1.0]", "[[data]] weight: -1 is no finite number from 0 on"),
        ("[9.0, nan, 1.0]", "[[data]] weight: NaN is no finite number from 0 on"),
        ("0.0", "[[data]] weight: 0; leave the source out"),
        ("[0.0, 0.0]", "[[data]] weight: 0; leave the source out"),
        ("[9.0]", "two numbers or more"),
        ("[]", "two numbers or more"),
        ("\"9.0\"", "a number, or several"),
    ] {
        let wrong = recipe.to_toml().unwrap().replace("[9.0, 1.0]", weight);
        let error = Recipe::parse(&wrong).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_weight_may_stay_and_then_move() {
    let text = "kind = \"clean\"\nclean = \"other\"\nweight = [0.5, 0.5, 1.5, 1.0]";
    let recipe = recipe(text, "");
    let steps = recipe.training.steps;
    let weight = |twelfths: usize| recipe.data[0].weight().at(twelfths as f64 / 12.0);
    let places = [0, 2, 4, 6, 8, 10, 12];
    let expected = [0.5, 0.5, 0.5, 1.0, 1.5, 1.25, 1.0];
    for (place, expected) in places.into_iter().zip(expected) {
        assert!((weight(place) - expected).abs() < 1e-12, "{place}: {}", weight(place));
    }
    assert_eq!(recipe.data[0].weight().at(recipe.training.done(3 * steps)), 1.0);
    let written = Recipe::parse(&recipe.to_toml().unwrap()).unwrap();
    assert_eq!(written.data[0].weight(), recipe.data[0].weight());
}

/// A source begins late or ends early, while there is another.
#[test]
fn a_weight_may_be_0_where_others_are_not() {
    let folder = folder();
    let sources = |weights: [&str; 2]| {
        let [gt, other] = weights;
        format!(
            "kind = \"clean\"\nclean = \"gt\"\nweight = {gt}\n\
             [[data]]\nkind = \"clean\"\nclean = \"other\"\nweight = {other}"
        )
    };
    let whole = recipe(&sources(["[1.0, 0.0]", "[0.0, 1.0]"]), "augment = \"none\"");
    for (step, downwards) in [(0, 40), (10, 0)] {
        let pairs = examples(&whole, folder.path(), step);
        let falls = |pair: &&Pair| pair.target[(0, 0, 0)] != pair.target[(0, 15, 0)];
        assert_eq!(pairs.iter().filter(falls).count(), downwards);
    }
    let least = recipe(&sources(["[1e20, 0.1]", "[0.0, 0.0, 1.0]"]), "");
    assert_eq!(least.data[0].weight().at(1.0), 0.1);
    assert!(least.data[0].weight().at(1.0 - 1e-16) > 0.0);
    // No place of the one list is rounded away from that of the other.
    let many = |at: usize, value: f64| {
        let list = (0..50).map(|place| if place == at { value } else { 1.0 - value });
        format!("{:?}", list.collect::<Vec<_>>())
    };
    for (gt, other, place) in [
        ("[0.0, 1.0]", "[0.0, 1.0]", "0/1"),
        ("[1.0, 0.0]", "[1.0, 0.0]", "1/1"),
        ("[1.0, 0.0, 1.0]", "[1.0, 0.0, 0.0, 0.0, 1.0]", "1/2"),
        (&many(1, 0.0), &many(1, 0.0), "1/49"),
    ] {
        let text = whole.to_toml().unwrap();
        let text = text.replacen("[1.0, 0.0]", "GT", 1).replacen("[0.0, 1.0]", "OTHER", 1);
        let text = text.replace("GT", gt).replace("OTHER", other);
        let error = Recipe::parse(&text).unwrap_err().to_string();
        assert!(error.contains(&format!("after {place} of the training")), "{error}");
    }
    for (gt, other) in [("[1.0, 0.0, 1.0]", "[1.0, 0.0, 0.1, 0.0, 1.0]"), ("[1.0, 0.0]", "1.0")] {
        recipe(&sources([gt, other]), "");
    }
}

#[test]
fn weights_have_a_finite_sum() {
    for weight in ["1.7e308", "[1.7e308, 1.0]", "[1.0, 1.7e308, 1.0]"] {
        let sources = [weight; 2].map(|weight| {
            format!("[[data]]\nkind = \"clean\"\nclean = \"other\"\nweight = {weight}\n")
        });
        let text = recipe("kind = \"clean\"\nclean = \"other\"", "").to_toml().unwrap();
        let error = Recipe::parse(&(text + &sources.concat())).unwrap_err().to_string();
        assert!(error.contains("[[data]] weight"), "{error}");
    }
    let moving = recipe("kind = \"clean\"\nclean = \"other\"\nweight = [9.0, 1.0]", "");
    assert_eq!(moving.data[0].weight().at(moving.training.done(1000)), 1.0);
}

/// The content tells the format of a file, and not its name.
#[test]
fn a_picture_is_read_whatever_its_name_says() {
    let folder = folder();
    let other = folder.path().join("other");
    fs::rename(other.join("d.png"), other.join("d.jpg")).unwrap();
    let recipe = recipe("kind = \"clean\"\nclean = \"other\"", "");
    assert_eq!(DataSet::load(&recipe, folder.path()).unwrap().len(), 2);
}

/// What is enlarged for training is not enlarged to be measured.
#[test]
fn pictures_that_are_held_out_are_as_large_as_the_network_takes() {
    let folder = folder();
    let small = RgbImage::from_fn(6, 40, |x, y| Rgb([x as u8, y as u8, 0]));
    for part in ["gt", "input"] {
        small.save(folder.path().join(part).join("b.png")).unwrap();
    }
    let recipe = recipe(PAIRS, "zoom = [4.0, 4.0]");
    let network = "widths = [8, 8, 8]\nblocks = [1, 1, 1]";
    let text = recipe.to_toml().unwrap();
    let text = text.replace("widths = [8, 8]\nblocks = [1, 1]", network);
    let recipe = Recipe::parse(&text).unwrap();
    assert_eq!(recipe.network.multiple(), 8);
    let error = DataSet::load(&recipe, folder.path()).err().unwrap();
    assert_eq!(error.kind(), rddm_train::Kind::Data);
    assert!(error.to_string().contains("b.png: 6×40 is less than the 8×8"), "{error}");
    // Nor as large as a crop.
    for part in ["gt", "input"] {
        RgbImage::new(20, 20).save(folder.path().join(part).join("b.png")).unwrap();
    }
    let recipe =
        Recipe::parse(&text.replace("crop = 16", "crop = 32").replace("zoom = [4.0, 4.0]", ""));
    let data = DataSet::load(&recipe.unwrap(), folder.path()).unwrap();
    assert_eq!(data.held_out()[0].1[0].pair.input.dim(), (3, 16, 16));
}

/// What is held out may lie in the folder under another name, or in another source.
#[test]
fn pictures_that_equal_one_that_is_held_out_are_left_out() {
    let folder = folder();
    let at = |part: &str| folder.path().join(part);
    let clean = "[[data]]\nkind = \"clean\"\nclean = \"other\"";
    let recipe = recipe(&format!("{PAIRS}\n{clean}"), "");
    let count = || DataSet::load(&recipe, folder.path()).unwrap().len();
    assert_eq!(count(), 1 + 2);
    // As `b.png`, with other rain.
    picture(&at("gt"), "e.png", |_, y| 60 + 2 * y as u8);
    picture(&at("input"), "e.png", |_, y| 60 + 2 * y as u8 + 20);
    picture(&at("other"), "f.png", |_, y| 60 + 2 * y as u8);
    assert_eq!(count(), 1 + 2);
    // One pixel tells them apart.
    picture(&at("gt"), "e.png", |x, y| if (x, y) == (0, 0) { 0 } else { 60 + 2 * y as u8 });
    assert_eq!(count(), 2 + 2);
}

#[test]
fn pictures_that_get_residuals_are_held_out_too() {
    let folder = folder();
    picture(&folder.path().join("other"), "d.png", |_, _| 250);
    let source = "kind = \"transferred\"\ninput = \"input\"\ntarget = \"gt\"\nclean = \"other\"";
    let text = recipe(source, "").to_toml().unwrap();
    let text = text.replace("hold_out = [\"b\"]", "hold_out = [\"d\"]");
    let recipe = Recipe::parse(&text).unwrap();
    assert_eq!(recipe.validation.hold_out, ["d"]);
    for pair in examples(&recipe, folder.path(), 0) {
        assert!(pair.target.iter().all(|&value| value < 0.05), "a picture that is held out");
    }
}

/// A camera that was held upright stores the picture as it lies, and says so.
#[test]
fn pictures_are_turned_as_their_metadata_ask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.png");
    // One entry: the tag of the orientation, a short number, and that: turn by 90 degrees, clockwise.
    let exif =
        [b"II*\0".as_slice(), &[8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0], &[0; 4]];
    let stored = RgbImage::from_fn(40, 24, |x, _| Rgb([5 * x as u8; 3]));
    let mut encoder = PngEncoder::new(fs::File::create(&path).unwrap());
    encoder.set_exif_metadata(exif.concat()).unwrap();
    encoder.write_image(&stored, 40, 24, ExtendedColorType::Rgb8).unwrap();
    let turned = Picture8::read_at_least(&path, 1).unwrap();
    assert_eq!(turned.size(), (40, 24));
    let turned = turned.whole();
    assert!(turned[(0, 0, 0)] == 0.0 && turned[(0, 39, 0)] > 0.7 && turned[(0, 0, 23)] == 0.0);
}

/// What the restoring program refuses is not learnt either, and what it reads is read the same.
#[test]
fn pictures_are_read_as_they_are_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let read = |name: &str| Picture8::read_at_least(&path(name), 1);
    let whole = RgbImage::from_fn(64, 64, |x, y| Rgb([3 * x as u8, 3 * y as u8, 90]));
    whole.save(path("whole.jpg")).unwrap();
    let bytes = fs::read(path("whole.jpg")).unwrap();
    fs::write(path("part.jpg"), &bytes[..bytes.len() - 100]).unwrap();
    let error = read("part.jpg").unwrap_err();
    assert!(error.kind() == Kind::Data && error.to_string().contains("end is missing"), "{error}");
    fs::rename(path("whole.jpg"), path("whole.jfif")).unwrap();
    assert_eq!(files(folder.path()).unwrap().len(), 2);
    let decoded = image::load_from_memory(&bytes).unwrap().into_rgb8();
    let stored = read("whole.jfif").unwrap().whole();
    assert!(decoded.enumerate_pixels().all(|(x, y, pixel)| {
        (0..3).all(|c| stored[(c, y as usize, x as usize)] == f32::from(pixel.0[c]) / 255.0)
    }));
    let deep = image::ImageBuffer::from_fn(256, 1, |x, _| image::Luma([257 * x as u16]));
    deep.save(path("deep.png")).unwrap();
    let deep = read("deep.png").unwrap().whole();
    assert!((0..256).all(|x| deep[(1, 0, x)] == x as f32 / 255.0));
}

#[test]
fn the_loss_changes_when_the_recipe_says() {
    let recipe = recipe(PAIRS, "finish = { after = 0.3, loss = \"psnr\" }");
    let losses = [0, 2, 3, 9].map(|step| recipe.training.at(step).loss);
    assert_eq!(losses, [Distance::L1, Distance::L1, Distance::Psnr, Distance::Psnr]);
    let early = recipe.to_toml().unwrap().replace("after = 0.3", "after = 3.0");
    let error = Recipe::parse(&early).unwrap_err().to_string();
    assert!(error.contains("training.finish.after"), "{error}");
}

#[test]
fn residuals_of_pairs_may_be_weaker_and_stronger() {
    let folder = folder();
    let recipe = recipe(&format!("{PAIRS}\ngain = [0.5, 3.0]"), "");
    let gain = |pair: &Pair| (pair.input[(0, 8, 8)] - pair.target[(0, 8, 8)]) / 0.2;
    let pairs = examples(&recipe, folder.path(), 0);
    let gains: Vec<f32> = pairs.iter().map(gain).collect();
    assert!(gains.iter().all(|gain| (0.499..3.001).contains(gain)), "{gains:?}");
    assert!(gains.iter().any(|gain| *gain < 1.0) && gains.iter().any(|gain| *gain > 2.5));
    for pair in &pairs {
        let residual = &pair.input - &pair.target;
        assert!(residual.iter().all(|value| (value - 0.2 * gain(pair)).abs() < 1e-5));
    }
    // What is validated stays as it was taken.
    let data = DataSet::load(&recipe, folder.path()).unwrap();
    let (_, held) = &data.held_out()[0];
    assert!((gain(&held[0].pair) - 1.0).abs() < 1e-4);

    let with_gain = |gain: &str| recipe.to_toml().unwrap().replace("[0.5, 3.0]", gain);
    // A stored picture saturates.
    let strong = Recipe::parse(&with_gain("[9.0, 9.0]")).unwrap();
    for pair in examples(&strong, folder.path(), 0) {
        assert!(pair.input.iter().all(|value| *value == 1.0));
    }
    let error = Recipe::parse(&with_gain("[0.5, 11.0]")).unwrap_err().to_string();
    assert!(error.contains("gain"), "{error}");
}

#[test]
fn residuals_move_to_other_pictures() {
    let folder = folder();
    let source =
        "kind = \"transferred\"\ninput = \"input\"\ntarget = \"gt\"\nclean = \"other\"".to_owned();
    let recipe = recipe(&source, "");
    for pair in examples(&recipe, folder.path(), 0) {
        assert!(pair.target.iter().all(|&value| value < 0.05), "a scene of the pairs themselves");
        let residual = &pair.input - &pair.target;
        assert!(residual.iter().all(|value| (value - 0.2).abs() < 1e-6));
    }
    assert!(DataSet::load(&recipe, folder.path()).unwrap().held_out().is_empty());
}

/// Other pictures that get darker to the right by a level a column: enlarged they do by less, and so with less contrast.
#[test]
fn pictures_that_get_residuals_may_be_enlarged_and_fainter() {
    let folder = folder();
    for name in ["e.png", "f.png"] {
        picture(&folder.path().join("ramp"), name, |x, _| 200 - 4 * x as u8);
    }
    let of = |source: &str, training: &str| {
        let source = format!(
            "kind = \"transferred\"\ninput = \"input\"\ntarget = \"gt\"\nclean = \"ramp\"\n{source}"
        );
        recipe(&source, &format!("augment = \"none\"\n{training}"))
    };
    let slope = |picture: &Array3<f32>| (picture[(0, 7, 4)] - picture[(0, 7, 12)]) * 255.0 / 8.0;
    let zoomed = of("zoom = [2.0, 2.0]", "");
    let fainter = of("", "relight = { contrast = [0.5, 0.5] }");
    for (recipe, wanted) in [(of("", ""), 4.0), (zoomed.clone(), 2.0), (fainter.clone(), 2.0)] {
        for pair in examples(&recipe, folder.path(), 0) {
            assert!((slope(&pair.target) - wanted).abs() < 0.05, "{}", slope(&pair.target));
            let residual = &pair.input - &pair.target;
            assert!(residual.iter().all(|value| (value - 0.2).abs() < 1e-6), "{residual}");
        }
    }
    for (recipe, wrong, key) in
        [(zoomed, "[2.0, 0.5]", "[[data]] zoom"), (fainter, "[0.5, 1.5]", "relight.contrast")]
    {
        let text = recipe.to_toml().unwrap();
        let text = text.replace("[2.0, 2.0]", wrong).replace("[0.5, 0.5]", wrong);
        let error = Recipe::parse(&text).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn residuals_that_move_may_be_weaker_and_lean() {
    let folder = folder();
    // A line straight down the middle.
    for name in ["a.png", "b.png"] {
        picture(&folder.path().join("dry"), name, |_, _| 0);
        picture(&folder.path().join("rainy"), name, |x, _| if x == 24 { 100 } else { 0 });
    }
    let source = "kind = \"transferred\"\ninput = \"rainy\"\ntarget = \"dry\"\nclean = \"dry\"\n\
                  gain = [0.5, 0.5]\nlean = 0.9";
    let recipe = recipe(source, "augment = \"mirror\"");
    let (mut straight, mut leaning) = (0, 0);
    for pair in (0..8).flat_map(|step| examples(&recipe, folder.path(), step)) {
        let line = |row: usize| (0..16).find(|&column| pair.input[(0, row, column)] > 0.0);
        let columns: Vec<usize> = (0..16).filter_map(line).collect();
        assert!(
            pair.input.iter().all(|&value| value == 0.0 || (value - 50.0 / 255.0).abs() < 1e-6)
        );
        assert!(columns.is_sorted() || columns.is_sorted_by(|a, b| a >= b), "{columns:?}");
        assert!(columns.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 1), "{columns:?}");
        match columns.first() == columns.last() {
            true => straight += 1,
            false => leaning += 1,
        }
    }
    assert!(leaning > straight, "{leaning} lean, {straight} do not");
    for (right, wrong, key) in [("0.9", "9.0", "lean"), ("[0.5, 0.5]", "[0.5, 0.1]", "gain")] {
        let text = recipe.to_toml().unwrap().replace(right, wrong);
        let error = Recipe::parse(&text).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

/// Rain of 80 levels saturates the red of a scene, whose other channels tell it, and all channels of its lower half.
#[test]
fn grey_residuals_are_told_by_the_channel_that_saturates_least() {
    let folder = folder();
    let write = |part: &str, rain: [u8; 3]| {
        fs::create_dir_all(folder.path().join(part)).unwrap();
        for name in ["a.png", "b.png"] {
            // All channels are saturated in the lower half.
            let pixel =
                |_, y| Rgb([220 + rain[0], 100 + rain[1], if y < 20 { rain[2] } else { 255 }]);
            let pixel = |x, y| if y < 20 || part == "dry" { pixel(x, y) } else { Rgb([255; 3]) };
            RgbImage::from_fn(48, 40, pixel).save(folder.path().join(part).join(name)).unwrap();
        }
    };
    write("dry", [0, 0, 0]);
    write("rainy", [35, 80, 80]);
    let source = "kind = \"transferred\"\ninput = \"rainy\"\ntarget = \"dry\"\nclean = \"other\"";
    let told = |grey: &str| {
        let recipe = recipe(&format!("{source}{grey}"), "augment = \"none\"");
        let pairs = examples(&recipe, folder.path(), 0);
        let share = |pair: &Pair| {
            let residual = &pair.input - &pair.target;
            let right = residual.iter().filter(|value| (*value * 255.0 - 80.0).abs() < 1e-3);
            right.count() as f32 / residual.len() as f32
        };
        pairs.iter().map(share).sum::<f32>() / pairs.len() as f32
    };
    assert!(told("") < 0.5, "{}", told(""));
    assert!(told("\ngrey = true") > 0.85, "{}", told("\ngrey = true"));
}

#[test]
fn clean_pictures_are_lit_anew_when_the_recipe_says_and_pairs_are_not() {
    let folder = folder();
    let light = "relight = { exposure = [0.5, 2.0], balance = 0.2 }";
    let linear = |stored: f32| ((stored + 0.055) / 1.055).powf(2.4);
    picture(&folder.path().join("grey"), "e.png", |_, _| 100);
    let recipe = recipe("kind = \"clean\"\nclean = \"grey\"", light);
    let pairs = examples(&recipe, folder.path(), 0);
    let gain =
        |pair: &Pair, channel: usize| linear(pair.target[(channel, 5, 5)]) / linear(100.0 / 255.0);
    for pair in &pairs {
        assert_eq!(pair.input, pair.target);
        assert!((0.49..2.02).contains(&gain(pair, 1)));
        for channel in [0, 2] {
            let colour = gain(pair, channel) / gain(pair, 1);
            assert!((0.82..1.22).contains(&colour), "{colour}");
        }
    }
    assert!(pairs.iter().any(|pair| gain(pair, 1) < 0.7) && pairs.iter().any(|p| gain(p, 1) > 1.4));
    let stored = self::recipe(PAIRS, light);
    for pair in examples(&stored, folder.path(), 0) {
        assert!((&pair.input - &pair.target).iter().all(|value| (value - 0.2).abs() < 1e-6));
    }
    for (right, wrong, key) in
        [("0.5", "0.0", "relight.exposure"), ("0.2", "-1.0", "relight.balance")]
    {
        let text = recipe.to_toml().unwrap();
        assert!(text.contains(right), "{text}");
        let error = Recipe::parse(&text.replace(right, wrong)).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn degraded_sides_are_stored_as_jpeg_when_the_recipe_says_and_clean_pictures_are_not() {
    let folder = folder();
    let jpeg = "jpeg = { share = 1.0, quality = [50.0, 50.0] }";
    let made = "kind = \"degraded\"\nclean = \"gt\"\ndegradation = { kind = \"camera_noise\", jpeg = 0.0 }";
    let moved = "kind = \"transferred\"\ninput = \"input\"\ntarget = \"gt\"\nclean = \"gt\"";
    for (source, degraded) in
        [(PAIRS, true), (made, true), (moved, true), ("kind = \"clean\"\nclean = \"gt\"", false)]
    {
        let without = examples(&recipe(source, ""), folder.path(), 0);
        for (stored, plain) in
            examples(&recipe(source, jpeg), folder.path(), 0).iter().zip(&without)
        {
            assert_eq!(stored.target, plain.target, "{source}");
            assert_eq!(stored.input != plain.input, degraded, "{source}");
            let far = (&stored.input - &plain.input).mapv(f32::abs).mean().unwrap();
            assert!(far < 0.03, "{source}: {far}");
        }
    }
}

#[test]
fn clean_pictures_stay_and_may_be_grey() {
    let folder = folder();
    let mut recipe = recipe("kind = \"clean\"\nclean = \"other\"", "");
    for pair in examples(&recipe, folder.path(), 0) {
        assert_eq!(pair.input, pair.target);
    }
    let grey = recipe.to_toml().unwrap().replace("channels = 3", "channels = 1");
    recipe = Recipe::parse(&grey.replace("in_channels = 6", "in_channels = 2")).unwrap();
    assert_eq!(examples(&recipe, folder.path(), 0)[0].target.dim(), (1, 16, 16));
}

#[test]
fn examples_are_shrunk_as_the_network_would_shrink_them() {
    let folder = folder();
    // Stripes of a pixel each, whose means are 10.
    for name in ["e.png", "f.png"] {
        picture(&folder.path().join("striped"), name, |x, _| 20 * (x % 2) as u8);
    }
    let recipe = shrinking(&recipe("kind = \"clean\"\nclean = \"striped\"", ""), true);
    let afar = Recipe::parse(&recipe).unwrap();
    assert_eq!(afar.example_side(0), 8);
    for pair in examples(&afar, folder.path(), 0) {
        assert_eq!(pair.target.dim(), (3, 8, 8));
        assert!(pair.target.iter().all(|value| (value - 10.0 / 255.0).abs() < 1e-6));
    }
    let near = recipe.replace("shrink = 2", "shrink = 1");
    let filled =
        recipe.replace("fill = 0", "fill = 2").replace("in_channels = 6", "in_channels = 7");
    let stored = recipe
        .replace("afar = true", "afar = true\njpeg = { share = 1.0, quality = [75.0, 75.0] }");
    for wrong in [near, filled, stored] {
        let error = Recipe::parse(&wrong).unwrap_err().to_string();
        assert!(error.contains("training.afar"), "{error}");
    }
}

/// The recipe with a network that makes its input two times smaller.
fn shrinking(recipe: &Recipe, afar: bool) -> String {
    let mut text = recipe.to_toml().unwrap();
    let keys = [("shrink = 1", "shrink = 2".into()), ("afar = false", format!("afar = {afar}"))];
    for (key, value) in keys {
        assert!(text.contains(key));
        text = text.replace(key, &value);
    }
    text
}

#[test]
fn a_shadow_on_shrunk_pictures_is_the_shadow_of_whole_ones_shrunk() {
    let folder = folder();
    let source = |degradation: &str| {
        format!("kind = \"degraded\"\nclean = \"gt\"\ndegradation = {{ {degradation} }}")
    };
    let shadow = source("kind = \"shadow\", size = [16.0, 24.0], penumbra = [6.0, 8.0]");
    let shaded = |afar: bool| {
        let recipe = shrinking(&recipe(&shadow, ""), afar);
        examples(&Recipe::parse(&recipe).unwrap(), folder.path(), 0)
    };
    let mut dark = 0;
    for (whole, afar) in shaded(false).into_iter().zip(shaded(true)) {
        assert_eq!((whole.input.dim(), afar.input.dim()), ((3, 16, 16), (3, 8, 8)));
        for ((channel, y, x), value) in afar.input.indexed_iter() {
            let square = s![channel, 2 * y..2 * y + 2, 2 * x..2 * x + 2];
            let [mean, clean] =
                [&whole.input, &whole.target].map(|side| side.slice(square).mean().unwrap());
            assert!((value - mean).abs() < 0.04, "{value} for {mean}");
            dark += usize::from(value + 0.05 < clean);
        }
    }
    assert!(dark > 1000, "only {dark} values lie in a shadow");
    let rain = recipe(&source("kind = \"rain\""), "");
    let error = Recipe::parse(&shrinking(&rain, true)).unwrap_err().to_string();
    assert!(error.contains("training.afar"), "{error}");
}
