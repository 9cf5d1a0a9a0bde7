use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ndarray::{Array4, ArrayView4, Ix4};
use tract_onnx::prelude::{
    DatumExt as _, Framework as _, InferenceModel, InferenceModelExt as _, IntoRunnable as _,
    IntoTensor as _, TValue, Tensor, TypedNode, TypedRunnableModel, TypedSimpleState, tract_linalg,
    tvec,
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
        // Whatever the environment says: it would round products to 8 bits.
        tract_linalg::knobs::TRACT_AMX_BF16.set(false);
        let signature = Signature::read(onnx)?;
        let model =
            guarded("cannot read the network", || tract_onnx::onnx().model_for_read(&mut &*onnx))?;
        Ok(Box::new(TractNetwork { model: Arc::new(model), signature, plans: Arc::default() }))
    }
}

/// What a node takes without its weights, and what the allocator keeps for it; as measured.
const NODE: u64 = 8_000;

/// The shape `[n, c, h, w]` of a batch.
type BatchShape = [usize; 4];

struct TractNetwork {
    model: Arc<InferenceModel>,
    signature: Signature,
    plans: Arc<Mutex<Plans>>,
}

impl TractNetwork {
    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Networks made ready for a shape, the most recently used last. All forks share them.
struct Plans {
    /// Each plan holds its own packed weights, so there are no more than this.
    most: usize,
    ready: Vec<Ready>,
}

impl Default for Plans {
    fn default() -> Self {
        Self { most: 1, ready: Vec::new() }
    }
}

/// A network made ready for a shape.
struct Ready {
    shape: BatchShape,
    plan: Arc<TypedRunnableModel>,
    /// Scratch memory that no run uses at the moment.
    idle: Vec<TypedSimpleState>,
}

impl Plans {
    /// What a run of `shape` needs; [`Plans::give_back`] takes it afterwards.
    fn lend(
        &mut self,
        shape: BatchShape,
        model: &InferenceModel,
    ) -> Result<TypedSimpleState, Error> {
        let mut ready = match self.ready.iter().position(|ready| ready.shape == shape) {
            Some(position) => self.ready.remove(position),
            None => {
                // First, so that there never are more.
                self.drop_to(self.most - 1);
                Ready { shape, plan: prepare(shape, model)?, idle: Vec::new() }
            }
        };
        let state = match ready.idle.pop() {
            Some(state) => Ok(state),
            None => guarded("cannot start the network", || ready.plan.spawn()),
        };
        self.ready.push(ready);
        state
    }

    fn give_back(&mut self, state: TypedSimpleState) {
        let of = |ready: &&mut Ready| Arc::ptr_eq(&ready.plan, state.plan());
        if let Some(ready) = self.ready.iter_mut().find(of) {
            ready.idle.push(state);
        }
    }

    fn drop_to(&mut self, most: usize) {
        self.ready.drain(..self.ready.len().saturating_sub(most));
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
        let mut state = self.plans().lend(shape, &self.model)?;
        let outputs = guarded(&format!("the network fails on {}", shown(shape)), || {
            let mut inputs = tvec![TValue::from(Tensor::from(x.to_owned()))];
            let times =
                times.iter().map(|&time| Tensor::from(ndarray::Array1::from_elem(shape[0], time)));
            inputs.extend(times.map(TValue::from));
            state.run(inputs)?.into_iter().map(into_array).collect::<Result<Vec<_>, _>>()
        })?;
        self.plans().give_back(state);
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
            let running = running.unwrap_or(0) as u64;
            let nodes = NODE * model.nodes().len() as u64;
            // While the network is made ready there is one more graph of it; they share the weights.
            let weights = weights as u64 + nodes;
            Ok(Footprint {
                weights,
                own_weights: false,
                running,
                preparing: nodes,
                keeps_more: false,
            })
        })
    }

    fn fork(&self) -> Result<Box<dyn Network>, Error> {
        Ok(Box::new(Self {
            model: Arc::clone(&self.model),
            signature: self.signature.clone(),
            plans: Arc::clone(&self.plans),
        }))
    }

    fn keep(&self, shapes: usize) {
        let mut plans = self.plans();
        plans.most = shapes.max(1);
        plans.drop_to(shapes);
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
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
            Err(Error::new(ErrorKind::Network, format!("{what}: tract gave up on it: {text}")))
        }
    }
}

fn shown([n, c, h, w]: BatchShape) -> String {
    format!("a batch of {n} with {c} channels of {h}×{w} pixels")
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use tract_onnx::pb::{
        GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TypeProto, ValueInfoProto,
        type_proto,
    };

    use super::*;

    /// `y = tanh(x)`.
    fn network() -> TractNetwork {
        let tensor = type_proto::Tensor { elem_type: 1, shape: None };
        let value = |name: &str| ValueInfoProto {
            name: name.to_owned(),
            r#type: Some(TypeProto {
                value: Some(type_proto::Value::TensorType(tensor.clone())),
                ..TypeProto::default()
            }),
            ..ValueInfoProto::default()
        };
        let node = NodeProto {
            op_type: "Tanh".to_owned(),
            input: vec!["x".to_owned()],
            output: vec!["y".to_owned()],
            ..NodeProto::default()
        };
        let graph = GraphProto {
            node: vec![node],
            input: vec![value("x")],
            output: vec![value("y")],
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
            graph: Some(graph),
            ..ModelProto::default()
        };
        let onnx = model.encode_to_vec();
        TractNetwork {
            model: Arc::new(tract_onnx::onnx().model_for_read(&mut &*onnx).unwrap()),
            signature: Signature::read(&onnx).unwrap(),
            plans: Arc::default(),
        }
    }

    fn shapes(network: &TractNetwork) -> Vec<BatchShape> {
        network.plans().ready.iter().map(|ready| ready.shape).collect()
    }

    #[test]
    fn an_error_says_what_tract_panicked_with() {
        let error = guarded("cannot", || -> tract_onnx::prelude::TractResult<()> {
            panic!("no {}", "rank")
        });
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "cannot: tract gave up on it: no rank");
    }

    #[test]
    fn products_are_not_rounded_whatever_the_environment_says() {
        tract_linalg::knobs::TRACT_AMX_BF16.set(true);
        assert!(Tract.load(b"no network", &EngineOptions::default()).is_err());
        assert!(!tract_linalg::knobs::TRACT_AMX_BF16.get());
    }

    #[test]
    fn no_more_shapes_are_kept_ready_than_was_said() {
        let mut network = network();
        let mut fork = network.fork().unwrap();
        let [a, b, c] = [8, 16, 32].map(|side| [1, 3, side, side]);
        let run = |network: &mut dyn Network, shape: BatchShape| {
            let outputs = network.run(Array4::zeros(shape).view(), &[]).unwrap();
            assert_eq!(outputs[0].shape(), shape);
        };
        run(&mut network, a);
        run(&mut *fork, a);
        let plan = Arc::downgrade(&network.plans().ready[0].plan);
        run(&mut network, b);
        assert!(plan.upgrade().is_none(), "the fork still holds its first plan");
        assert_eq!(shapes(&network), [b]);

        fork.keep(2);
        run(&mut network, a);
        run(&mut *fork, b);
        assert_eq!(shapes(&network), [a, b]);
        run(&mut network, c);
        assert_eq!(shapes(&network), [b, c]);
        network.keep(1);
        assert_eq!(shapes(&network), [c]);
    }
}
