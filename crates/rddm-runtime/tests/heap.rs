//! What is said of the memory is enough where a network's own share is most of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unsafe_code, reason = "an allocator is")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rddm_manifest::Manifest;
use rddm_runtime::{Control, Restorer};

/// The system's allocator, which counts.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn making_a_network_ready_is_counted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for id in ["denoise-tiny", "derain", "shadow"] {
        let manifest = std::fs::read_to_string(root.join(format!("manifests/{id}.toml"))).unwrap();
        let manifest = Manifest::parse(&manifest).unwrap();
        let network = std::fs::read(root.join(format!("zoo/{id}/{id}.onnx"))).unwrap();
        for side in [3, 64] {
            let restorer = Restorer::builder(&manifest).build([&network]).unwrap();
            let said = restorer.memory_estimate([side, side]).unwrap().bytes;
            let held = HELD.load(Relaxed);
            MOST.store(held, Relaxed);
            let mut source = |_: usize, row: &mut [f32]| {
                row.fill(0.5);
                Ok(())
            };
            let mut sink = |_: usize, _: &[f32]| Ok(());
            let mut go = |_| Control::Continue;
            restorer.restore_rows([3, side, side], &mut source, &mut sink, &mut go).unwrap();
            let used = (MOST.load(Relaxed) - held) as u64;
            assert!((said / 2..=said).contains(&used), "{id} {side}: said {said}, used {used}");
        }
    }
}
