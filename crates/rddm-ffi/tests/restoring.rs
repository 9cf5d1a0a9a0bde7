//! What C gets is what Rust gets, and what it does wrong it is told.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    reason = "the functions under test are C's, and are given what their header asks for unless the test says otherwise"
)]

use std::ffi::{CStr, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

use rddm::*;
use rddm_image::{Limits, Picture as Decoded};
use rddm_manifest::{Digest, Manifest};
use rddm_runtime::{Control, Restorer};

const NO_OPTIONS: Options = Options {
    engine: null(),
    device: null(),
    library: null(),
    seed: 0,
    max_memory: 0,
    steps: 0,
    threads: 1,
    tile: 0,
    mirror: 0,
    confirm: 0,
    strength: 0.0,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).unwrap()
}

fn example(name: &str) -> Decoded {
    rddm_image::read(root().join("examples/pictures").join(name), &Limits::default()).unwrap()
}

/// Pixels as C has them, with a gap behind each row.
struct Frame {
    bytes: Vec<u8>,
    shape: Picture,
}

const GAP: usize = 5;

impl Frame {
    fn of(picture: &Decoded, channels: usize) -> Self {
        let (_, height, width) = picture.pixels.dim();
        let stride = width * channels + GAP;
        let mut bytes = vec![0xa5; stride * height];
        for ((channel, y, x), value) in picture.pixels.indexed_iter() {
            if channel < channels {
                bytes[y * stride + x * channels + channel] = (value * 255.0).round() as u8;
            }
        }
        let shape = Picture { data: bytes.as_ptr(), width, height, channels, stride };
        Self { bytes, shape }
    }
}

struct Opened(*mut Handle);

impl Drop for Opened {
    fn drop(&mut self) {
        unsafe { rddm_close(self.0) };
    }
}

fn bytes(of: &[u8]) -> Bytes {
    Bytes { data: of.as_ptr(), length: of.len() }
}

fn open(manifest: &[u8], network: &[u8], options: *const Options) -> Result<Opened, Status> {
    let mut handle = null_mut();
    let status =
        unsafe { rddm_open(bytes(manifest), &bytes(network), 1, options, &raw mut handle) };
    assert_eq!(handle.is_null(), status != Status::Ok);
    if status == Status::Ok { Ok(Opened(handle)) } else { Err(status) }
}

fn model(id: &str, options: *const Options) -> Result<Opened, Status> {
    let manifest = file(&format!("manifests/{id}.toml"));
    open(&manifest, &file(&format!("zoo/{id}/{id}.onnx")), options)
}

fn said() -> String {
    unsafe { CStr::from_ptr(rddm_error()) }.to_str().unwrap().to_owned()
}

fn restore(opened: &Opened, frame: &Frame, mask: *const Picture) -> (Status, Vec<u8>) {
    let mut out = frame.bytes.clone();
    let (shape, stride) = (&raw const frame.shape, frame.shape.stride);
    let status =
        unsafe { rddm_restore(opened.0, shape, mask, out.as_mut_ptr(), stride, None, null_mut()) };
    (status, out)
}

fn in_rust(id: &str, frame: &Decoded, mask: Option<&Decoded>) -> Decoded {
    let manifest =
        Manifest::parse(std::str::from_utf8(&file(&format!("manifests/{id}.toml"))).unwrap());
    let manifest = manifest.unwrap();
    let network = file(&format!("zoo/{id}/{id}.onnx"));
    let restorer = Restorer::builder(&manifest).build([network]).unwrap();
    let mask = mask.map(|mask| mask.pixels.index_axis(ndarray::Axis(0), 0));
    let go_on = &mut |_| Control::Continue;
    Decoded::new(restorer.restore(frame.pixels.view(), mask, go_on).unwrap())
}

#[test]
fn colour_grey_and_masked_pictures_come_out_as_in_rust() {
    let rainy = example("rainy.png");
    let derain = model("derain-tiny", &NO_OPTIONS).unwrap();
    assert!(!unsafe { rddm_needs_mask(derain.0) });
    let (status, out) = restore(&derain, &Frame::of(&rainy, 3), null());
    assert_eq!(status, Status::Ok, "{}", said());
    assert!(out == Frame::of(&in_rust("derain-tiny", &rainy, None), 3).bytes);

    let grey = Decoded::new(rainy.pixels.slice_move(ndarray::s![..1, .., ..]));
    let (status, out) = restore(&derain, &Frame::of(&grey, 1), null());
    assert_eq!(status, Status::Ok, "{}", said());
    assert!(out == Frame::of(&in_rust("derain-tiny", &grey, None), 1).bytes);

    let [shaded, mask] = ["shaded.png", "shaded.mask.png"].map(example);
    let by_mask = model("shadow-mask", null()).unwrap();
    assert!(unsafe { rddm_needs_mask(by_mask.0) });
    let marks = Frame::of(&mask, 1);
    let (status, out) = restore(&by_mask, &Frame::of(&shaded, 3), &raw const marks.shape);
    assert_eq!(status, Status::Ok, "{}", said());
    assert!(out == Frame::of(&in_rust("shadow-mask", &shaded, Some(&mask)), 3).bytes);
    assert_eq!(said(), "");
}

#[test]
fn the_stack_that_the_header_asks_for_is_enough() {
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let rainy = example("rainy.png");
    let restored = thread.spawn(move || {
        let derain = model("derain", &NO_OPTIONS).unwrap();
        restore(&derain, &Frame::of(&rainy, 3), null()).0
    });
    assert_eq!(restored.unwrap().join().unwrap(), Status::Ok);
}

#[test]
fn a_model_is_what_its_manifest_and_the_files_allow() {
    let manifest = String::from_utf8(file("manifests/derain-tiny.toml")).unwrap();
    let network = file("zoo/derain-tiny/derain-tiny.onnx");
    let newer = manifest.replace("least_runtime = \"0.1.0\"", "least_runtime = \"99.0.0\"");
    assert_eq!(open(newer.as_bytes(), &network, null()).err(), Some(Status::Options));
    assert!(said().contains("99.0.0"), "{}", said());
    // The narrow one of two precisions alone.
    let (before, rest) = manifest.split_once("[[networks]]\n").unwrap();
    let (own, after) = rest.split_once("\n[").unwrap();
    let wide = own.replace("fp16", "fp32").replace(&Digest::of(&network).hex(), &"0".repeat(64));
    let both = format!("{before}[[networks]]\n{wide}\n[[networks]]\n{own}\n[{after}");
    assert!(open(both.as_bytes(), &network, null()).is_ok(), "{}", said());
}

#[test]
fn memory_is_told_and_kept() {
    let (mut free, mut kept) = (0, 0);
    let derain = model("derain-tiny", &NO_OPTIONS).unwrap();
    assert_eq!(unsafe { rddm_memory(derain.0, 2000, 1000, &raw mut free) }, Status::Ok);
    let options = Options { max_memory: free / 2, ..NO_OPTIONS };
    let derain = model("derain-tiny", &raw const options).unwrap();
    assert_eq!(unsafe { rddm_memory(derain.0, 2000, 1000, &raw mut kept) }, Status::Ok);
    assert!(kept > 0 && kept <= free / 2, "{kept} of {free}");
    let options = Options { max_memory: 1000, ..NO_OPTIONS };
    let derain = model("derain-tiny", &raw const options).unwrap();
    let status = unsafe { rddm_memory(derain.0, 2000, 1000, &raw mut kept) };
    assert_eq!(status, Status::Memory, "{}", said());
}

#[test]
fn it_stops_when_it_is_told_to() {
    extern "C" fn stop(user: *mut c_void, fraction: f64) -> bool {
        let seen = unsafe { &mut *user.cast::<Vec<f64>>() };
        seen.push(fraction);
        seen.len() < 2
    }
    let options = Options { tile: 64, ..NO_OPTIONS };
    let derain = model("derain-tiny", &raw const options).unwrap();
    let frame = Frame::of(&example("rainy.png"), 3);
    let (mut out, mut seen) = (frame.bytes.clone(), Vec::<f64>::new());
    let user = (&raw mut seen).cast();
    let (shape, stride) = (&raw const frame.shape, frame.shape.stride);
    let status = unsafe {
        rddm_restore(derain.0, shape, null(), out.as_mut_ptr(), stride, Some(stop), user)
    };
    assert_eq!(status, Status::Cancelled, "{}", said());
    assert!(seen.len() == 2 && seen[0] > 0.0 && seen[0] < seen[1], "{seen:?}");
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |status: Status, asked: Result<Opened, Status>, text: &str| {
        assert_eq!(asked.err(), Some(status), "{}", said());
        assert!(said().contains(text), "{}", said());
    };
    let manifest = file("manifests/derain-tiny.toml");
    let mut network = file("zoo/derain-tiny/derain-tiny.onnx");
    refused(Status::Manifest, open(b"schema = 1", &network, null()), "manifest");
    refused(Status::Manifest, open(b"\xff", &network, null()), "UTF-8");
    network[100] ^= 1;
    refused(Status::Integrity, open(&manifest, &network, null()), "sha256");
    let asked = |options: Options| model("derain-tiny", &raw const options);
    refused(Status::Engine, asked(Options { engine: c"none".as_ptr(), ..NO_OPTIONS }), "none");
    refused(Status::Device, asked(Options { device: c"gpu".as_ptr(), ..NO_OPTIONS }), "gpu");
    refused(Status::Options, asked(Options { steps: 5000, ..NO_OPTIONS }), "steps");
    refused(Status::Options, asked(Options { mirror: 7, ..NO_OPTIONS }), "mirror");
    refused(Status::Options, asked(Options { confirm: 7, ..NO_OPTIONS }), "confirm");
    refused(Status::Options, asked(Options { strength: -1.0, ..NO_OPTIONS }), "strength");
    refused(Status::Options, model("faces64", &NO_OPTIONS), "faces64 draws");
    let nothing = Bytes { data: null(), length: 4 };
    let mut handle = null_mut();
    let status = unsafe { rddm_open(nothing, &nothing, 1, null(), &raw mut handle) };
    assert_eq!((status, said().as_str()), (Status::Argument, "a network is null"));
    let status = unsafe { rddm_open(nothing, &nothing, 1, null(), null_mut()) };
    assert_eq!((status, said().as_str()), (Status::Argument, "restorer is null"));
    unsafe { rddm_close(null_mut()) };

    let derain = model("derain-tiny", null()).unwrap();
    assert_eq!(said(), "");
    let rainy = example("rainy.png");
    let refused = |change: &dyn Fn(&mut Picture), status: Status, text: &str| {
        let mut frame = Frame::of(&rainy, 3);
        change(&mut frame.shape);
        assert_eq!(restore(&derain, &frame, null()).0, status, "{}", said());
        assert!(said().contains(text), "{}", said());
    };
    refused(&|shape| shape.data = null(), Status::Argument, "picture is null");
    refused(&|shape| shape.channels = 4, Status::Argument, "1 or 3 channels");
    refused(&|shape| shape.width = 0, Status::Argument, "0×");
    refused(&|shape| shape.stride = shape.width, Status::Argument, "stride");
    refused(&|shape| shape.stride = usize::MAX / 8, Status::Argument, "stride");
    refused(&|shape| shape.height = usize::MAX, Status::Argument, "longer than memory");
    let frame = Frame::of(&rainy, 3);
    let (shape, own) = (&raw const frame.shape, frame.bytes.as_ptr().cast_mut());
    let stride = frame.shape.stride;
    let over = unsafe { rddm_restore(derain.0, shape, null(), own, stride, None, null_mut()) };
    assert_eq!(over, Status::Argument);
    assert!(said().contains("overlaps"), "{}", said());
    assert_eq!(restore(&derain, &frame, shape).0, Status::Input);
    assert!(said().contains("takes no mask"), "{}", said());
    let by_mask = model("shadow-mask", null()).unwrap();
    assert_eq!(restore(&by_mask, &frame, null()).0, Status::Input);
    assert!(said().contains("needs a mask"), "{}", said());
    for channels in [2, 3] {
        let mask = Picture { channels, ..frame.shape };
        assert_eq!(restore(&by_mask, &frame, &raw const mask).0, Status::Input);
        assert_eq!(said(), format!("a mask has one channel, and this one has {channels}"));
    }
    let lost =
        unsafe { rddm_restore(derain.0, shape, null(), null_mut(), stride, None, null_mut()) };
    assert_eq!((lost, said().as_str()), (Status::Argument, "output is null"));
    let status = unsafe { rddm_memory(null(), 1, 1, null_mut()) };
    assert_eq!(status, Status::Argument);
    drop(derain);
    assert!(said().contains("is null"), "closing keeps the text: {}", said());
}

/// Where a thread ends, its text may be gone before who asks for it.
#[test]
fn a_call_in_the_destructor_of_a_thread_does_no_harm() {
    struct Ending;
    impl Drop for Ending {
        fn drop(&mut self) {
            assert_eq!(unsafe { rddm_memory(null(), 1, 1, null_mut()) }, Status::Argument);
            said();
        }
    }
    thread_local! {
        static FIRST: Ending = const { Ending };
        static LAST: Ending = const { Ending };
    }
    let thread = std::thread::spawn(|| {
        FIRST.with(|_| ());
        said();
        LAST.with(|_| ());
    });
    thread.join().unwrap();
}

/// Compiles `examples/camera/camera.c` with the header against the shared library, and runs it.
#[cfg(unix)]
#[test]
fn a_camera_in_c_restores_its_frames() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("camera");
    let libraries = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let done = Command::new(compiler)
        .args(["-std=c99", "-D_POSIX_C_SOURCE=199309L", "-Wall", "-Wextra", "-Werror"])
        .arg(root().join("examples/camera/camera.c"))
        .arg("-I")
        .arg(root().join("crates/rddm-ffi/include"))
        .arg("-L")
        .arg(&libraries)
        .args(["-lrddm", "-o"])
        .arg(&program)
        .arg(format!("-Wl,-rpath,{}", libraries.display()))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let rainy = example("rainy.png");
    let ppm = |picture: &Decoded| {
        let (_, height, width) = picture.pixels.dim();
        let mut file = format!("P6\n{width} {height}\n255\n").into_bytes();
        for row in Frame::of(picture, 3).bytes.chunks(width * 3 + GAP) {
            file.extend(&row[..width * 3]);
        }
        file
    };
    let run = |network: &str, frames: &[u8]| {
        let mut camera = Command::new(&program)
            .arg(root().join("manifests/derain-tiny.toml"))
            .arg(root().join(network))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = camera.stdin.take().unwrap();
        let done = std::thread::scope(|scope| {
            // It may end before it has read all.
            scope.spawn(move || stdin.write_all(frames).ok());
            camera.wait_with_output().unwrap()
        });
        (done.status.code().unwrap(), done.stdout, String::from_utf8(done.stderr).unwrap())
    };
    let one = ppm(&rainy);
    let (code, out, text) = run("zoo/derain-tiny/derain-tiny.onnx", &one.repeat(2));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("frame 1:"), "{text}");
    assert!(out == ppm(&in_rust("derain-tiny", &rainy, None)).repeat(2));
    let (code, _, text) = run("zoo/derain-tiny/derain-tiny.onnx", &one[..one.len() - 1]);
    assert!(code == 3 && text.contains("frame 0 is not whole"), "{code}: {text}");
    let deep = String::from_utf8_lossy(&one[..14]).replace("255", "65535").into_bytes();
    for frames in [deep, [&one[..], b"P6\n# a remark\n"].concat(), [&one[..], b"P"].concat()] {
        let (code, _, text) = run("zoo/derain-tiny/derain-tiny.onnx", &frames);
        assert!(code == 3 && text.contains("no header"), "{code}: {text}");
    }
    let (code, _, text) = run("zoo/derain/derain.onnx", &one);
    assert!(code == 1 && text.contains("the model"), "{code}: {text}");
}
