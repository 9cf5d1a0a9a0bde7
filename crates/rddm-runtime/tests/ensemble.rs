//! The self-ensemble against the same with copies that are turned by hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use ndarray::{Array2, Array3};
use rddm_manifest::{Manifest, MirrorMean};
use rddm_runtime::{Control, ErrorKind, Progress, Restorer};
use support::{Model, TinyNet, picture};

/// A quarter turn to the left.
fn quarter(picture: &Array3<f32>) -> Array3<f32> {
    let (channels, height, width) = picture.dim();
    Array3::from_shape_fn((channels, width, height), |(c, y, x)| picture[(c, x, width - 1 - y)])
}

fn mirror(picture: &Array3<f32>) -> Array3<f32> {
    let (_, _, width) = picture.dim();
    Array3::from_shape_fn(picture.raw_dim(), |(c, y, x)| picture[(c, y, width - 1 - x)])
}

fn turned(picture: &Array3<f32>, quarters: usize, mirrored: bool) -> Array3<f32> {
    let picture = if mirrored { mirror(picture) } else { picture.clone() };
    (0..quarters).fold(picture, |picture, _| quarter(&picture))
}

#[test]
fn is_the_mean_of_all_forms() {
    let upright = Model { upright: true, ..Model::joint() };
    for model in [Model::joint(), Model::masked(), upright] {
        let manifest = model.manifest();
        let restorer = Restorer::builder(&manifest).seed(5).build(model.files()).unwrap();
        let picture = picture(3, 26, 37);
        let mask = Array3::from_shape_fn((1, 26, 37), |(_, y, x)| f32::from((x + 2 * y) % 7 < 3));
        let flat =
            |mask: &Array3<f32>| -> Array2<f32> { mask.index_axis(ndarray::Axis(0), 0).to_owned() };
        let mut sum = Array3::<f32>::zeros(picture.raw_dim());
        let (quarters, forms) = if model.upright { (0..1, 2.0) } else { (0..4, 8.0) };
        for quarters in quarters {
            for mirrored in [false, true] {
                let mask = flat(&turned(&mask, quarters, mirrored));
                let mask = model.mask.then(|| mask.view());
                let form = turned(&picture, quarters, mirrored);
                let restored = restorer.restore(form.view(), mask, &mut |_| Control::Continue);
                let upright = turned(&restored.unwrap(), (4 - quarters) % 4, false);
                sum += &(if mirrored { mirror(&upright) } else { upright });
            }
        }
        let mut parts = Vec::new();
        let on_progress = &mut |progress: Progress| {
            parts.push(progress.fraction());
            Control::Continue
        };
        let mask = flat(&mask);
        let mask = model.mask.then(|| mask.view());
        let mean = restorer.restore_ensemble(picture.view(), mask, on_progress).unwrap();
        let far = (mean - sum / forms).iter().fold(0.0, |most: f32, value| most.max(value.abs()));
        assert!(far < 1e-5, "{far}");
        assert!(parts.is_sorted() && parts.last() == Some(&1.0), "{parts:?}");
    }
}

/// Tiles, and nothing that a mirror image would not share: no noise, no padding, no value near the ends of the range.
#[test]
fn mirror_images_count_as_much_as_the_picture() {
    for upright in [true, false] {
        let model = Model { upright, steps: 1, eta: 0.0, ..Model::joint() };
        let mut manifest = model.manifest();
        manifest.sampler.sum_scale = 1e-12;
        let go_on = &mut |_| Control::Continue;
        let picture = picture(3, 28, 72).mapv(|value| 0.4 + 0.2 * value);
        let far = |a: &Array3<f32>, b: &Array3<f32>| {
            (a - b).iter().fold(0.0, |most: f32, value| most.max(value.abs()))
        };
        let plain = Restorer::builder(&manifest).build(model.files()).unwrap();
        let once = plain.restore(picture.view(), None, go_on).unwrap();
        let image = mirror(&plain.restore(mirror(&picture).view(), None, go_on).unwrap());
        let forms = plain.restore_ensemble(picture.view(), None, go_on).unwrap();
        manifest.sampler.mirror = true;
        let both = Restorer::builder(&manifest).build(model.files()).unwrap();
        let mut tiles = 0;
        let on_progress = &mut |progress: Progress| {
            tiles = progress.tiles;
            Control::Continue
        };
        let mean = both.restore(picture.view(), None, on_progress).unwrap();
        assert!(tiles > 1);
        assert!(far(&mean, &((&once + &image) / 2.0)) < 1e-5);
        assert!(far(&mean, &once) > 1e-3);
        // No form is asked about twice, and all count.
        let mut parts = 0;
        let on_progress = &mut |progress: Progress| {
            parts = progress.tiles;
            Control::Continue
        };
        let all = both.restore_ensemble(picture.view(), None, on_progress).unwrap();
        assert!(far(&all, &forms) < 1e-5);
        assert_eq!(parts, if upright { tiles } else { 4 * tiles });
        let off = Restorer::builder(&manifest).mirror(false).build(model.files()).unwrap();
        assert_eq!(off.restore(picture.view(), None, go_on).unwrap(), once);
    }
}

/// A model of the residual alone, in one step without noise.
fn of_residuals() -> (Model, Manifest) {
    let networks = vec![("residual", TinyNet::single("residual"))];
    let model = Model { networks, objective: "pred_res", steps: 1, eta: 0.0, ..Model::joint() };
    let mut manifest = model.manifest();
    manifest.sampler.sum_scale = 1e-12;
    (model, manifest)
}

#[test]
fn the_harmonic_mean_takes_what_both_looks_see() {
    let (model, mut manifest) = of_residuals();
    let go_on = &mut |_| Control::Continue;
    let picture = picture(3, 28, 72).mapv(|value| 0.4 + 0.2 * value);
    let plain = Restorer::builder(&manifest).build(model.files()).unwrap();
    let once = plain.restore(picture.view(), None, go_on).unwrap() - &picture;
    let image = mirror(&plain.restore(mirror(&picture).view(), None, go_on).unwrap()) - &picture;
    manifest.sampler.mirror_mean = MirrorMean::Harmonic;
    let both = Restorer::builder(&manifest).mirror(true).build(model.files()).unwrap();
    let mean = both.restore(picture.view(), None, go_on).unwrap() - &picture;
    let (mut agreed, mut not) = (0, 0);
    for ((&mean, &once), &image) in mean.iter().zip(&once).zip(&image) {
        if once * image > 0.0 {
            agreed += 1;
            assert!((mean - 2.0 / (once.recip() + image.recip())).abs() < 1e-5);
        } else {
            not += 1;
            assert!(mean.abs() < 1e-5, "{once} and {image} make {mean}");
        }
    }
    assert!(agreed > 100 && not > 100, "{agreed} {not}");
}

/// Against the same by hand, on a picture in one window whose right half is a pattern that no look from afar sees.
#[test]
fn a_look_from_afar_confirms() {
    let (model, manifest) = of_residuals();
    let go_on = &mut |_| Control::Continue;
    let smooth = picture(3, 64, 96).mapv(|value| 0.4 + 0.2 * value);
    let picture = Array3::from_shape_fn(smooth.raw_dim(), |(c, y, x)| match x {
        0..48 => smooth[(c, y, x)],
        _ => [0.36, 0.64][(x + y) % 2],
    });
    let whole = || Restorer::builder(&manifest).tile(1024);
    let plain = whole().build(model.files()).unwrap();
    let mut change = |of: &Array3<f32>| plain.restore(of.view(), None, go_on).unwrap() - of;
    let half = |of: &Array3<f32>| {
        let at = |c: usize, y: usize, x: usize| of[(c, y, x)] + of[(c, y, x + 1)];
        Array3::from_shape_fn((3, 32, 48), |(c, y, x)| {
            (at(c, 2 * y, 2 * x) + at(c, 2 * y + 1, 2 * x)) / 4.0
        })
    };
    let near = change(&picture);
    let (own, seen) = (half(&near), mirror(&change(&half(&mirror(&picture)))));
    let share = Array2::from_shape_fn((32, 48), |(y, x)| {
        let (mut both, mut alone) = (0.0, 0.0);
        for (c, y, x) in (0..3).flat_map(|c| {
            let rows = y.saturating_sub(2)..(y + 3).min(32);
            rows.flat_map(move |y| (x.saturating_sub(2)..(x + 3).min(48)).map(move |x| (c, y, x)))
        }) {
            both += own[(c, y, x)] * seen[(c, y, x)];
            alone += own[(c, y, x)] * own[(c, y, x)];
        }
        (4.0 * both / alone).clamp(0.0, 1.0)
    });
    let enlarged = |y: usize, x: usize| {
        let between = |at: usize, last: usize| {
            let place = ((at as f32 + 0.5) / 2.0 - 0.5).clamp(0.0, last as f32);
            (place as usize, (place as usize + 1).min(last), place.fract())
        };
        let ((top, bottom, down), (left, right, across)) = (between(y, 31), between(x, 47));
        let line = |y: usize| share[(y, left)] * (1.0 - across) + share[(y, right)] * across;
        line(top) * (1.0 - down) + line(bottom) * down
    };
    let restorer = whole().confirm(true).build(model.files()).unwrap();
    assert!(restorer.confirm() && !plain.confirm());
    let confirmed = restorer.restore(picture.view(), None, &mut |_| Control::Continue).unwrap();
    let mut shares = Vec::new();
    for ((c, y, x), value) in (confirmed - &picture).indexed_iter() {
        let share = enlarged(y, x);
        shares.push(share);
        assert!(
            (value - share * near[(c, y, x)]).abs() < 1e-4,
            "{value} of {} with {share} at {c}, {y}, {x}",
            near[(c, y, x)]
        );
    }
    let count = |range: std::ops::RangeInclusive<f32>| {
        shares.iter().filter(|share| range.contains(share)).count()
    };
    assert!(count(0.9..=1.0) > 1000 && count(0.0..=0.8) > 100, "{shares:?}");
}

#[test]
fn only_residuals_are_confirmed() {
    let model = Model::joint();
    let error = Restorer::builder(&model.manifest()).confirm(true).build(model.files());
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Options);
    assert!(error.to_string().contains("pred_res"), "{error}");
}

#[test]
fn can_be_stopped() {
    let model = Model::joint();
    let restorer = Restorer::builder(&model.manifest()).build(model.files()).unwrap();
    let picture = picture(3, 16, 16);
    let mut calls = 0;
    let on_progress = &mut |_: Progress| {
        calls += 1;
        if calls == 3 { Control::Stop } else { Control::Continue }
    };
    let error = restorer.restore_ensemble(picture.view(), None, on_progress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
