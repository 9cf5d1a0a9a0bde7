//! Runs an ONNX file in the engines that the zoo supports.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "test code")]
#![allow(dead_code, reason = "each test binary uses a part")]

use std::sync::OnceLock;

use tract_onnx::prelude::*;

/// A tensor as plain data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plain {
    pub(crate) dims: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Plain {
    /// Values in [-1, 1] that differ by `seed`.
    pub(crate) fn noise(dims: &[usize], seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let values = (0..dims.iter().product())
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        Self { dims: dims.to_vec(), values }
    }

    /// The largest difference between two tensors of the same size.
    pub(crate) fn distance(&self, other: &Self) -> f32 {
        assert_eq!(self.dims, other.dims);
        self.values.iter().zip(&other.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }
}

/// tract, with the input's sizes known before it optimises.
pub(crate) fn tract(file: &[u8], inputs: &[Plain]) -> Vec<Plain> {
    let mut model = tract_onnx::onnx().model_for_read(&mut &*file).unwrap();
    for (index, input) in inputs.iter().enumerate() {
        model = model.with_input_fact(index, f32::fact(&input.dims).into()).unwrap();
    }
    run_tract(model.into_optimized().unwrap(), inputs)
}

/// tract, optimised once for all sizes.
pub(crate) fn tract_symbolic(file: &[u8], inputs: &[Plain]) -> TractResult<Vec<Plain>> {
    let model = tract_onnx::onnx().model_for_read(&mut &*file)?.into_optimized()?;
    Ok(run_tract(model, inputs))
}

fn run_tract(model: TypedModel, inputs: &[Plain]) -> Vec<Plain> {
    let inputs = inputs
        .iter()
        .map(|input| Tensor::from_shape(&input.dims, &input.values).unwrap().into())
        .collect();
    let outputs = model.into_runnable().unwrap().run(inputs).unwrap();
    outputs
        .iter()
        .map(|output| {
            let view = output.to_plain_array_view::<f32>().unwrap();
            Plain { dims: view.shape().to_vec(), values: view.iter().copied().collect() }
        })
        .collect()
}

/// ONNX Runtime; `None` where its library is not named by `ORT_DYLIB_PATH`, which in CI is a failure.
pub(crate) fn onnx_runtime(file: &[u8], inputs: &[Plain]) -> Option<Vec<Plain>> {
    let Some(library) = std::env::var_os("ORT_DYLIB_PATH") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "ORT_DYLIB_PATH must name ONNX Runtime's library in CI"
        );
        eprintln!("SKIPPED: ONNX Runtime, since ORT_DYLIB_PATH does not name its library");
        return None;
    };
    static ENVIRONMENT: OnceLock<ort::environment::Environment> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| ort::init_from(library).unwrap().build().unwrap());
    let mut session =
        ort::session::Session::builder(environment).unwrap().commit_from_memory(file).unwrap();
    let values: Vec<ort::session::SessionInputValue<'_>> = inputs
        .iter()
        .map(|input| {
            ort::value::Tensor::from_array((input.dims.clone(), input.values.clone()))
                .unwrap()
                .into()
        })
        .collect();
    let outputs = session.run(values.as_slice()).unwrap();
    let outputs = outputs
        .iter()
        .map(|(_, value)| {
            let (shape, values) = value.try_extract_tensor::<f32>().unwrap();
            Plain {
                dims: shape.iter().map(|length| *length as usize).collect(),
                values: values.to_vec(),
            }
        })
        .collect();
    Some(outputs)
}
