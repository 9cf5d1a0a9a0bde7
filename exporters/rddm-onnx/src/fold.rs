//! Whatever depends on no input is computed now, by burn itself.

use std::collections::{HashMap, HashSet};

use burn::tensor::{TensorData, try_read_sync};
use burn_flex::{Flex, FlexDevice};
use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr, TensorStatus};
use burn_router::TensorInterpreter;

use crate::Error;
use crate::capture::Trace;
use crate::dims::TRACES;
use crate::unify::Unified;

/// The tensors that depend on no input.
pub(crate) struct Folder<'a> {
    traces: &'a [Trace; TRACES],
    unified: &'a Unified,
    interpreter: TensorInterpreter<Flex>,
    inputs: HashSet<TensorId>,
    /// In the interpreter.
    known: HashSet<TensorId>,
    /// Recorded values that were found to be the same in every recording.
    checked: HashMap<TensorId, bool>,
}

impl<'a> Folder<'a> {
    pub(crate) fn new(traces: &'a [Trace; TRACES], unified: &'a Unified) -> Self {
        Self {
            traces,
            unified,
            interpreter: TensorInterpreter::new(FlexDevice),
            inputs: traces[0].inputs.iter().copied().collect(),
            known: HashSet::new(),
            checked: HashMap::new(),
        }
    }

    /// Whether the tensor's content is known.
    pub(crate) fn is_constant(&mut self, id: TensorId) -> bool {
        self.known.contains(&id) || self.is_recorded(id)
    }

    /// Whether `operation` reads only constants (or nothing) and gives the same in every recording.
    pub(crate) fn can_compute(&mut self, operation: &OperationIr) -> bool {
        let inputs: Vec<TensorId> = operation.inputs().map(|tensor| tensor.id).collect();
        inputs.into_iter().all(|id| self.is_constant(id))
            && operation.outputs().all(|tensor| {
                self.unified.shape(tensor).iter().all(|extent| extent.constant().is_some())
            })
    }

    /// Computes `operation`, which [can be](Self::can_compute).
    pub(crate) fn compute(&mut self, operation: &OperationIr) {
        let inputs: Vec<TensorId> = operation.inputs().map(|tensor| tensor.id).collect();
        for id in inputs {
            if self.known.insert(id)
                && let Some(data) = self.traces[0].values.get(&id)
            {
                self.interpreter.register_tensor_data_id(id, data.clone());
            }
        }
        let mut operation = operation.clone();
        // A tensor may be read again, by an operation that is not computed here.
        operation.visit_mut(&mut ReadOnly);
        self.known.extend(operation.outputs().map(|tensor| tensor.id));
        self.interpreter.register_op(operation);
    }

    /// The content of a constant tensor.
    pub(crate) fn data(&mut self, tensor: &TensorIr) -> Result<TensorData, Error> {
        if let Some(data) = self.traces[0].values.get(&tensor.id) {
            return Ok(data.clone());
        }
        let mut tensor = tensor.clone();
        tensor.status = TensorStatus::ReadOnly;
        try_read_sync(self.interpreter.read_tensor_async(tensor))
            .ok_or_else(|| Error::capture("a constant could not be read at once"))?
            .map_err(|error| Error::capture(format!("a constant could not be computed: {error}")))
    }

    /// Whether the tensor was made from data that are the same in every recording.
    fn is_recorded(&mut self, id: TensorId) -> bool {
        if self.inputs.contains(&id) {
            return false;
        }
        if let Some(same) = self.checked.get(&id) {
            return *same;
        }
        let twins = self.unified.twins.get(&id).copied().unwrap_or([id; TRACES]);
        let data: Vec<_> =
            twins.iter().zip(self.traces).map(|(id, trace)| trace.values.get(id)).collect();
        let same = data[0].is_some_and(|first| data[1..].iter().all(|other| *other == Some(first)));
        self.checked.insert(id, same);
        same
    }

    /// Whether the tensor was made from data that change with the size of the input.
    pub(crate) fn varies(&self, id: TensorId) -> bool {
        !self.inputs.contains(&id)
            && self.traces[0].values.contains_key(&id)
            && self.checked.get(&id) == Some(&false)
    }
}

struct ReadOnly;

impl IrVisitorMut for ReadOnly {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        if tensor.status == TensorStatus::ReadWrite {
            tensor.status = TensorStatus::ReadOnly;
        }
    }
}
