//! The tiles of the zoo's models: the picture is the same whatever their size and the threads, and nothing shows where
//! they meet. `docs/decisions/tiles.md` says how their overlap was chosen.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ndarray::{Array3, Axis, s};
use rddm_metrics::quantise;
use rddm_runtime::{Control, Restorer, RestorerBuilder};
use rddm_tests::{published, root};
use rddm_train::data::Picture8;
use rddm_zoo::ResolvedModel;

/// A model and the example that it is for.
const MODELS: [(&str, &str); 4] = [
    ("derain", "rainy.png"),
    ("derain-tiny", "rainy.png"),
    ("denoise", "noisy.png"),
    ("deblur", "blurred.png"),
];

fn restorer(
    model: &ResolvedModel,
    with: impl FnOnce(RestorerBuilder<'_>) -> RestorerBuilder<'_>,
) -> Restorer {
    with(Restorer::builder(&model.manifest).seed(7))
        .build(model.networks.iter().map(|network| &network.bytes))
        .unwrap()
}

fn restore(restorer: &Restorer, picture: &Array3<f32>) -> Array3<f32> {
    restorer.restore(picture.view(), None, &mut |_| Control::Continue).unwrap()
}

/// The example beside and above its mirror images, so that no edge is where there was none.
fn real(file: &str) -> Array3<f32> {
    let one = Picture8::read_at_least(&root().join("examples/pictures").join(file), 1).unwrap();
    let one = one.whole();
    let (_, height, width) = one.dim();
    let mirror = |at: usize, length: usize| match at / length % 2 {
        0 => at % length,
        _ => length - 1 - at % length,
    };
    Array3::from_shape_fn((3, 3 * height, 3 * width), |(c, y, x)| {
        one[(c, mirror(y, height), mirror(x, width))]
    })
}

fn gradient(height: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_fn((3, height, width), |(c, y, x)| {
        0.2 + 0.3 * (x as f32 / width as f32) + (0.1 + 0.1 * c as f32) * (y as f32 / height as f32)
    })
}

/// The largest step from one line to the next across the borders of tiles, and elsewhere; in levels of 8 bits.
fn steps(picture: &Array3<f32>, borders: &[Vec<usize>; 2]) -> [f32; 2] {
    let mut largest = [0.0_f32; 2];
    for (axis, borders) in borders.iter().enumerate() {
        for line in 1..picture.len_of(Axis(1 + axis)) {
            let of = |at: usize| picture.index_axis(Axis(1 + axis), at);
            let step =
                (&of(line) - &of(line - 1)).iter().fold(0.0_f32, |most, d| most.max(d.abs()));
            let place = &mut largest[usize::from(!borders.contains(&line))];
            *place = place.max(step * 255.0);
        }
    }
    largest
}

#[test]
fn every_tile_size_gives_the_picture_of_one_pass() {
    for (name, file) in MODELS {
        let (model, degraded) = (published(name), real(file));
        let whole = restore(&restorer(&model, |builder| builder.tile(4096)), &degraded);
        let levels = quantise(whole.view());
        let (_, height, width) = degraded.dim();
        for tile in [128, 256, 512] {
            let tiled = restorer(&model, |builder| builder.tile(tile));
            let borders = tiled.tile_borders([height, width]).unwrap();
            assert!(borders.iter().any(|borders| !borders.is_empty()), "{tile} is one tile");
            let result = restore(&tiled, &degraded);
            let quantised = quantise(result.view());
            let far = |(a, b): &(&f32, &f32)| ((*a - *b) * 255.0).abs() > 1.5;
            let off = quantised.iter().zip(&levels).filter(far).count();
            let share = off as f64 / levels.len() as f64;
            assert!(share <= 0.001, "{name}, tiles of {tile}: {:.3} % are off", share * 100.0);
            // What tiles add to the steps of the picture is largest at their borders.
            let [seam, _] = steps(&(&result - &whole), &borders);
            assert!(seam <= 2.0, "{name}, tiles of {tile}: a seam of {seam:.2} levels");
            let [across, elsewhere] = steps(&result, &borders);
            assert!(across <= elsewhere, "{name}, tiles of {tile}: {across:.2}, {elsewhere:.2}");
        }
    }
}

#[test]
fn no_seam_shows_in_a_gradient() {
    const MARGIN: usize = 80;
    for (name, _) in MODELS {
        let model = published(name);
        let degraded = gradient(480, 640);
        for tile in [128, 256] {
            let tiled = restorer(&model, |builder| builder.tile(tile));
            let [rows, columns] = tiled.tile_borders([480, 640]).unwrap();
            // The picture's own border is a step for the network; look at the rest.
            let inner = restore(&tiled, &degraded);
            let inner = inner.slice(s![.., MARGIN..480 - MARGIN, MARGIN..640 - MARGIN]).to_owned();
            let borders = [(rows, 480), (columns, 640)].map(|(borders, length)| {
                let inner =
                    borders.into_iter().filter(|at| (MARGIN + 1..length - MARGIN).contains(at));
                inner.map(|at| at - MARGIN).collect::<Vec<_>>()
            });
            assert!(borders.iter().any(|borders| !borders.is_empty()));
            let [across, elsewhere] = steps(&inner, &borders);
            // A hundredth of a level is what sums in another order give.
            assert!(
                across <= elsewhere + 0.01,
                "{name}, tiles of {tile}: {across:.4}, {elsewhere:.4}"
            );
        }
    }
}

#[test]
fn two_threads_give_the_same_values() {
    for (name, file) in MODELS {
        let (model, degraded) = (published(name), real(file));
        let degraded = degraded.slice(s![.., ..300, ..500]).to_owned();
        let of = |threads| restore(&restorer(&model, |b| b.tile(128).threads(threads)), &degraded);
        assert_eq!(of(1), of(2), "{name}");
    }
}
