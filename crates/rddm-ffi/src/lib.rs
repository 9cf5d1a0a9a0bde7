//! The C ABI of the runtime, `librddm`; `include/rddm.h` is made of this file.
//!
//! A model is a manifest and the ONNX files that it names, which [`rddm_open`] takes as bytes: of files, of flash, of a part of
//! the program. Whoever hands a manifest over vouches for it; the networks are hashed against it before anything parses them.
//! [`rddm_restore`] restores pictures of 8 bits whose channels lie beside each other, as cameras and codecs give them.
//!
//! Every function that can fail gives a [`Status`], and [`rddm_error`] says in words what failed and what to do next. Nothing
//! unwinds into C. The library's own code reads no environment and no file but ONNX Runtime's library, and prints only of a mistake
//! in itself; tract looks at `TRACT_…` variables and the system's files about the processor, and where a broken network makes
//! it panic, that is printed to standard error.

#![allow(unsafe_code, reason = "pointers come from C; each function says what it asks of them")]

mod failure;
mod pixels;

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use failure::{Failure, guarded};
pub use failure::{Status, rddm_error};
use pixels::{Pixels, PixelsMut};
use rddm_manifest::Manifest;
use rddm_runtime::{Control, Restorer, RestorerBuilder};

/// Rises with every change of this header that programs have to be compiled again for; `rddm_abi()` is the library's.
pub const RDDM_ABI: u32 = 1;

/// Bytes of the caller's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Bytes {
    /// The first of them.
    pub data: *const u8,
    /// How many there are.
    pub length: usize,
}

/// Options of a restorer. Where a field is zero the model's own way is taken, so `rddm_options options = {0};` asks for
/// what the model was measured with.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What runs the networks: "tract", which null stands for, or "ort" (ONNX Runtime) where the library was built with it.
    pub engine: *const c_char,
    /// What they run on: "cpu", which null stands for, "auto", or the engine's name of a device, such as "cuda:1".
    pub device: *const c_char,
    /// ONNX Runtime's shared library; null for other engines.
    pub library: *const c_char,
    /// Seed of the noise: one seed gives one picture.
    pub seed: u64,
    /// The most bytes that a restoration may take beside the caller's pictures; tiles get smaller to keep it, but not a `tile` that
    /// is set. 0: as many as it takes.
    pub max_memory: u64,
    /// Sampling steps. 0: the model's own number.
    pub steps: u32,
    /// Tiles that are worked on at a time. 0: one for each processor core.
    pub threads: u32,
    /// Height and width of a tile in pixels. 0: the model's own.
    pub tile: u32,
    /// Whether the networks are asked about mirror images too, which is better and twice as slow: 1 yes, -1 no, 0 as published.
    pub mirror: i32,
    /// How much of the restoration is applied, up to 4. 0: all of it, as 1.
    pub strength: f32,
    /// Whether a change stands only where a look at the picture at half of its size sees it too: 1 yes, -1 no, 0 as published.
    pub confirm: i32,
}

/// A picture of the caller's: rows from the top, in a row pixels from the left, in a pixel its channels, red first.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    /// The first byte of the first row.
    pub data: *const u8,
    /// Pixels in a row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// 3 for colour, 1 for grey and for masks.
    pub channels: usize,
    /// Bytes from one row to the next, at least `width * channels`.
    pub stride: usize,
}

/// Told how far a restoration is, from 0 to 1, after each tile, by the thread that asked for it. It stops where this gives
/// false. Nothing may be thrown out of it.
pub type Progress = Option<extern "C" fn(user: *mut c_void, fraction: f64) -> bool>;

/// A model that is ready to restore. It may be used by several threads at a time.
pub struct Handle(Restorer);

/// The version of this header's functions and structures that the library has.
#[unsafe(no_mangle)]
pub extern "C" fn rddm_abi() -> u32 {
    RDDM_ABI
}

/// Makes a model that restores pictures ready; one that draws them is refused. Reads its manifest (TOML, UTF-8), hashes its
/// networks (ONNX files, in any order) against it and loads them. Writes a restorer to `restorer`, null where it fails;
/// `rddm_close` ends it. `options` may be null. All that is pointed to may go once this returns.
///
/// # Safety
/// `networks` points to `count` structures, they and `manifest` to as many bytes as they say, the strings of `options` end
/// with a zero, and `restorer` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rddm_open(
    manifest: Bytes,
    networks: *const Bytes,
    count: usize,
    options: *const Options,
    restorer: *mut *mut Handle,
) -> Status {
    guarded(|| {
        if restorer.is_null() {
            return Err(Failure::argument("restorer is null"));
        }
        // SAFETY: it is not null, and the caller says that it can be written to.
        unsafe { *restorer = std::ptr::null_mut() };
        // SAFETY: as the caller says of each of them.
        let (text, networks, options) = unsafe {
            let networks = slice(networks, count, "networks")?;
            let networks = networks.iter().map(|bytes| bytes.get("a network"));
            let networks = networks.collect::<Result<Vec<&[u8]>, Failure>>()?;
            (manifest.get("manifest")?, networks, options.as_ref())
        };
        let text = std::str::from_utf8(text)
            .map_err(|_| Failure::new(Status::Manifest, "the manifest is not UTF-8"))?;
        let manifest = Manifest::parse(text)
            .map_err(|error| Failure::new(Status::Manifest, format!("the manifest: {error}")))?;
        if !manifest.sampler.conditional {
            let text = format!(
                "{} draws pictures, for which this library has no function; rddm-run and Rust's rddm-runtime draw",
                manifest.id
            );
            return Err(Failure::new(Status::Options, text));
        }
        let mut builder = Restorer::builder(&manifest).threads(0);
        if let Some(options) = options {
            // SAFETY: the caller says that its strings end with a zero.
            builder = unsafe { options.set(builder)? };
        }
        let built = Box::new(Handle(builder.build(networks)?));
        // SAFETY: as above.
        unsafe { *restorer = Box::into_raw(built) };
        Ok(())
    })
}

/// Ends a restorer, which nothing may use any more; null is left alone.
///
/// # Safety
/// `restorer` is of `rddm_open` and was not closed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rddm_close(restorer: *mut Handle) {
    if !restorer.is_null() {
        // SAFETY: it was boxed by `rddm_open`. Nobody can be told of what goes wrong here, and the text of `rddm_error` stays.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(restorer) })));
    }
}

/// Whether the model needs a mask; false for null.
///
/// # Safety
/// `restorer` is of `rddm_open` and was not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rddm_needs_mask(restorer: *const Handle) -> bool {
    // SAFETY: as the caller says.
    unsafe { restorer.as_ref() }.is_some_and(|handle| handle.0.picture().mask)
}

/// Writes to `bytes` what restoring a picture of this size takes at its peak, beside the caller's pictures and what the
/// program holds already. With "ort" and no `max_memory` it may take more; and where tract, which tells for both engines, does not
/// run a network, this gives `RDDM_STATUS_NETWORK`, and `rddm_restore` may work.
///
/// # Safety
/// `restorer` is of `rddm_open` and was not closed; `bytes` can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rddm_memory(
    restorer: *const Handle,
    width: usize,
    height: usize,
    bytes: *mut u64,
) -> Status {
    guarded(|| {
        // SAFETY: as the caller says.
        let (Some(handle), Some(bytes)) = (unsafe { restorer.as_ref() }, unsafe { bytes.as_mut() })
        else {
            return Err(Failure::argument("restorer or bytes is null"));
        };
        *bytes = handle.0.memory_estimate([height, width])?.bytes;
        Ok(())
    })
}

/// Restores a picture. The output has its width, height and channels; rows of it begin `output_stride` bytes after each other,
/// and from its first row to its last it may not overlap the picture or the mask, not even in what lies between their rows: it is
/// no part of the frame that the picture is a part of. `mask`, of the picture's size and one channel, is for models that need one:
/// what is 0 in it is kept; null for the others. `progress` may be null; `user` is handed to it. Where this fails, the output
/// holds some rows or none. A thread that calls this or `rddm_open` has 256 KiB of
/// stack or more.
///
/// # Safety
/// `restorer` is of `rddm_open` and was not closed; `picture` and `mask` point to as many bytes as they say, which nobody
/// writes to until this returns; `output` can be written to from its first row to its last, and nobody uses it until then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rddm_restore(
    restorer: *const Handle,
    picture: *const Picture,
    mask: *const Picture,
    output: *mut u8,
    output_stride: usize,
    progress: Progress,
    user: *mut c_void,
) -> Status {
    guarded(|| {
        // SAFETY: as the caller says.
        let (handle, shape, mask) = unsafe { (restorer.as_ref(), picture.as_ref(), mask.as_ref()) };
        let (Some(handle), Some(shape)) = (handle, shape) else {
            return Err(Failure::argument("restorer or picture is null"));
        };
        // SAFETY: as the caller says of the memory that they describe.
        let picture = unsafe { Pixels::of(shape, "picture")? };
        let marks = mask.map(|mask| [mask.height, mask.width]);
        handle.0.check_mask([shape.height, shape.width], marks)?;
        if let Some(&Picture { channels, .. }) = mask
            && channels != 1
        {
            let text = format!("a mask has one channel, and this one has {channels}");
            return Err(Failure::input(text));
        }
        // SAFETY: likewise.
        let mask = mask.map(|mask| unsafe { Pixels::of(mask, "mask") }).transpose()?;
        let read = [Some(&picture), mask.as_ref()];
        // SAFETY: as the caller says.
        let mut output = unsafe { PixelsMut::of(output, output_stride, shape, read)? };
        handle.0.restore_rows(
            picture.size(),
            &mut |y: usize, row: &mut [f32]| {
                let (colours, rest) = row.split_at_mut(shape.channels * shape.width);
                picture.read(y, colours);
                mask.as_ref().inspect(|mask| mask.read(y, rest));
                Ok(())
            },
            &mut |y: usize, row: &[f32]| {
                output.write(y, row);
                Ok(())
            },
            &mut |done| match progress {
                Some(progress) if !progress(user, done.fraction()) => Control::Stop,
                _ => Control::Continue,
            },
        )?;
        Ok(())
    })
}

impl Options {
    /// # Safety
    /// Its strings are null or end with a zero.
    unsafe fn set<'a>(&self, builder: RestorerBuilder<'a>) -> Result<RestorerBuilder<'a>, Failure> {
        // SAFETY: as the caller says.
        let (engine, device, library) = unsafe {
            (
                string(self.engine, "engine")?,
                string(self.device, "device")?,
                string(self.library, "library")?,
            )
        };
        let mut builder = builder.seed(self.seed).threads(self.threads as usize);
        if let Some(engine) = engine {
            builder = builder.engine(engine);
        }
        if let Some(device) = device {
            builder = builder.device(device.parse()?);
        }
        if let Some(library) = library {
            builder = builder.library(library);
        }
        if self.max_memory > 0 {
            builder = builder.max_memory(self.max_memory);
        }
        if self.steps > 0 {
            builder = builder.steps(self.steps as usize);
        }
        if self.tile > 0 {
            builder = builder.tile(self.tile as usize);
        }
        if self.strength != 0.0 {
            builder = builder.strength(self.strength);
        }
        if let Some(mirror) = switch("mirror", self.mirror)? {
            builder = builder.mirror(mirror);
        }
        if let Some(confirm) = switch("confirm", self.confirm)? {
            builder = builder.confirm(confirm);
        }
        Ok(builder)
    }
}

/// What an option says, if anything.
fn switch(name: &str, value: i32) -> Result<Option<bool>, Failure> {
    match value {
        0 => Ok(None),
        1 => Ok(Some(true)),
        -1 => Ok(Some(false)),
        other => {
            let text = format!("{name} is {other}: it is 1 (yes), -1 (no) or 0");
            Err(Failure::new(Status::Options, text))
        }
    }
}

impl Bytes {
    /// # Safety
    /// `data` points to `length` bytes that stay as they are for `'a`.
    unsafe fn get<'a>(&self, name: &str) -> Result<&'a [u8], Failure> {
        // SAFETY: as the caller says.
        unsafe { slice(self.data, self.length, name) }
    }
}

/// # Safety
/// `data` points to `length` values that stay as they are for `'a`.
unsafe fn slice<'a, T>(data: *const T, length: usize, name: &str) -> Result<&'a [T], Failure> {
    if data.is_null() {
        return Err(Failure::argument(format!("{name} is null")));
    }
    if length > isize::MAX as usize / size_of::<T>() {
        return Err(Failure::argument(format!("{name} is longer than memory")));
    }
    // SAFETY: it is neither null nor too long, and the caller says the rest.
    Ok(unsafe { std::slice::from_raw_parts(data, length) })
}

/// # Safety
/// `text` is null or ends with a zero, and stays as it is for `'a`.
unsafe fn string<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller says.
    let text = unsafe { CStr::from_ptr(text) }.to_str();
    text.map(Some).map_err(|_| Failure::new(Status::Options, format!("{name} is not UTF-8")))
}
