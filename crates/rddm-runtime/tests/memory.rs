//! Memory is known before work, bounded by tiles and width, and kept.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use rddm_runtime::{Control, MemoryEstimate, Restorer, RestorerBuilder};
use support::Model;

fn estimate(
    size: [usize; 2],
    options: impl FnOnce(RestorerBuilder<'_>) -> RestorerBuilder<'_>,
) -> MemoryEstimate {
    let model = Model { tile: 256, overlap: 32, steps: 5, ..Model::joint() };
    let manifest = model.manifest();
    options(Restorer::builder(&manifest))
        .build(model.files())
        .unwrap()
        .memory_estimate(size)
        .unwrap()
}

#[test]
fn height_costs_nothing() {
    let of = |height| estimate([height, 4000], |options| options);
    let (short, tall) = (of(3000), of(30_000));
    // The tiles are spread evenly, so their rows differ a little.
    let ratio = tall.bytes as f64 / short.bytes as f64;
    assert!((0.9..1.1).contains(&ratio), "{short:?} {tall:?}");
    assert!(short.bytes < 400_000_000, "{short:?}");
}

#[test]
fn smaller_tiles_and_fewer_threads_take_less() {
    let big = estimate([3000, 4000], |options| options.tile(512));
    let small = estimate([3000, 4000], |options| options.tile(64));
    assert!(small.bytes < big.bytes / 2, "{small:?} {big:?}");
    let more = estimate([3000, 4000], |options| options.threads(8));
    let one = estimate([3000, 4000], |options| options);
    assert!(more.networks > 4 * one.networks, "{more:?} {one:?}");
    let mirrored = estimate([3000, 4000], |options| options.mirror(true));
    assert!(mirrored.networks > one.networks, "{mirrored:?} {one:?}");
}

#[test]
fn the_tile_follows_what_is_allowed() {
    let free = estimate([9000, 12_000], |options| options);
    let kept = estimate([9000, 12_000], |options| options.max_memory(250_000_000));
    assert!(free.bytes > 250_000_000, "{free:?}");
    assert!(kept.bytes <= 250_000_000, "{kept:?}");
    assert!(kept.tile < free.tile, "{kept:?} {free:?}");
}

#[test]
fn many_steps_are_looked_through_at_once() {
    let model = Model { tile: 256, ..Model::joint() };
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).steps(1000).build(model.files()).unwrap();
    let begun = std::time::Instant::now();
    restorer.least_memory([8000, 100]).unwrap();
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

#[test]
fn finished_tiles_that_wait_and_threads_themselves_are_counted() {
    let of = |threads| estimate([4000, 4000], |options| options.threads(threads)).networks;
    let core = 240 * 240 * 3 * size_of::<f32>() as u64;
    // One thread works on a tile or holds a finished one; a further thread holds two of them.
    assert!(of(3) - of(2) >= of(1) + core + 2_000_000);
}

/// The process grows by no more than the estimate and the allocator's slack.
#[cfg(target_os = "linux")]
#[test]
fn what_is_used_is_what_was_said() {
    fn kilobytes(key: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    }
    let model = Model { tile: 128, overlap: 8, steps: 1, ..Model::joint() };
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).mirror(true).build(model.files()).unwrap();
    let [height, width] = [2000, 3000];
    let said = restorer.memory_estimate([height, width]).unwrap().bytes;
    let before = kilobytes("VmRSS:") * 1024;
    let mut source = |y: usize, row: &mut [f32]| {
        row.fill((y % 7) as f32 / 7.0);
        Ok(())
    };
    let mut peak = 0;
    let mut sink = |_: usize, _: &[f32]| {
        peak = peak.max(kilobytes("VmRSS:") * 1024);
        Ok(())
    };
    let mut go = |_| Control::Continue;
    restorer.restore_rows([3, height, width], &mut source, &mut sink, &mut go).unwrap();
    let used = peak.saturating_sub(before);
    // One copy of the picture alone is 72 MB.
    assert!(said < 40_000_000, "said {said}");
    assert!(used < said + 20_000_000, "said {said}, used {used}");
}
