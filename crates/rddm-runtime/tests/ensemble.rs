//! The self-ensemble against the same with copies that are turned by hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use ndarray::{Array2, Array3};
use rddm_runtime::{Control, ErrorKind, Progress, Restorer};
use support::{Model, picture};

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
