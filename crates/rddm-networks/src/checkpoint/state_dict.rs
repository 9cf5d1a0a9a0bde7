//! Tensors by name, as PyTorch's `state_dict` has them.

use std::collections::BTreeMap;

use burn::tensor::{DType, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{Error, ErrorKind};

/// Tensors of 32-bit floats by name, in PyTorch's order of axes (a linear layer's weight is `[output, input]`).
#[derive(Debug, Clone, Default)]
pub struct StateDict {
    place: String,
    tensors: BTreeMap<String, TensorData>,
}

impl StateDict {
    /// A dictionary of these tensors; `place` is what errors call it (a file's name, say).
    ///
    /// Floats of other widths become 32-bit ones; tensors of integers and booleans are left out.
    pub fn new(
        place: impl Into<String>,
        tensors: impl IntoIterator<Item = (String, TensorData)>,
    ) -> Self {
        let float = |(name, data): (String, TensorData)| match data.dtype() {
            DType::F32 => Some((name, data)),
            DType::F64 | DType::F16 | DType::BF16 => Some((name, data.convert::<f32>())),
            _ => None,
        };
        Self { place: place.into(), tensors: tensors.into_iter().filter_map(float).collect() }
    }

    /// The tensors of a safetensors file; `place` is what errors call it.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when the bytes are no safetensors file.
    pub fn from_safetensors(place: impl Into<String>, bytes: &[u8]) -> Result<Self, Error> {
        let place = place.into();
        let malformed = |problem: String| Error::new(ErrorKind::Malformed, place.as_str(), problem);
        let file = SafeTensors::deserialize(bytes).map_err(|error| {
            malformed(format!("no whole safetensors file ({error}); fetch it again"))
        })?;
        let mut tensors = Vec::new();
        for (name, view) in file.iter() {
            let Some(dtype) = float(view.dtype()) else { continue };
            let data =
                TensorData::try_from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype)
                    .map_err(|error| malformed(format!("tensor '{name}': {error}")))?;
            tensors.push((name.to_owned(), data));
        }
        Ok(Self::new(place, tensors))
    }

    /// The tensors as a safetensors file.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when the format refuses a name or a shape.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        let refused = |error: safetensors::SafeTensorError| {
            Error::new(
                ErrorKind::Malformed,
                self.place.as_str(),
                format!("cannot be written ({error})"),
            )
        };
        let views = self.tensors.iter().map(|(name, data)| {
            Ok((
                name,
                TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())
                    .map_err(refused)?,
            ))
        });
        let views: Vec<_> = views.collect::<Result<_, Error>>()?;
        safetensors::serialize(views, None).map_err(refused)
    }

    /// Names and shapes, by name.
    pub fn shapes(&self) -> Vec<(&str, &[usize])> {
        self.iter().map(|(name, data)| (name, &data.shape()[..])).collect()
    }

    /// Tensors of the same names and shapes with other values, in the order of [`shapes`](Self::shapes); `place` is what
    /// errors call them.
    ///
    /// # Panics
    /// When a tensor's values are not as many as before.
    #[must_use]
    pub fn with_values(&self, place: impl Into<String>, values: Vec<Vec<f32>>) -> Self {
        let tensors = self.shapes().into_iter().zip(values).map(|((name, shape), values)| {
            (name.to_owned(), TensorData::new(values, shape.to_vec()))
        });
        Self::new(place, tensors)
    }

    /// Names and tensors, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorData)> {
        self.tensors.iter().map(|(name, data)| (name.as_str(), data))
    }

    /// A tensor by its name.
    pub fn get(&self, name: &str) -> Option<&TensorData> {
        self.tensors.get(name)
    }

    /// The first tensor, by name, with a value that is infinite or no number.
    pub fn not_finite(&self) -> Option<&str> {
        let finite = |data: &TensorData| data.iter::<f32>().all(f32::is_finite);
        self.iter().find(|(_, data)| !finite(data)).map(|(name, _)| name)
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// What errors call it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The tensors whose names begin with `prefix`, without it.
    pub fn under(&self, prefix: &str) -> Self {
        let inside = |(name, data): (&String, &TensorData)| {
            Some((name.strip_prefix(prefix)?.to_owned(), data.clone()))
        };
        Self {
            place: self.place.clone(),
            tensors: self.tensors.iter().filter_map(inside).collect(),
        }
    }

    pub(crate) fn shape4(&self, name: &str) -> Result<[usize; 4], Error> {
        let absent = || {
            Error::new(
                ErrorKind::Absent,
                self.place.as_str(),
                format!("no tensor '{name}'; is it a U-Net?"),
            )
        };
        let shape = self.get(name).ok_or_else(absent)?.shape();
        shape
            .as_slice()
            .try_into()
            .map_err(|_| self.unfit(name, format!("shape {:?} has no four axes", shape.as_slice())))
    }

    pub(crate) fn unfit(&self, name: &str, problem: String) -> Error {
        Error::new(ErrorKind::Malformed, self.place.as_str(), format!("tensor '{name}': {problem}"))
    }
}

fn float(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::F32 => Some(DType::F32),
        Dtype::F64 => Some(DType::F64),
        _ => None,
    }
}
