//! Networks with weights of 16 bits.

use std::fs;
use std::path::Path;

use crate::Error;

/// The name and the bytes of a network's file with its large weights in 16 bits, for the folder `out`; precision `fp16` in a
/// manifest.
///
/// # Errors
/// When the file cannot be read, is none that this program wrote, or would be replaced.
pub fn export(network: &Path, out: &Path) -> Result<(String, Vec<u8>), Error> {
    let bytes = fs::read(network).map_err(|error| Error::input(network, error))?;
    let name = network.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place = |path: &Path| fs::canonicalize(path).ok();
    if place(&out.join(&name)).is_some_and(|target| Some(target) == place(network)) {
        let problem = format!("{} would be replaced; give another folder", network.display());
        return Err(Error::usage(problem));
    }
    let half = rddm_onnx::halved(&bytes).map_err(|error| Error::input(network, error))?;
    Ok((name, half))
}
