//! Recordings at different sizes as one sequence of operations, whose tensors have a length in each.

use std::collections::HashMap;

use burn_ir::{IrVisitorMut, OperationIr, TensorId, TensorIr};

use crate::Error;
use crate::capture::Trace;
use crate::dims::{Extent, TRACES};

/// Which tensor of each recording is which, by the identity that it has in the first.
#[derive(Debug, Default)]
pub(crate) struct Unified {
    pub shapes: HashMap<TensorId, Vec<Extent>>,
    pub twins: HashMap<TensorId, [TensorId; TRACES]>,
}

/// Walks the recordings side by side.
///
/// # Errors
/// When they differ in more than in sizes.
pub(crate) fn unify(traces: &[Trace; TRACES]) -> Result<Unified, Error> {
    let count = traces[0].operations.len();
    if traces.iter().any(|trace| trace.operations.len() != count) {
        return Err(Error::depends_on_size(format!(
            "the forward pass takes {:?} operations at the traced sizes: it decides by the size of its input",
            traces.each_ref().map(|trace| trace.operations.len())
        )));
    }
    let mut unified = Unified::default();
    for index in 0..count {
        let operations = traces.each_ref().map(|trace| &trace.operations[index]);
        let locate =
            |error: Error| error.at(&format!("operation {index}, {}", name(operations[0])));
        check_same_options(operations).map_err(locate)?;
        let tensors = operations.map(OperationIr::nodes);
        let [first, rest @ ..] = tensors.each_ref();
        for (position, tensor) in first.iter().enumerate() {
            let twin = |trace: usize| match trace {
                0 => *tensor,
                _ => rest[trace - 1][position],
            };
            unified.note(std::array::from_fn(twin)).map_err(locate)?;
        }
    }
    Ok(unified)
}

impl Unified {
    fn note(&mut self, tensors: [&TensorIr; TRACES]) -> Result<(), Error> {
        let rank = tensors[0].shape.num_dims();
        if tensors.iter().any(|tensor| tensor.shape.num_dims() != rank) {
            return Err(Error::depends_on_size(
                "a tensor's number of axes changes with the size of the input",
            ));
        }
        let twins = tensors.map(|tensor| tensor.id);
        if *self.twins.entry(twins[0]).or_insert(twins) != twins {
            return Err(Error::depends_on_size(
                "which tensors meet changes with the size of the input",
            ));
        }
        let shape =
            (0..rank).map(|axis| Extent(tensors.map(|tensor| tensor.shape[axis]))).collect();
        self.shapes.insert(twins[0], shape);
        Ok(())
    }

    pub(crate) fn shape(&self, tensor: &TensorIr) -> Vec<Extent> {
        self.shapes.get(&tensor.id).cloned().unwrap_or_default()
    }
}

/// What burn calls the operation.
pub(crate) fn name(operation: &OperationIr) -> String {
    // `Debug` prints the path of variants before the first field: `NumericFloat(F32, Add(BinaryOpIr {`.
    let text = format!("{operation:?}");
    let end = text.find(" {").unwrap_or(text.len());
    text[..end]
        .trim_end_matches(|c: char| c.is_alphanumeric())
        .trim_end_matches('(')
        .replace('(', " ")
}

fn check_same_options(operations: [&OperationIr; TRACES]) -> Result<(), Error> {
    if operations[1..]
        .iter()
        .any(|other| std::mem::discriminant(*other) != std::mem::discriminant(operations[0]))
    {
        return Err(Error::depends_on_size("another operation at another size"));
    }
    let bare = operations.map(without_tensors);
    let sized = |operation: &OperationIr| {
        use burn_ir::BaseOperationIr::{RepeatDim, Slice};
        matches!(
            operation,
            OperationIr::BaseFloat(Slice(_) | RepeatDim(_))
                | OperationIr::BaseInt(Slice(_) | RepeatDim(_))
                | OperationIr::Module(
                    burn_ir::ModuleOperationIr::Interpolate(_)
                        | burn_ir::ModuleOperationIr::AdaptiveAvgPool2d(_)
                )
                | OperationIr::NumericFloat(
                    _,
                    burn_ir::NumericOperationIr::SumDim(_)
                        | burn_ir::NumericOperationIr::MeanDim(_)
                        | burn_ir::NumericOperationIr::MaxDim(_)
                        | burn_ir::NumericOperationIr::MinDim(_)
                )
        )
    };
    if bare[1..].iter().any(|other| *other != bare[0]) && !sized(operations[0]) {
        return Err(Error::depends_on_size(
            "an option or scalar changes with the size of the input; compute it from tensors, or keep it constant",
        ));
    }
    Ok(())
}

/// The operation with its tensors blanked, so that what is left are options and scalars.
fn without_tensors(operation: &OperationIr) -> OperationIr {
    struct Blank;
    impl IrVisitorMut for Blank {
        fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
            tensor.id = TensorId::new(0);
            tensor.shape = Vec::<usize>::new().into();
            tensor.status = burn_ir::TensorStatus::ReadOnly;
        }
    }
    let mut operation = operation.clone();
    operation.visit_mut(&mut Blank);
    operation
}
