//! The way back: the weights of a file, as the modules that it was exported from have them.

use half::f16;

use crate::Error;
use crate::emit::CONSTANT;
use crate::graph::Element;
use crate::proto::{ModelProto, TensorProto};

const FLOAT: i32 = Element::Float as i32;
const HALF: i32 = Element::Half as i32;

/// The weights of a file that [`export`](crate::export) or [`halved`](crate::halved) wrote: values in the order of `wanted`,
/// which are names of weights and their shapes in the modules.
///
/// The file may have other shapes: axes of length 1, and kernels that read the picture in place of its pixel-unshuffled
/// form.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind::Weights) when the bytes are no ONNX file, a weight is missing from it,
/// is no tensor of 32-bit or 16-bit floats, or has a shape that does not fit, or the file has a weight that is not wanted.
pub fn weights(file: &[u8], wanted: &[(&str, &[usize])]) -> Result<Vec<Vec<f32>>, Error> {
    let tensors = ModelProto::read(file)?.graph.unwrap_or_default().initializer;
    let take = |&(name, shape): &(&str, &[usize])| {
        let tensor = tensors.iter().find(|tensor| tensor.name == name).ok_or_else(|| {
            Error::weights(format!("the file has no weight `{name}`: it is of another network"))
        })?;
        read(tensor, shape)
    };
    let values = wanted.iter().map(take).collect::<Result<_, _>>()?;
    let unwanted = |name: &&str| is_weight(name) && !wanted.iter().any(|(other, _)| other == name);
    match tensors.iter().map(|tensor| tensor.name.as_str()).find(unwanted) {
        None => Ok(values),
        Some(name) => Err(Error::weights(format!(
            "the file has a weight `{name}`, for which the network has no place: it is of another network"
        ))),
    }
}

/// Whether a tensor of a file has the name of a module's weight.
fn is_weight(name: &str) -> bool {
    let number = name.strip_prefix(CONSTANT);
    number.is_none_or(|number| !(number.is_empty() || number.starts_with('_')))
}

fn read(tensor: &TensorProto, shape: &[usize]) -> Result<Vec<f32>, Error> {
    let raw = &tensor.raw_data;
    let (size, values): (usize, Vec<f32>) = match tensor.data_type {
        FLOAT => (4, raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
        HALF => (2, raw.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect()),
        _ => (1, Vec::new()),
    };
    let dims: Vec<usize> = tensor.dims.iter().filter_map(|&dim| dim.try_into().ok()).collect();
    let count =
        |dims: &[usize]| dims.iter().try_fold(1_usize, |count, &dim| count.checked_mul(dim));
    let whole = raw.len() == size * values.len()
        && count(&dims) == Some(values.len())
        && count(shape) == Some(values.len());
    let long = |dims: &[usize]| dims.iter().copied().filter(|&dim| dim != 1).collect::<Vec<_>>();
    if whole && long(&dims) == long(shape) {
        return Ok(values);
    }
    match (dims.as_slice(), shape) {
        (&[outputs, channels, height, _], &[_, _, rows, columns])
            if whole
                && rows > 0
                && height.is_multiple_of(rows)
                && dims == [outputs, channels, height, height / rows * columns]
                && shape[..2] == [outputs, channels * (height / rows).pow(2)] =>
        {
            Ok(narrowed(&values, shape, height / rows))
        }
        _ => Err(Error::weights(format!(
            "the weight `{}` is {dims:?} in the file and {shape:?} in the network: they are of other networks",
            tensor.name
        ))),
    }
}

/// The kernel for a picture unshuffled by `size`, from the one that reads the picture itself:
/// `weight[o, (c·r + a)·r + b, y, x] = weight'[o, c, r·y + a, r·x + b]`.
fn narrowed(wide: &[f32], shape: &[usize], size: usize) -> Vec<f32> {
    let (rows, columns) = (shape[2], shape[3]);
    let mut narrow = Vec::with_capacity(wide.len());
    for kernel in wide.chunks_exact(size * size * rows * columns) {
        for a in 0..size {
            for b in 0..size {
                for y in 0..rows {
                    let line = &kernel[(size * y + a) * size * columns..];
                    narrow.extend((0..columns).map(|x| line[size * x + b]));
                }
            }
        }
    }
    narrow
}
