//! Tensors of safetensors files, all f32.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

/// The tensors of a file.
#[derive(Debug)]
pub struct Tensors(BTreeMap<String, Tensor>);

/// Values in row-major order, and their shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Tensors {
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(format!("{name} is {:?} and not F32", view.dtype()));
            }
            let words = view.data().as_chunks::<4>().0;
            let values = words.iter().copied().map(f32::from_le_bytes).collect();
            tensors.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), values });
        }
        Ok(Self(tensors))
    }

    pub fn get(&self, name: &str) -> Result<&Tensor, String> {
        self.find(name).ok_or_else(|| format!("the file has no tensor {name}"))
    }

    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// The values of a tensor.
    pub fn values(&self, name: &str) -> Result<&[f32], String> {
        self.get(name).map(|tensor| tensor.values.as_slice())
    }

    /// `prefix.0`, `prefix.1` … as long as there are any.
    pub fn numbered(&self, prefix: &str) -> Vec<&Tensor> {
        (0..).map_while(|index| self.find(&format!("{prefix}.{index}"))).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl Tensor {
    /// From [0, 1] to [-1, 1].
    pub fn centred(&self) -> Vec<f32> {
        self.values.iter().map(|value| value * 2.0 - 1.0).collect()
    }
}

/// From [-1, 1] to [0, 1].
pub fn uncentred(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| (value + 1.0) * 0.5).collect()
}
