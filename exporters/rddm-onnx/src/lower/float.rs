//! Functions of real numbers, matrix products, activations.

use burn_ir::{ActivationOperationIr, BoolOperationIr, DimOpIr, FloatOperationIr};

use super::{Lowering, unsupported};
use crate::Error;
use crate::dims::Extent;
use crate::graph::{Attribute, Element, ValueId};

impl Lowering<'_> {
    pub(super) fn float(&mut self, operation: &FloatOperationIr) -> Result<(), Error> {
        use FloatOperationIr as Op;
        match operation {
            Op::Exp(op) => self.emit_unary("Exp", &op.input, &op.out),
            Op::Log(op) => self.emit_unary("Log", &op.input, &op.out),
            Op::Erf(op) => self.emit_unary("Erf", &op.input, &op.out),
            Op::Sqrt(op) => self.emit_unary("Sqrt", &op.input, &op.out),
            Op::Cos(op) => self.emit_unary("Cos", &op.input, &op.out),
            Op::Sin(op) => self.emit_unary("Sin", &op.input, &op.out),
            Op::Tanh(op) => self.emit_unary("Tanh", &op.input, &op.out),
            Op::Round(op) => self.emit_unary("Round", &op.input, &op.out),
            Op::Floor(op) => self.emit_unary("Floor", &op.input, &op.out),
            Op::Ceil(op) => self.emit_unary("Ceil", &op.input, &op.out),
            Op::Recip(op) => self.emit_unary("Reciprocal", &op.input, &op.out),
            Op::Powf(op) => self.emit_binary("Pow", &op.lhs, &op.rhs, &op.out),
            Op::PowfScalar(op) => self.power(&op.lhs, op.rhs, &op.out),
            Op::IntoInt(op) => self.cast(&op.input, &op.out),
            Op::Matmul(op) => self.emit_binary("MatMul", &op.lhs, &op.rhs, &op.out),
            _ => Err(unsupported()),
        }
    }

    pub(super) fn bool(&mut self, operation: &BoolOperationIr) -> Result<(), Error> {
        use BoolOperationIr as Op;
        match operation {
            Op::IntoFloat(op) | Op::IntoInt(op) => self.cast(&op.input, &op.out),
            Op::Not(op) => self.emit_unary("Not", &op.input, &op.out),
            Op::And(op) => self.emit_binary("And", &op.lhs, &op.rhs, &op.out),
            Op::Or(op) => self.emit_binary("Or", &op.lhs, &op.rhs, &op.out),
            Op::Xor(op) => self.emit_binary("Xor", &op.lhs, &op.rhs, &op.out),
        }
    }

    pub(super) fn activation(&mut self, operation: &ActivationOperationIr) -> Result<(), Error> {
        use ActivationOperationIr as Op;
        match operation {
            Op::Relu(op) => self.emit_unary("Relu", &op.input, &op.out),
            Op::Sigmoid(op) => self.emit_unary("Sigmoid", &op.input, &op.out),
            Op::LeakyRelu(op) => {
                let inputs = self.inputs(&[&op.lhs])?;
                let slope = Attribute::Float(op.rhs.elem::<f32>());
                self.emit("LeakyRelu", &inputs, vec![("alpha", slope)], &op.out)
            }
            Op::PRelu(op) => self.emit_binary("PRelu", &op.lhs, &op.rhs, &op.out),
            Op::Gelu(op) => {
                // x/2 · (1 + erf(x/√2)): the operator of that name is newer than the opset.
                let x = self.input(&op.input)?;
                let [root, one, half] = [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5]
                    .map(|value| self.graph.scalar(value));
                let scaled = self.step("Mul", &[x, root], &op.input);
                let erf = self.step("Erf", &[scaled], &op.input);
                let weight = self.step("Add", &[erf, one], &op.input);
                let halved = self.step("Mul", &[x, half], &op.input);
                self.emit("Mul", &[halved, weight], Vec::new(), &op.out)
            }
            Op::Softmax(op) if op.axis + 1 == self.shape(&op.input).len() => {
                let inputs = self.inputs(&[&op.input])?;
                let axis = Attribute::Int(op.axis as i64);
                self.emit("Softmax", &inputs, vec![("axis", axis)], &op.out)
            }
            Op::Softmax(op) => self.softmax_across(op),
            Op::LogSoftmax(op) => {
                let inputs = self.inputs(&[&op.input])?;
                self.emit(
                    "LogSoftmax",
                    &inputs,
                    vec![("axis", Attribute::Int(op.axis as i64))],
                    &op.out,
                )
            }
            _ => Err(unsupported()),
        }
    }

    /// `exp(x - max) / Σ exp(x - max)` over an axis that is not the last, in operators that run along the last:
    /// engines are slow where they walk the elements of one softmax with a stride.
    fn softmax_across(&mut self, op: &DimOpIr) -> Result<(), Error> {
        let x = self.input(&op.input)?;
        let greatest = self.greatest(x, op.axis)?;
        let shifted = self.step("Sub", &[x, greatest], &op.input);
        let powers = self.step("Exp", &[shifted], &op.input);
        let axes = self.graph.integers(&[op.axis as i64]);
        let shape = self.graph.shape(greatest).to_vec();
        let keep = vec![("keepdims", Attribute::Int(1))];
        let sum = self.graph.add_node("ReduceSum", &[powers, axes], keep, shape, Element::Float);
        self.emit("Div", &[powers, sum], Vec::new(), &op.out)
    }

    /// The maximum over an axis: of its two halves, of their halves, and so on (halves of an odd length overlap).
    fn greatest(&mut self, x: ValueId, axis: usize) -> Result<ValueId, Error> {
        let mut greatest = x;
        while self.graph.shape(greatest)[axis] != Extent::fixed(1) {
            let mut shape = self.graph.shape(greatest).to_vec();
            let length = shape[axis].constant().ok_or_else(|| {
                Error::depends_on_size("a softmax over an axis that changes and is not the last")
            })?;
            let half = length.div_ceil(2);
            shape[axis] = Extent::fixed(half);
            let halves = [0, length - half].map(|start| {
                let bounds = [start, start + half, axis, 1]
                    .map(|value| self.graph.integers(&[value as i64]));
                let inputs = [greatest, bounds[0], bounds[1], bounds[2], bounds[3]];
                self.graph.add_node("Slice", &inputs, Vec::new(), shape.clone(), Element::Float)
            });
            greatest = self.graph.add_node("Max", &halves, Vec::new(), shape, Element::Float);
        }
        Ok(greatest)
    }
}
