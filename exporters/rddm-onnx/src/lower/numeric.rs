//! Arithmetic, reductions, comparisons.

use burn_ir::{Conv2dOptionsIr, NumericOperationIr, PadModeIr, ReduceDimOpIr, ScalarIr, TensorIr};

use super::{Lowering, element, integers, unsupported};
use crate::Error;
use crate::dims::product;
use crate::graph::{Attribute, Constant, Element, ValueId};

impl Lowering<'_> {
    pub(super) fn numeric(&mut self, operation: &NumericOperationIr) -> Result<(), Error> {
        use NumericOperationIr as Op;
        match operation {
            Op::Add(op) => self.emit_binary("Add", &op.lhs, &op.rhs, &op.out),
            Op::AddScalar(op) => self.emit_scalar("Add", &op.lhs, op.rhs, &op.out),
            Op::Sub(op) => self.emit_binary("Sub", &op.lhs, &op.rhs, &op.out),
            Op::SubScalar(op) => self.emit_scalar("Sub", &op.lhs, op.rhs, &op.out),
            Op::Mul(op) => self.emit_binary("Mul", &op.lhs, &op.rhs, &op.out),
            Op::MulScalar(op) => self.emit_scalar("Mul", &op.lhs, op.rhs, &op.out),
            Op::Div(op) => self.emit_binary("Div", &op.lhs, &op.rhs, &op.out),
            Op::DivScalar(op) => self.emit_scalar("Div", &op.lhs, op.rhs, &op.out),
            Op::Powi(op) => self.emit_binary("Pow", &op.lhs, &op.rhs, &op.out),
            Op::PowiScalar(op) => self.power(&op.lhs, op.rhs, &op.out),
            Op::Abs(op) => self.emit_unary("Abs", &op.input, &op.out),
            Op::Neg(op) => self.emit_unary("Neg", &op.input, &op.out),
            Op::Sign(op) => self.emit_unary("Sign", &op.input, &op.out),
            Op::Full(op) => self.filled(op.value, &op.out),
            Op::Clamp(op) => self.clip(&op.tensor, Some(op.min), Some(op.max), &op.out),
            Op::ClampMin(op) => self.clip(&op.lhs, Some(op.rhs), None, &op.out),
            Op::ClampMax(op) => self.clip(&op.lhs, None, Some(op.rhs), &op.out),
            Op::MeanDim(op) => self.mean(op),
            Op::MaxDim(op) => self.reduce_axis("ReduceMax", op),
            Op::MinDim(op) => self.reduce_axis("ReduceMin", op),
            Op::ProdDim(op) => self.reduce_axis("ReduceProd", op),
            Op::SumDim(op) => self.sum(&op.input, &[op.axis], &op.out),
            Op::SumDims(op) => self.sum(&op.input, &op.axes, &op.out),
            Op::Sum(op) => {
                let axes: Vec<usize> = (0..self.shape(&op.input).len()).collect();
                self.sum(&op.input, &axes, &op.out)
            }
            Op::Mean(op) => {
                let axes: Vec<usize> = (0..self.shape(&op.input).len()).collect();
                self.reduce("ReduceMean", &op.input, &axes, &op.out)
            }
            Op::Greater(op) => self.emit_binary("Greater", &op.lhs, &op.rhs, &op.out),
            Op::GreaterElem(op) => self.emit_scalar("Greater", &op.lhs, op.rhs, &op.out),
            Op::GreaterEqual(op) => self.emit_binary("GreaterOrEqual", &op.lhs, &op.rhs, &op.out),
            Op::GreaterEqualElem(op) => {
                self.emit_scalar("GreaterOrEqual", &op.lhs, op.rhs, &op.out)
            }
            Op::Lower(op) => self.emit_binary("Less", &op.lhs, &op.rhs, &op.out),
            Op::LowerElem(op) => self.emit_scalar("Less", &op.lhs, op.rhs, &op.out),
            Op::LowerEqual(op) => self.emit_binary("LessOrEqual", &op.lhs, &op.rhs, &op.out),
            Op::LowerEqualElem(op) => self.emit_scalar("LessOrEqual", &op.lhs, op.rhs, &op.out),
            Op::Pad(op) => {
                let befores = op.padding.iter().map(|(before, _)| *before as i64);
                let afters = op.padding.iter().map(|(_, after)| *after as i64);
                let pads: Vec<i64> = befores.chain(afters).collect();
                let mut inputs = self.inputs(&[&op.input])?;
                inputs.push(self.graph.integers(&pads));
                let mode = match op.mode {
                    PadModeIr::Constant(value) => {
                        inputs.push(self.scalar(value, element(op.input.dtype)?)?);
                        "constant"
                    }
                    PadModeIr::Reflect => "reflect",
                    PadModeIr::Edge => "edge",
                };
                self.emit("Pad", &inputs, vec![("mode", Attribute::Text(mode))], &op.out)
            }
            _ => Err(unsupported()),
        }
    }

    /// `lhs^exponent`; squares and square roots by the operators that are fast everywhere.
    pub(super) fn power(
        &mut self,
        lhs: &TensorIr,
        exponent: ScalarIr,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let value = self.input(lhs)?;
        match exponent.elem::<f64>() {
            2.0 => self.emit("Mul", &[value, value], Vec::new(), out),
            0.5 => self.emit("Sqrt", &[value], Vec::new(), out),
            -1.0 => self.emit("Reciprocal", &[value], Vec::new(), out),
            exponent => self.emit_scalar("Pow", lhs, ScalarIr::Float(exponent), out),
        }
    }

    fn clip(
        &mut self,
        tensor: &TensorIr,
        least: Option<ScalarIr>,
        most: Option<ScalarIr>,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let tensor_value = self.input(tensor)?;
        let kind = element(tensor.dtype)?;
        let least = least.map(|least| self.scalar(least, kind)).transpose()?;
        let most = most.map(|most| self.scalar(most, kind)).transpose()?;
        let output =
            self.graph.add_node("Clip", &[tensor_value], Vec::new(), self.shape(out), kind);
        if let Some(node) = self.graph.nodes.last_mut() {
            node.inputs.push(least);
            if most.is_some() {
                node.inputs.push(most);
            }
        }
        self.map.insert(out.id, output);
        Ok(())
    }

    /// The mean over an axis. Over the channels of pictures it is a 1×1 convolution, whose layout the engines keep from the
    /// convolutions around it, and which ONNX Runtime computes in a fraction of a reduction's time.
    fn mean(&mut self, op: &ReduceDimOpIr) -> Result<(), Error> {
        let shape = self.shape(&op.input);
        let channels = match shape[..] {
            [_, channels, _, _] if op.axis == 1 => channels.constant(),
            _ => None,
        };
        let (Some(channels), Element::Float) = (channels, element(op.input.dtype)?) else {
            return self.reduce_axis("ReduceMean", op);
        };
        let shares = Constant::floats(&[1, channels, 1, 1], &vec![1.0 / channels as f32; channels]);
        let inputs = [self.input(&op.input)?, self.graph.add_constant(shares, None)];
        let options =
            Conv2dOptionsIr { stride: [1, 1], padding: [(0, 0); 2], dilation: [1, 1], groups: 1 };
        self.convolution(&inputs, [1, 1], &options, &op.out)
    }

    fn reduce_axis(&mut self, operator: &'static str, op: &ReduceDimOpIr) -> Result<(), Error> {
        self.reduce(operator, &op.input, &[op.axis], &op.out)
    }

    /// A reduction whose axes are an attribute (up to opset 17: all but the sum).
    fn reduce(
        &mut self,
        operator: &'static str,
        input: &TensorIr,
        axes: &[usize],
        out: &TensorIr,
    ) -> Result<(), Error> {
        let inputs = self.inputs(&[input])?;
        let attributes =
            vec![("axes", integers(axes.iter().copied())), ("keepdims", Attribute::Int(1))];
        self.reduced(operator, &inputs, attributes, input, axes, out)
    }

    /// The sum, whose axes are an input since opset 13.
    fn sum(&mut self, input: &TensorIr, axes: &[usize], out: &TensorIr) -> Result<(), Error> {
        let mut inputs = self.inputs(&[input])?;
        let list: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
        inputs.push(self.graph.add_constant(Constant::integers(&list), None));
        self.reduced("ReduceSum", &inputs, vec![("keepdims", Attribute::Int(1))], input, axes, out)
    }

    /// The reduction with its axes kept, then the shape that burn gives it.
    fn reduced(
        &mut self,
        operator: &'static str,
        inputs: &[ValueId],
        attributes: Vec<(&'static str, Attribute)>,
        input: &TensorIr,
        axes: &[usize],
        out: &TensorIr,
    ) -> Result<(), Error> {
        let mut shape = self.shape(input);
        for axis in axes {
            shape[*axis] = crate::dims::Extent::fixed(1);
        }
        if product(&shape) != product(&self.shape(out)) {
            return Err(unsupported());
        }
        if shape == self.shape(out) {
            return self.emit(operator, inputs, attributes, out);
        }
        let kept: ValueId =
            self.graph.add_node(operator, inputs, attributes, shape, Element::Float);
        self.emit("Reshape", &[kept], Vec::new(), out)
    }
}
