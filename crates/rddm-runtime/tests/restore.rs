//! Pictures come out the same however they are cut, and equal to a plain loop over the sampler.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use ndarray::{Array2, Array3, Array4, ArrayView3, Axis, s};
use rddm_core::{NoiseField, Sampler, SamplerSpec};
use rddm_runtime::{Control, EngineOptions, ErrorKind, Network, Restorer, RestorerBuilder, engine};
use support::{Model, TinyNet, picture};

const SEED: u64 = 5;

fn go(_: rddm_runtime::Progress) -> Control {
    Control::Continue
}

fn restored(
    model: &Model,
    picture: ArrayView3<'_, f32>,
    options: impl FnOnce(RestorerBuilder<'_>) -> RestorerBuilder<'_>,
) -> Array3<f32> {
    let manifest = model.manifest();
    let mask = Array2::from_shape_fn((picture.dim().1, picture.dim().2), |(y, x)| {
        if (x + y) % 9 < 4 { 1.0 } else { 0.0 }
    });
    let mask = model.mask.then(|| mask.view());
    options(Restorer::builder(&manifest).seed(SEED))
        .build(model.files())
        .unwrap()
        .restore(picture, mask, &mut go)
        .unwrap()
}

fn farthest(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The same from first principles: pad, loop over the steps of the whole picture, crop.
fn plain(model: &Model, picture: &Array3<f32>) -> Array3<f32> {
    let options = EngineOptions::default();
    let mut networks: Vec<Box<dyn Network>> = model
        .files()
        .iter()
        .map(|onnx| engine("tract").unwrap().load(onnx, &options).unwrap())
        .collect();
    let (channels, height, width) = picture.dim();
    let (tall, wide) =
        (height.next_multiple_of(model.multiple), width.next_multiple_of(model.multiple));
    let mirror = |at: usize, length: usize| {
        let folded = at % (2 * length - 2).max(1);
        if folded < length { folded } else { 2 * length - 2 - folded }
    };
    let planes = channels + usize::from(model.mask);
    let input = Array3::from_shape_fn((planes, tall, wide), |(c, y, x)| {
        let (y, x) = (mirror(y, height), mirror(x, width));
        let value = match picture.get((c, y, x)) {
            Some(value) => *value,
            None => f32::from((x + y) % 9 < 4),
        };
        value * 2.0 - 1.0
    });
    let spec = SamplerSpec {
        steps: model.steps,
        eta: model.eta,
        time_encoding: model.time_encoding.parse().unwrap(),
        objective: model.objective.parse().unwrap(),
        ..SamplerSpec::default()
    };
    let sampler = Sampler::new(spec).unwrap();
    let noise = |draw: u32| {
        let mut values = Array3::zeros((channels, tall, wide));
        for c in 0..channels {
            for y in 0..tall {
                let mut row = values.slice_mut(s![c, y, ..]);
                NoiseField::new(SEED).fill(draw, c, y, 0, row.as_slice_mut().unwrap());
            }
        }
        values
    };
    let colours = input.slice(s![..channels, .., ..]).to_owned();
    let colours = colours.as_slice().unwrap();
    let mut now = Array3::zeros((channels, tall, wide));
    sampler.start(colours, noise(0).as_slice().unwrap(), now.as_slice_mut().unwrap()).unwrap();
    for (index, step) in sampler.steps().iter().enumerate() {
        let both = ndarray::concatenate(Axis(0), &[now.view(), input.view()]).unwrap();
        let x: Array4<f32> = both.insert_axis(Axis(0)).as_standard_layout().to_owned();
        let outputs: Vec<Array4<f32>> = match networks.as_mut_slice() {
            [joint] => joint.run(x.view(), &step.times[..1]).unwrap(),
            [residual, noise] => {
                let mut outputs = residual.run(x.view(), &step.times[..1]).unwrap();
                outputs.extend(noise.run(x.view(), &step.times[1..]).unwrap());
                outputs
            }
            _ => unreachable!(),
        };
        let z = noise(step.draw);
        let (first, second) = (&outputs[0], outputs.get(1));
        sampler
            .step(
                index,
                now.as_slice_mut().unwrap(),
                colours,
                first.as_slice().unwrap(),
                second.map(|second| second.as_slice().unwrap()),
                Some(z.as_slice().unwrap()),
            )
            .unwrap();
    }
    let mut restored =
        now.slice(s![.., ..height, ..width]).mapv(|value| (value / 2.0 + 0.5).clamp(0.0, 1.0));
    // What a mask leaves out is kept.
    for ((c, y, x), value) in restored.indexed_iter_mut() {
        if model.mask && (x + y) % 9 >= 4 {
            *value = picture[(c, y, x)];
        }
    }
    restored
}

/// One level of 8 bits is 0.0039; what differs here is the order of sums alone.
const ROUNDING: f32 = 2e-5;

#[test]
fn every_cut_gives_the_picture_of_a_plain_loop() {
    for model in [Model::joint(), Model::two_networks(), Model::masked()] {
        let degraded = picture(3, 101, 139);
        let expected = plain(&model, &degraded);
        assert!(farthest(&expected, &degraded) > 0.1, "the network does nothing");
        for tile in [8, 20, 32, 64, 1000] {
            for threads in [1, 3] {
                let got = restored(&model, degraded.view(), |options| {
                    options.tile(tile).threads(threads)
                });
                let far = farthest(&got, &expected);
                assert!(far < ROUNDING, "tile {tile}, {threads} threads: {far}");
            }
        }
    }
}

#[test]
fn what_a_mask_leaves_out_is_kept_to_the_last_step_of_16_bits() {
    let model = Model::masked();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
    let values = (0..=u16::MAX).cycle().map(|value| f32::from(value) / 65535.0);
    let degraded = Array3::from_shape_vec((3, 148, 148), values.take(3 * 148 * 148).collect());
    let (degraded, mask) = (degraded.unwrap(), Array2::zeros((148, 148)));
    let (view, mask) = (degraded.view(), Some(mask.view()));
    let steps = |picture: &Array3<f32>| picture.mapv(|value| (value * 65535.0).round());
    assert!(steps(&restorer.restore(view, mask, &mut go).unwrap()) == steps(&degraded));
    assert!(steps(&restorer.restore_ensemble(view, mask, &mut go).unwrap()) == steps(&degraded));
}

#[test]
fn pictures_of_any_size() {
    let model = Model::joint();
    for (height, width) in
        [(1, 1), (1, 2), (2, 1), (1, 97), (97, 1), (3, 5), (13, 31), (8, 8), (67, 53)]
    {
        let degraded = picture(3, height, width);
        let got = restored(&model, degraded.view(), |options| options);
        let far = farthest(&got, &plain(&model, &degraded));
        assert!(far < ROUNDING, "{height}×{width}: {far}");
    }
}

#[test]
fn padding_by_the_edge_differs_from_reflection() {
    let degraded = picture(3, 5, 7);
    let edge = Model { padding: "edge", ..Model::joint() };
    let far = farthest(
        &restored(&edge, degraded.view(), |options| options),
        &restored(&Model::joint(), degraded.view(), |options| options),
    );
    assert!(far > ROUNDING, "{far}");
}

#[test]
fn less_overlap_than_the_network_sees_shows() {
    let model = Model { multiple: 2, ..Model::joint() };
    let degraded = picture(3, 96, 96);
    let whole = restored(&model, degraded.view(), |options| options.tile(1000));
    let cut = restored(&model, degraded.view(), |options| options.tile(32).overlap(0));
    assert!(farthest(&whole, &cut) > 1.0 / 255.0);
}

#[test]
fn seeds_and_steps_matter() {
    let model = Model::joint();
    let degraded = picture(3, 24, 24);
    let base = restored(&model, degraded.view(), |options| options);
    let again = restored(&model, degraded.view(), |options| options);
    assert_eq!(base, again);
    for other in [
        restored(&model, degraded.view(), |options| options.seed(SEED + 1)),
        restored(&model, degraded.view(), |options| options.steps(1)),
        restored(&model, degraded.view(), |options| options.eta(0.0)),
        restored(&model, degraded.view(), |options| {
            options.objective(rddm_core::Objective::PredRes)
        }),
        restored(&model, degraded.view(), |options| {
            options.objective(rddm_core::Objective::PredNoise)
        }),
    ] {
        assert!(farthest(&base, &other) > ROUNDING);
    }
}

#[test]
fn an_objective_of_one_output_uses_that_output_alone() {
    for (objective, output) in
        [(rddm_core::Objective::PredRes, "residual"), (rddm_core::Objective::PredNoise, "noise")]
    {
        let both = Model::two_networks();
        let one = Model {
            networks: both.networks.iter().filter(|(role, _)| *role == output).cloned().collect(),
            objective: objective.name(),
            ..both.clone()
        };
        let degraded = picture(3, 24, 24);
        let got = restored(&both, degraded.view(), |options| options.objective(objective));
        let alone = restored(&one, degraded.view(), |options| options);
        assert_eq!(got, alone, "{objective}");
    }
}

#[test]
fn a_network_of_the_noise_alone_is_told_the_noises_time_whatever_its_role() {
    let of = |role| {
        let networks = vec![(role, TinyNet::single("noise"))];
        let model = Model { networks, objective: "pred_noise", ..Model::two_networks() };
        restored(&model, picture(3, 24, 24).view(), |options| options)
    };
    assert_eq!(of("joint"), of("noise"));
}

#[test]
fn strength_goes_from_the_input_to_the_restored() {
    let model = Model::joint();
    let degraded = picture(3, 33, 20);
    let of = |strength| restored(&model, degraded.view(), |options| options.strength(strength));
    let (none, half, full) = (of(0.0), of(0.5), of(1.0));
    assert!(farthest(&none, &degraded) < 1e-6);
    assert!(farthest(&half, &((&degraded + &full) / 2.0)) < 1e-6);
}

#[test]
fn grey_is_the_mean_of_three_equal_channels() {
    let model = Model::joint();
    let grey = picture(1, 30, 41);
    let colour = ndarray::concatenate(Axis(0), &[grey.view(), grey.view(), grey.view()]).unwrap();
    // A cut in the range of a picture does not commute with the mean, so stay within it.
    let soft = 0.2;
    let got = restored(&model, grey.view(), |options| options.strength(soft));
    let three = restored(&model, colour.view(), |options| options.strength(soft));
    let mean = three.mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
    assert_eq!(got.dim(), (1, 30, 41));
    assert!(farthest(&got, &mean) < 1e-5);
}

#[test]
fn rows_give_the_same_as_arrays() {
    let model = Model::masked();
    let degraded = picture(3, 150, 70);
    let expected = restored(&model, degraded.view(), |options| options);
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).seed(SEED).build(model.files()).unwrap();
    let mut got = Array3::<f32>::zeros(degraded.dim());
    let (mut read, mut ahead, mut written) = (0, 0, 0);
    let reads = std::cell::Cell::new(0);
    let mut source = |y: usize, row: &mut [f32]| {
        assert_eq!(y, read);
        read += 1;
        reads.set(read);
        for c in 0..3 {
            for x in 0..70 {
                row[c * 70 + x] = degraded[(c, y, x)];
            }
        }
        for x in 0..70 {
            row[3 * 70 + x] = f32::from((x + y) % 9 < 4);
        }
        Ok(())
    };
    let mut sink = |y: usize, row: &[f32]| {
        assert_eq!(y, written);
        written += 1;
        ahead = ahead.max(reads.get() - written);
        for c in 0..3 {
            for x in 0..70 {
                got[(c, y, x)] = row[c * 70 + x];
            }
        }
        Ok(())
    };
    restorer.restore_rows([3, 150, 70], &mut source, &mut sink, &mut go).unwrap();
    assert_eq!((read, written), (150, 150));
    assert_eq!(got, expected);
    assert!(ahead < 150, "all was read before anything was written");
}

#[test]
fn generation_depends_on_the_seed_alone() {
    let model = Model::generator();
    let manifest = model.manifest();
    let of = |threads: usize, tile: usize, seed: u64| {
        let options = Restorer::builder(&manifest).threads(threads).tile(tile);
        options.build(model.files()).unwrap().generate([50, 37], seed, &mut go).unwrap()
    };
    let base = of(1, 1000, 3);
    assert_eq!(base.dim(), (3, 50, 37));
    assert!(farthest(&base, &of(2, 16, 3)) < ROUNDING);
    assert!(farthest(&base, &of(1, 1000, 4)) > 0.1);

    // Nobody asked for tiles, which do not fit together.
    let model = Model { overlap: 0, ..model };
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).build(model.files()).unwrap();
    assert_eq!(restorer.generate([50, 37], 3, &mut go).unwrap(), base);
    let estimate = restorer.memory_estimate([50, 37]).unwrap();
    assert_eq!((estimate.tile, estimate.tiles), (50, 1));
    let of_tiles = Restorer::builder(&manifest).tile(32).build(model.files()).unwrap();
    assert!(farthest(&of_tiles.generate([50, 37], 3, &mut go).unwrap(), &base) > 0.1);

    let error = restorer.generate([1 << 24, 1 << 24], 3, &mut go).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Memory);
    assert!(error.to_string().contains("16777216×16777216"), "{error}");
}

#[test]
fn one_restorer_serves_several_threads() {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).threads(2).seed(SEED).build(model.files()).unwrap();
    let degraded = picture(3, 60, 60);
    let expected = restorer.restore(degraded.view(), None, &mut go).unwrap();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| restorer.restore(degraded.view(), None, &mut go).unwrap()))
            .collect();
        for one in all {
            assert_eq!(one.join().unwrap(), expected);
        }
    });
}

/// What is told of the progress may ask for another restoration itself: no thread of the pool waits for it.
#[test]
fn a_restoration_may_be_asked_for_in_the_middle_of_another() {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer =
        Restorer::builder(&manifest).threads(2).tile(16).seed(SEED).build(model.files()).unwrap();
    let (large, small) = (picture(3, 160, 160), picture(3, 40, 40));
    let expected = restorer.restore(small.view(), None, &mut go).unwrap();
    let mut asked = 0;
    let mut inside = |_| {
        if asked < 2 {
            asked += 1;
            assert_eq!(restorer.restore(small.view(), None, &mut go).unwrap(), expected);
        }
        Control::Continue
    };
    restorer.restore(large.view(), None, &mut inside).unwrap();
    assert_eq!(asked, 2);
}

#[test]
fn every_step_is_shown() {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).seed(SEED).threads(2).build(model.files()).unwrap();
    let degraded = picture(3, 90, 70);
    let mut last = None;
    let mut times = Vec::new();
    let got = restorer
        .restore_with_steps(degraded.view(), None, &mut go, &mut |view| {
            assert_eq!(view.step, times.len());
            assert_eq!(view.residual.dim(), (3, 90, 70));
            assert!(view.residual.iter().all(|value| value.abs() <= 1.0));
            assert!(view.noise.iter().any(|value| *value != 0.0));
            times.push(view.time);
            last = Some(view.picture.mapv(|value| (value / 2.0 + 0.5).clamp(0.0, 1.0)));
            Control::Continue
        })
        .unwrap();
    assert_eq!(times, [999, 665, 332]);
    assert!(farthest(&got, &last.unwrap()) < 1e-6);
    assert!(farthest(&got, &restored(&model, degraded.view(), |options| options)) < ROUNDING);
}

#[test]
fn loaded_networks_are_shared_by_other_options() {
    let model = Model::joint();
    let manifest = model.manifest();
    let input = picture(3, 40, 53);
    let loaded = Restorer::builder(&manifest).threads(2).build(model.files()).unwrap();
    fn with(builder: RestorerBuilder<'_>) -> RestorerBuilder<'_> {
        builder.steps(2).eta(0.5).seed(9).strength(0.5).tile(16)
    }
    let shared = with(Restorer::builder(&manifest)).share(&loaded).unwrap();
    assert_eq!((shared.sampler().steps, shared.seed(), shared.threads()), (2, 9, 2));
    let own = with(Restorer::builder(&manifest).threads(2)).build(model.files()).unwrap();
    let restore = |restorer: &Restorer| restorer.restore(input.view(), None, &mut go).unwrap();
    assert_eq!(restore(&shared), restore(&own));
    // The first is as it was.
    let again = Restorer::builder(&manifest).build(model.files()).unwrap();
    assert_eq!(restore(&loaded), restore(&again));

    let refused = |builder: RestorerBuilder<'_>| builder.share(&loaded).err().unwrap().kind();
    assert_eq!(refused(Restorer::builder(&manifest).strength(9.0)), ErrorKind::Options);
    assert_eq!(refused(Restorer::builder(&manifest).steps(0)), ErrorKind::Options);
    let mut other = manifest.clone();
    other.networks[0].size += 1;
    assert_eq!(refused(Restorer::builder(&other)), ErrorKind::Options);
    let mut other = manifest.clone();
    other.picture.multiple *= 2;
    assert_eq!(refused(Restorer::builder(&other)), ErrorKind::Options);
}
