//! Between a module's parameters and a state dict.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use super::error::{Mismatch, WrongShape};
use super::{Error, StateDict};
use crate::unet::official;

/// The module with the weights of `weights`, all of which it must have a place for.
///
/// Parameters keep their ids and devices. Names are the official ones, without what stands before them in a larger
/// dictionary ([`StateDict::under`]).
///
/// # Errors
/// [`Mismatch`](super::ErrorKind::Mismatch) when a tensor is missing, left over or of another shape; it lists them all.
pub fn load<M: Module>(module: M, weights: &StateDict) -> Result<M, Error> {
    let mut loader = Loader {
        path: Path::default(),
        weights,
        seen: BTreeSet::new(),
        mismatch: Mismatch::default(),
    };
    let module = module.map(&mut loader);
    let Loader { seen, mut mismatch, .. } = loader;
    let unexpected = weights.iter().map(|(name, _)| name).filter(|name| !seen.contains(*name));
    mismatch.unexpected = unexpected.map(str::to_owned).collect();
    if mismatch.is_empty() { Ok(module) } else { Err(Error::misfit(weights.place(), mismatch)) }
}

/// A module's weights by their official names.
pub fn state_dict<M: Module>(module: &M) -> StateDict {
    collect(module, Source::Values)
}

/// The gradients of a module's weights, by the weights' official names; weights without a gradient are left out.
pub fn gradients<M: Module>(module: &M, gradients: &Gradients) -> StateDict {
    collect(module, Source::Gradients(gradients))
}

fn collect<M: Module>(module: &M, source: Source<'_>) -> StateDict {
    let mut collector = Collector { path: Path::default(), source, tensors: BTreeMap::new() };
    module.visit(&mut collector);
    StateDict::new("module", collector.tensors)
}

struct Loader<'a> {
    path: Path,
    weights: &'a StateDict,
    seen: BTreeSet<String>,
    mismatch: Mismatch,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        self.seen.insert(name.clone());
        let Some(data) = self.weights.get(&name) else {
            self.mismatch.missing.push(name);
            return param;
        };
        let transpose = self.path.is_transposed();
        let mut expected = param.lazy_shape().to_vec();
        if transpose {
            expected.reverse();
        }
        let found = data.shape().to_vec();
        if found != expected {
            self.mismatch.wrong_shape.push(WrongShape { name, expected, found });
            return param;
        }
        let tensor = Tensor::<D>::from_data(data.clone(), &param.lazy_device());
        let id = param.id;
        param.transform_for_load(if transpose { tensor.transpose() } else { tensor }, id)
    }
}

enum Source<'a> {
    Values,
    Gradients(&'a Gradients),
}

struct Collector<'a> {
    path: Path,
    source: Source<'a>,
    tensors: BTreeMap<String, TensorData>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = match self.source {
            Source::Values => Some(param.val()),
            Source::Gradients(gradients) => param.val().grad(gradients),
        };
        if let Some(tensor) = tensor {
            let tensor = if self.path.is_transposed() { tensor.transpose() } else { tensor };
            self.tensors.insert(self.path.name(), tensor.into_data());
        }
    }
}

/// Where a visitor is: official names (empty for levels that the official code lacks), and the innermost container.
#[derive(Default)]
struct Path {
    segments: Vec<(String, String)>,
}

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.segments.push((official(container, name).to_owned(), container.to_owned()));
    }

    fn exit(&mut self) {
        self.segments.pop();
    }

    fn name(&self) -> String {
        let parts: Vec<&str> = self
            .segments
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        parts.join(".")
    }

    /// burn keeps a linear layer's weight as `[input, output]`, PyTorch as `[output, input]`.
    fn is_transposed(&self) -> bool {
        self.segments
            .last()
            .is_some_and(|(name, container)| container == "Struct:Linear" && name == "weight")
    }
}
