//! Layers that burn records whole.

use burn::tensor::ops::InterpolateMode;
use burn_ir::{
    AttentionOpIr, Conv2dOpIr, Conv2dOptionsIr, ConvTranspose2dOpIr, InterpolateModeIr,
    InterpolateOpIr, LayerNormOpIr, LinearOpIr, ModuleOperationIr, TensorIr,
};

use super::{Lowering, integers, unsupported};
use crate::Error;
use crate::dims::{Extent, TRACES};
use crate::graph::{Attribute, Constant, Element, ValueId};

impl Lowering<'_> {
    pub(super) fn module(&mut self, operation: &ModuleOperationIr) -> Result<(), Error> {
        use ModuleOperationIr as Op;
        match operation {
            Op::Linear(op) => self.linear(op),
            Op::Conv2d(op) => self.conv2d(op),
            Op::ConvTranspose2d(op) => self.conv_transpose2d(op),
            Op::LayerNorm(op) => self.layer_norm(op),
            Op::Attention(op) => self.attention(op),
            Op::Interpolate(op) => self.interpolate(op),
            Op::BatchNorm(op) => {
                let inputs = self.inputs(&[&op.x, &op.gamma, &op.beta, &op.mean, &op.variance])?;
                let epsilon = Attribute::Float(op.epsilon.elem::<f32>());
                self.emit("BatchNormalization", &inputs, vec![("epsilon", epsilon)], &op.out)
            }
            Op::AvgPool2d(op) if !op.ceil_mode => {
                let inputs = self.inputs(&[&op.x])?;
                let attributes = vec![
                    ("kernel_shape", integers(op.kernel_size)),
                    ("strides", integers(op.stride)),
                    ("pads", integers(op.padding.into_iter().chain(op.padding))),
                    ("count_include_pad", Attribute::Int(i64::from(op.count_include_pad))),
                ];
                self.emit("AveragePool", &inputs, attributes, &op.out)
            }
            Op::MaxPool2d(op) if !op.ceil_mode && op.dilation == [1, 1] => {
                let inputs = self.inputs(&[&op.x])?;
                let attributes = vec![
                    ("kernel_shape", integers(op.kernel_size)),
                    ("strides", integers(op.stride)),
                    ("pads", integers(op.padding.into_iter().chain(op.padding))),
                ];
                self.emit("MaxPool", &inputs, attributes, &op.out)
            }
            Op::AdaptiveAvgPool2d(op) if self.shape(&op.out)[2..] == [Extent::fixed(1); 2] => {
                self.emit_unary("GlobalAveragePool", &op.x, &op.out)
            }
            _ => Err(unsupported()),
        }
    }

    /// `x · weight + bias`, `weight` being `[in, out]`.
    fn linear(&mut self, op: &LinearOpIr) -> Result<(), Error> {
        let tensors: Vec<&TensorIr> =
            [Some(&op.x), Some(&op.weight), op.bias.as_ref()].into_iter().flatten().collect();
        let inputs = self.inputs(&tensors)?;
        if self.shape(&op.x).len() == 2 {
            return self.emit("Gemm", &inputs, Vec::new(), &op.out);
        }
        match inputs.get(2) {
            None => self.emit("MatMul", &inputs, Vec::new(), &op.out),
            Some(bias) => {
                let product = self.step("MatMul", &inputs[..2], &op.out);
                self.emit("Add", &[product, *bias], Vec::new(), &op.out)
            }
        }
    }

    fn conv2d(&mut self, op: &Conv2dOpIr) -> Result<(), Error> {
        let tensors: Vec<&TensorIr> =
            [Some(&op.x), Some(&op.weight), op.bias.as_ref()].into_iter().flatten().collect();
        let inputs = self.inputs(&tensors)?;
        let kernel = self.fixed(&op.weight, &[2, 3])?;
        self.convolution(&inputs, kernel, &op.options, &op.out)
    }

    pub(super) fn convolution(
        &mut self,
        inputs: &[ValueId],
        kernel: [usize; 2],
        options: &Conv2dOptionsIr,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let [(top, bottom), (left, right)] = options.padding;
        let attributes = vec![
            ("kernel_shape", integers(kernel)),
            ("strides", integers(options.stride)),
            ("pads", integers([top, left, bottom, right])),
            ("dilations", integers(options.dilation)),
            ("group", Attribute::Int(options.groups as i64)),
        ];
        self.emit("Conv", inputs, attributes, out)
    }

    fn conv_transpose2d(&mut self, op: &ConvTranspose2dOpIr) -> Result<(), Error> {
        let tensors: Vec<&TensorIr> =
            [Some(&op.x), Some(&op.weight), op.bias.as_ref()].into_iter().flatten().collect();
        let inputs = self.inputs(&tensors)?;
        let kernel = self.fixed(&op.weight, &[2, 3])?;
        let padding = op.options.padding;
        let attributes = vec![
            ("kernel_shape", integers(kernel)),
            ("strides", integers(op.options.stride)),
            ("pads", integers(padding.into_iter().chain(padding))),
            ("output_padding", integers(op.options.padding_out)),
            ("dilations", integers(op.options.dilation)),
            ("group", Attribute::Int(op.options.groups as i64)),
        ];
        self.emit("ConvTranspose", &inputs, attributes, &op.out)
    }

    /// `(x - mean) / sqrt(variance + ε) · gamma + beta` over the last axis, in operators of every opset.
    fn layer_norm(&mut self, op: &LayerNormOpIr) -> Result<(), Error> {
        let x = self.input(&op.input)?;
        let gamma = self.input(&op.gamma)?;
        let epsilon = self.graph.scalar(op.epsilon.elem::<f32>());
        let mean = self.mean_of_last(x);
        let centred = self.step("Sub", &[x, mean], &op.input);
        let squares = self.step("Mul", &[centred, centred], &op.input);
        let variance = self.mean_of_last(squares);
        let narrow = self.graph.shape(variance).to_vec();
        let shifted = self.graph.add_node(
            "Add",
            &[variance, epsilon],
            Vec::new(),
            narrow.clone(),
            Element::Float,
        );
        let deviation = self.graph.add_node("Sqrt", &[shifted], Vec::new(), narrow, Element::Float);
        let normal = self.step("Div", &[centred, deviation], &op.input);
        match &op.beta {
            None => self.emit("Mul", &[normal, gamma], Vec::new(), &op.out),
            Some(beta) => {
                let beta = self.input(beta)?;
                let scaled = self.step("Mul", &[normal, gamma], &op.input);
                self.emit("Add", &[scaled, beta], Vec::new(), &op.out)
            }
        }
    }

    fn mean_of_last(&mut self, x: ValueId) -> ValueId {
        let mut shape = self.graph.shape(x).to_vec();
        let axis = shape.len() - 1;
        shape[axis] = Extent::fixed(1);
        let attributes = vec![("axes", integers([axis])), ("keepdims", Attribute::Int(1))];
        self.graph.add_node("ReduceMean", &[x], attributes, shape, Element::Float)
    }

    /// `softmax(q · kᵀ · scale) · v` over `[n, heads, tokens, width]`.
    fn attention(&mut self, op: &AttentionOpIr) -> Result<(), Error> {
        if op.mask.is_some()
            || op.attn_bias.is_some()
            || op.options.is_causal
            || op.options.softcap.is_some()
        {
            return Err(Error::unsupported("attention with a mask, a bias or a cap"));
        }
        let inputs = self.inputs(&[&op.query, &op.key, &op.value])?;
        let (query, key) = (self.shape(&op.query), self.shape(&op.key));
        let width = query[3]
            .constant()
            .ok_or_else(|| Error::depends_on_size("attention over a width that changes"))?;
        let scale =
            op.options.scale.map_or(1.0 / (width as f32).sqrt(), |scale| scale.elem::<f32>());
        let scale = self.graph.scalar(scale);
        let turned = vec![key[0], key[1], key[3], key[2]];
        let scores = vec![query[0], query[1], query[2], key[2]];
        let scaled = self.step("Mul", &[inputs[0], scale], &op.query);
        let key = self.graph.add_node(
            "Transpose",
            &[inputs[1]],
            vec![("perm", integers([0, 1, 3, 2]))],
            turned,
            Element::Float,
        );
        let score = self.graph.add_node(
            "MatMul",
            &[scaled, key],
            Vec::new(),
            scores.clone(),
            Element::Float,
        );
        let weight = self.graph.add_node(
            "Softmax",
            &[score],
            vec![("axis", Attribute::Int(3))],
            scores,
            Element::Float,
        );
        self.emit("MatMul", &[weight, inputs[2]], Vec::new(), &op.out)
    }

    /// Enlarging or shrinking by factors that do not depend on the size.
    fn interpolate(&mut self, op: &InterpolateOpIr) -> Result<(), Error> {
        let x = self.input(&op.x)?;
        let (from, to) = (self.shape(&op.x), self.shape(&op.out));
        let mut scales = [1.0_f32; 4];
        for axis in [2, 3] {
            let factors: [f64; TRACES] =
                std::array::from_fn(|trace| to[axis].0[trace] as f64 / from[axis].0[trace] as f64);
            if factors.iter().any(|factor| *factor != factors[0]) {
                return Err(Error::depends_on_size(
                    "the factor of a resize changes with the size of the input",
                ));
            }
            scales[axis] = factors[0] as f32;
        }
        let (mode, coordinates) = match (&op.options.mode, op.options.align_corners) {
            (InterpolateModeIr::Nearest, _) => ("nearest", "asymmetric"),
            (InterpolateModeIr::Bilinear, true) => ("linear", "align_corners"),
            (InterpolateModeIr::Bilinear, false) => ("linear", "half_pixel"),
            (mode, _) => {
                return Err(Error::unsupported(format!(
                    "a resize of mode {:?}",
                    InterpolateMode::from(mode.clone())
                )));
            }
        };
        let scales = self.graph.add_constant(Constant::floats(&[4], &scales), None);
        self.emit(
            "Resize",
            &[x],
            vec![
                ("mode", Attribute::Text(mode)),
                ("coordinate_transformation_mode", Attribute::Text(coordinates)),
                ("nearest_mode", Attribute::Text("floor")),
            ],
            &op.out,
        )?;
        if let Some(node) = self.graph.nodes.last_mut() {
            node.inputs.extend([None, Some(scales)]);
        }
        Ok(())
    }

    fn fixed<const N: usize>(
        &self,
        tensor: &TensorIr,
        axes: &[usize; N],
    ) -> Result<[usize; N], Error> {
        let shape = self.shape(tensor);
        let mut lengths = [0; N];
        for (length, axis) in lengths.iter_mut().zip(axes) {
            *length = shape[*axis]
                .constant()
                .ok_or_else(|| Error::depends_on_size("a kernel's size changes"))?;
        }
        Ok(lengths)
    }
}
