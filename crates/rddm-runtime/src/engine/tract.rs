use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use ndarray::{Array4, ArrayView4, Ix4};
use tract_onnx::prelude::{
    DatumExt as _, Framework as _, InferenceModel, InferenceModelExt as _, IntoRunnable as _,
    IntoTensor as _, TValue, Tensor, TypedNode, TypedRunnableModel, TypedSimpleState, tvec,
};
use tract_onnx::tract_core::ops::konst::Const;

use super::{Device, DeviceInfo, Engine, EngineOptions, Footprint, Network};
use crate::{Error, ErrorKind, onnx::Signature};

/// tract: pure Rust, on the processor, always there.
pub(super) struct Tract;

impl Engine for Tract {
    fn name(&self) -> &'static str {
        "tract"
    }

    fn summary(&self) -> &'static str {
        "tract, pure Rust, on the processor"
    }

    fn devices(&self, _: &EngineOptions) -> Result<Vec<DeviceInfo>, Error> {
        let detail = format!("{} processor", std::env::consts::ARCH);
        Ok(vec![DeviceInfo { device: Device::Cpu, available: true, detail }])
    }

    fn load(&self, onnx: &[u8], options: &EngineOptions) -> Result<Box<dyn Network>, Error> {
        match &options.device {
            Device::Cpu | Device::Auto => {}
            other => {
                let what = format!(
                    "the engine tract runs on the processor alone; ask for the device cpu, or for another engine to have {other}"
                );
                return Err(Error::new(ErrorKind::Device, what));
            }
        }
        let signature = Signature::read(onnx)?;
        let model =
            guarded("cannot read the network", || tract_onnx::onnx().model_for_read(&mut &*onnx))?;
        Ok(Box::new(TractNetwork {
            model: Arc::new(model),
            signature,
            plans: Arc::default(),
            state: None,
        }))
    }
}

/// The shape `[n, c, h, w]` of a batch.
type BatchShape = [usize; 4];

struct TractNetwork {
    model: Arc<InferenceModel>,
    signature: Signature,
    plans: Arc<Mutex<Plans>>,
    /// The plan that ran last, with its scratch memory.
    state: Option<(BatchShape, TypedSimpleState)>,
}

/// Networks made ready for a shape, the most recently used last. All forks share them.
#[derive(Default)]
struct Plans(Vec<(BatchShape, Arc<TypedRunnableModel>)>);

impl Plans {
    /// Each plan holds its own packed weights, so there are few.
    const MOST: usize = 4;

    fn get(
        &mut self,
        shape: BatchShape,
        model: &InferenceModel,
    ) -> Result<Arc<TypedRunnableModel>, Error> {
        let found = self.0.iter().position(|(known, _)| *known == shape);
        let entry = match found {
            Some(position) => self.0.remove(position),
            None => (shape, prepare(shape, model)?),
        };
        let plan = Arc::clone(&entry.1);
        if self.0.len() == Self::MOST {
            self.0.remove(0);
        }
        self.0.push(entry);
        Ok(plan)
    }
}

fn prepare(shape: BatchShape, model: &InferenceModel) -> Result<Arc<TypedRunnableModel>, Error> {
    guarded(&format!("cannot make the network ready for {}", shown(shape)), || {
        let mut model = model.clone();
        for input in 0..model.inputs.len() {
            let fact = if input == 0 { f32::fact(shape) } else { f32::fact([shape[0]]) };
            model.set_input_fact(input, fact.into())?;
        }
        model.into_optimized()?.into_runnable()
    })
}

impl Network for TractNetwork {
    fn inputs(&self) -> &[String] {
        &self.signature.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.signature.outputs
    }

    fn device(&self) -> &str {
        "cpu"
    }

    fn run(&mut self, x: ArrayView4<'_, f32>, times: &[f32]) -> Result<Vec<Array4<f32>>, Error> {
        let shape: BatchShape = x.dim().into();
        let mut state = match self.state.take() {
            Some((known, state)) if known == shape => state,
            _ => {
                let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
                let plan = plans.get(shape, &self.model)?;
                guarded("cannot start the network", || plan.spawn())?
            }
        };
        let outputs = guarded(&format!("the network fails on {}", shown(shape)), || {
            let mut inputs = tvec![TValue::from(Tensor::from(x.to_owned()))];
            let times =
                times.iter().map(|&time| Tensor::from(ndarray::Array1::from_elem(shape[0], time)));
            inputs.extend(times.map(TValue::from));
            state.run(inputs)?.into_iter().map(into_array).collect::<Result<Vec<_>, _>>()
        })?;
        self.state = Some((shape, state));
        Ok(outputs)
    }

    fn footprint(&self, shape: BatchShape) -> Result<Footprint, Error> {
        let plan = prepare(shape, &self.model)?;
        guarded("cannot tell the network's memory", || {
            let model = plan.model();
            let order = plan.order_without_consts();
            let moves = |node: &TypedNode| !node.op_is::<Const>();
            let steps = model.eval_tmp_memory_usage(order, moves)?;
            let running = steps.iter().filter_map(|(_, bytes)| bytes.to_i64().ok()).max();
            let constants = model.nodes().iter().filter(|node| node.op_is::<Const>());
            let weights = constants
                .flat_map(|node| &node.outputs)
                .filter_map(|output| output.fact.mem_size().to_i64().ok())
                .sum::<i64>();
            Ok(Footprint { weights: weights as u64, running: running.unwrap_or(0) as u64 })
        })
    }

    fn fork(&self) -> Result<Box<dyn Network>, Error> {
        Ok(Box::new(Self {
            model: Arc::clone(&self.model),
            signature: self.signature.clone(),
            plans: Arc::clone(&self.plans),
            state: None,
        }))
    }
}

fn into_array(value: TValue) -> tract_onnx::prelude::TractResult<Array4<f32>> {
    let array = value.into_tensor().into_plain_array::<f32>()?;
    Ok(array.into_dimensionality::<Ix4>()?)
}

/// Runs a part of tract. Networks are verified, not trusted: some malformed graphs make tract panic.
fn guarded<T>(
    what: &str,
    part: impl FnOnce() -> tract_onnx::prelude::TractResult<T>,
) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(part)) {
        Ok(Ok(value)) => Ok(value),
        // tract's chain of contexts names the node.
        Ok(Err(error)) => Err(Error::new(ErrorKind::Network, format!("{what} (tract): {error:#}"))),
        Err(_) => Err(Error::new(ErrorKind::Network, format!("{what}: tract gave up on it"))),
    }
}

fn shown([n, c, h, w]: BatchShape) -> String {
    format!("a batch of {n} with {c} channels of {h}×{w} pixels")
}
