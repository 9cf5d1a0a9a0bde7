//! Operations that move elements: views, permutations, slices, concatenations, constants of a size, comparisons.

use burn::tensor::Slice;
use burn_ir::{BaseOperationIr, OperationIr, RepeatDimOpIr, ScalarIr, SliceOpIr, TensorIr};

use super::{Lowering, element, integers, unsupported};
use crate::Error;
use crate::dims::{Extent, TRACES};
use crate::graph::Attribute;

impl Lowering<'_> {
    pub(super) fn base(&mut self, operations: [&OperationIr; TRACES]) -> Result<(), Error> {
        let Some(base) = base(operations[0]) else { return Err(unsupported()) };
        match base {
            BaseOperationIr::Reshape(reshape) => {
                self.emit_unary("Reshape", &reshape.input, &reshape.out)
            }
            BaseOperationIr::Expand(expand) => {
                self.emit_unary("Expand", &expand.input, &expand.out)
            }
            BaseOperationIr::SwapDims(swap) => {
                let mut axes: Vec<usize> = (0..self.shape(&swap.input).len()).collect();
                axes.swap(swap.dim1, swap.dim2);
                self.transpose(&swap.input, axes, &swap.out)
            }
            BaseOperationIr::Permute(permute) => {
                self.transpose(&permute.input, permute.axes.clone(), &permute.out)
            }
            BaseOperationIr::Slice(slice) => {
                let twins = operations.map(|operation| match base_slice(operation) {
                    Some(twin) => twin,
                    None => slice,
                });
                self.slice(twins)
            }
            BaseOperationIr::Cat(cat) => {
                let tensors: Vec<&TensorIr> = cat.tensors.iter().collect();
                let inputs = self.inputs(&tensors)?;
                self.emit(
                    "Concat",
                    &inputs,
                    vec![("axis", Attribute::Int(cat.dim as i64))],
                    &cat.out,
                )
            }
            BaseOperationIr::RepeatDim(repeat) => self.repeat(repeat),
            BaseOperationIr::Cast(cast) => self.cast(&cast.input, &cast.out),
            BaseOperationIr::Select(select) => {
                let inputs = self.inputs(&[&select.tensor, &select.indices])?;
                self.emit(
                    "Gather",
                    &inputs,
                    vec![("axis", Attribute::Int(select.dim as i64))],
                    &select.out,
                )
            }
            BaseOperationIr::Zeros(zeros) => self.filled(ScalarIr::Float(0.0), &zeros.out),
            BaseOperationIr::Ones(ones) => self.filled(ScalarIr::Float(1.0), &ones.out),
            BaseOperationIr::MaskWhere(mask) => {
                let inputs = self.inputs(&[&mask.mask, &mask.value, &mask.tensor])?;
                self.emit("Where", &inputs, Vec::new(), &mask.out)
            }
            BaseOperationIr::MaskFill(fill) => {
                let inputs = self.inputs(&[&fill.mask, &fill.tensor])?;
                let value = self.scalar(fill.value, element(fill.tensor.dtype)?)?;
                self.emit("Where", &[inputs[0], value, inputs[1]], Vec::new(), &fill.out)
            }
            BaseOperationIr::Equal(equal) => {
                self.emit_binary("Equal", &equal.lhs, &equal.rhs, &equal.out)
            }
            BaseOperationIr::EqualElem(equal) => {
                self.emit_scalar("Equal", &equal.lhs, equal.rhs, &equal.out)
            }
            _ => Err(unsupported()),
        }
    }

    fn transpose(
        &mut self,
        input: &TensorIr,
        axes: Vec<usize>,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let inputs = self.inputs(&[input])?;
        self.emit("Transpose", &inputs, vec![("perm", integers(axes))], out)
    }

    /// `value` everywhere, in a size that changes with the input's (others are folded).
    pub(super) fn filled(&mut self, value: ScalarIr, out: &TensorIr) -> Result<(), Error> {
        let scalar = self.scalar(value, element(out.dtype)?)?;
        self.emit("Expand", &[scalar], Vec::new(), out)
    }

    fn repeat(&mut self, repeat: &RepeatDimOpIr) -> Result<(), Error> {
        let inputs = self.inputs(&[&repeat.tensor])?;
        let (from, to) = (self.shape(&repeat.tensor), self.shape(&repeat.out));
        if from[repeat.dim].constant() == Some(1) {
            return self.emit("Expand", &inputs, Vec::new(), &repeat.out);
        }
        if from[repeat.dim].times(repeat.times) != to[repeat.dim] {
            return Err(Error::depends_on_size(
                "how often it repeats changes with the size of the input",
            ));
        }
        let mut repeats = vec![1; from.len()];
        repeats[repeat.dim] = repeat.times as i64;
        let repeats = self.graph.integers(&repeats);
        self.emit("Tile", &[inputs[0], repeats], Vec::new(), &repeat.out)
    }

    fn slice(&mut self, twins: [&SliceOpIr; TRACES]) -> Result<(), Error> {
        let slice = twins[0];
        let lengths = self.shape(&slice.tensor);
        let (mut starts, mut ends, mut axes, mut steps) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (axis, &length) in lengths.iter().enumerate().take(slice.ranges.len()) {
            let ranges = twins.map(|twin| twin.ranges[axis]);
            let Some([start, end, step]) = bounds(ranges, length)? else { continue };
            starts.push(start);
            ends.push(end);
            steps.push(step);
            axes.push(axis as i64);
        }
        let mut inputs = self.inputs(&[&slice.tensor])?;
        for values in [starts, ends, axes, steps] {
            inputs.push(self.graph.integers(&values));
        }
        self.emit("Slice", &inputs, Vec::new(), &slice.out)
    }
}

/// Start, end and step for ONNX; `None` for a range that is the whole axis.
fn bounds(ranges: [Slice; TRACES], length: Extent) -> Result<Option<[i64; 3]>, Error> {
    let step = ranges[0].step;
    if step < 1 || ranges.iter().any(|range| range.step != step) {
        return Err(Error::unsupported("a slice that runs backwards"));
    }
    let from_front = |index: isize, trace: usize| {
        if index < 0 { index + length.0[trace] as isize } else { index }
    };
    let starts: [isize; TRACES] =
        std::array::from_fn(|trace| from_front(ranges[trace].start, trace));
    let ends: [isize; TRACES] = std::array::from_fn(|trace| match ranges[trace].end {
        None => length.0[trace] as isize,
        Some(end) => from_front(end, trace).min(length.0[trace] as isize),
    });
    let to_end = (0..TRACES).all(|trace| ends[trace] == length.0[trace] as isize);
    if to_end && step == 1 && starts == [0; TRACES] {
        return Ok(None);
    }
    let start = same(starts, length)?;
    let end = if to_end { i64::MAX } else { same(ends, length)? };
    Ok(Some([start, end, step as i64]))
}

/// An index that is the same in every recording, counted from the front or from the back.
fn same(indices: [isize; TRACES], length: Extent) -> Result<i64, Error> {
    let from_back: [isize; TRACES] =
        std::array::from_fn(|trace| indices[trace] - length.0[trace] as isize);
    [indices, from_back]
        .into_iter()
        .find(|candidate| candidate.iter().all(|index| *index == candidate[0]))
        .map(|candidate| candidate[0] as i64)
        .ok_or_else(|| Error::depends_on_size("a slice's bound changes with the size of the input"))
}

fn base(operation: &OperationIr) -> Option<&BaseOperationIr> {
    match operation {
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            Some(base)
        }
        _ => None,
    }
}

fn base_slice(operation: &OperationIr) -> Option<&SliceOpIr> {
    match base(operation) {
        Some(BaseOperationIr::Slice(slice)) => Some(slice),
        _ => None,
    }
}
