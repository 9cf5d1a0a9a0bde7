//! Checkpoint files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::store::pytorch_reader::{
    DType as TorchType, PytorchError, PytorchReader, Tensor as TorchTensor,
};
use burn::tensor::{DType, TensorData};

use super::{Error, ErrorKind, StateDict};

/// Which weights of a trainer's checkpoint to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// The averaged ones (`ema.ema_model.*`), which the official code samples with.
    #[default]
    Average,
    /// The ones that the optimiser moved last (`model.*`).
    Model,
}

/// A network's weights out of a file, and the tables that the official code stores beside them.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The network's weights by their official names.
    pub network: StateDict,
    /// Tables of the diffusion (`alphas_cumsum`, `betas_cumsum`, …), where the file has them.
    pub tables: StateDict,
}

/// A checkpoint's pickle is parsed by recursion up to a fixed depth; threads of other programs can have small stacks.
const STACK_BYTES: usize = 16 << 20;

impl Checkpoint {
    /// Reads a file of the official trainer (`.pt`: `step`, `model`, `opt`, `ema`, `scaler`), a bare state dict in a
    /// `.pt`, or a safetensors file. The content decides which it is.
    ///
    /// A file with one set of weights and no trainer's wrapping gives that set, whatever `weights` asks for.
    /// Nothing in a pickle is executed: classes other than tensors' are refused or ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`] when the file cannot be read, [`ErrorKind::Malformed`] when it is no checkpoint or
    /// claims more than it holds, [`ErrorKind::Absent`] when it has no network or lacks the weights asked for.
    pub fn open(path: &Path, weights: Weights) -> Result<Self, Error> {
        let place = path.display().to_string();
        let unreadable = |error: std::io::Error| {
            Error::new(
                ErrorKind::Unreadable,
                place.as_str(),
                format!("{error}; check the path and its permissions"),
            )
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut head = Vec::new();
        file.by_ref().take(9).read_to_end(&mut head).map_err(unreadable)?;
        if head.get(8) == Some(&b'{') {
            let mut bytes = head;
            file.read_to_end(&mut bytes).map_err(unreadable)?;
            let all = StateDict::from_safetensors(place.as_str(), &bytes)?;
            let root = root(&place, all.iter().map(|(name, _)| name), weights)?;
            return Ok(Self {
                network: all.under(&root),
                tables: tables(all.under(outside(&root))),
            });
        }
        let length = file.metadata().map_err(unreadable)?.len();
        drop(file);
        let read = || open_pickle(path, &place, length, weights);
        // The reader walks what it parsed by recursion; its depth limit is meant for a main thread's stack.
        std::thread::scope(|scope| {
            let thread =
                std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, read);
            let joined = thread.map_err(unreadable)?.join();
            joined.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Malformed, place.as_str(), "the reader gave up on it"))
            })
        })
    }
}

fn open_pickle(
    path: &Path,
    place: &str,
    length: u64,
    weights: Weights,
) -> Result<Checkpoint, Error> {
    let reader = PytorchReader::new(path).map_err(|error| refused(place, &error))?;
    let root = root(place, reader.tensors().keys().map(String::as_str), weights)?;
    let outside = outside(&root).to_owned();
    let mut wanted: Vec<(String, TorchTensor)> =
        reader.into_tensors().into_iter().filter(|(name, _)| name.starts_with(&outside)).collect();
    wanted.retain(|(name, tensor)| {
        float(tensor.dtype()).is_some()
            && (name.starts_with(&root) || !name[outside.len()..].contains('.'))
    });
    // Views can claim far more than the file stores, each within the reader's limit and all of them together not.
    let claimed =
        wanted.iter().try_fold(0_u64, |sum, (_, tensor)| sum.checked_add(tensor.byte_len() as u64));
    if claimed.is_none_or(|claimed| claimed > length) {
        let problem = "its tensors claim more bytes than the file has; do not trust it";
        return Err(Error::new(ErrorKind::Malformed, place, problem));
    }
    let mut tensors = Vec::with_capacity(wanted.len());
    for (name, tensor) in wanted {
        let malformed = |problem: String| Error::new(ErrorKind::Malformed, place, problem);
        let Some(dtype) = float(tensor.dtype()) else { continue };
        let bytes =
            tensor.read().map_err(|error| malformed(format!("{error}; fetch the file again")))?;
        let data = TensorData::try_from_bytes_vec(bytes, tensor.shape().to_vec(), dtype)
            .map_err(|error| malformed(format!("tensor '{name}': {error}")))?;
        tensors.push((name, data));
    }
    let all = StateDict::new(place, tensors);
    Ok(Checkpoint { network: all.under(&root), tables: tables(all.under(&outside)) })
}

fn refused(place: &str, error: &PytorchError) -> Error {
    match error {
        PytorchError::Io(error)
            if error.kind() != std::io::ErrorKind::InvalidData
                && error.kind() != std::io::ErrorKind::UnexpectedEof =>
        {
            Error::new(ErrorKind::Unreadable, place, error.to_string())
        }
        _ => Error::new(
            ErrorKind::Malformed,
            place,
            format!("no PyTorch checkpoint that can be read ({error})"),
        ),
    }
}

/// What stands before a network's own names, for the weights asked for.
fn root<'a>(
    place: &str,
    names: impl Iterator<Item = &'a str>,
    weights: Weights,
) -> Result<String, Error> {
    let absent = |problem: &str| Error::new(ErrorKind::Absent, place, problem);
    let roots: BTreeSet<&str> = names.filter_map(network_root).collect();
    let average = roots
        .iter()
        .copied()
        .find(|root| root.starts_with("ema.ema_model.") || root.starts_with("ema_model."));
    let model = roots.iter().copied().find(|root| {
        !root.starts_with("ema.") && !root.starts_with("online_model.") && Some(*root) != average
    });
    let wrapped = roots.len() > 1 || model.is_some_and(|root| root.starts_with("model.model."));
    match (weights, average, model) {
        (Weights::Average, Some(root), _) => Ok(root.to_owned()),
        (Weights::Average, None, Some(root)) if !wrapped => Ok(root.to_owned()),
        (Weights::Average, None, Some(_)) => Err(absent(
            "no averaged weights ('ema.ema_model.…'); ask for the model's own weights instead",
        )),
        (Weights::Model, _, Some(root)) => Ok(root.to_owned()),
        (Weights::Model, Some(_), None) => {
            Err(absent("averaged weights only; ask for those instead"))
        }
        (_, None, None) => Err(absent("no official U-Net in it (no tensor '…init_conv.weight')")),
    }
}

/// What stands before the official names, when `name` is that of a network's first convolution.
fn network_root(name: &str) -> Option<&str> {
    let before = name.strip_suffix("init_conv.weight")?;
    let root =
        before.strip_suffix("unet0.").or_else(|| before.strip_suffix("unet1.")).unwrap_or(before);
    (root.is_empty() || root.ends_with('.')).then_some(root)
}

/// What stands before the diffusion's own names, given the network's: the official one keeps it under `model.`.
fn outside(root: &str) -> &str {
    root.strip_suffix("model.").unwrap_or(root)
}

/// Only the diffusion's own tensors.
fn tables(all: StateDict) -> StateDict {
    let place = all.place().to_owned();
    let own = all.iter().filter(|(name, data)| !name.contains('.') && data.rank() == 1);
    StateDict::new(place, own.map(|(name, data)| (name.to_owned(), data.clone())))
}

fn float(dtype: TorchType) -> Option<DType> {
    match dtype {
        TorchType::F16 => Some(DType::F16),
        TorchType::BF16 => Some(DType::BF16),
        TorchType::F32 => Some(DType::F32),
        TorchType::F64 => Some(DType::F64),
        _ => None,
    }
}
