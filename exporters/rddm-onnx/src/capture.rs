//! One recording of a forward pass.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use burn_ir::{NumericOperationIr, OperationIr, TensorId};

use crate::spec::ExportSpec;
use crate::{Error, dims::Symbols};

/// Where a forward pass is recorded: its inputs come from here, its outputs are handed back.
pub struct Scope<'a> {
    device: &'a Device,
    spec: &'a ExportSpec,
    inputs: Vec<Box<dyn Any>>,
    outputs: RefCell<HashMap<String, Mark>>,
    names: RefCell<HashMap<u64, String>>,
}

/// Records one more operation, by which an output is found again.
type Mark = Box<dyn FnOnce()>;

impl Scope<'_> {
    /// The device that records. Constant tensors of the forward pass are made on it.
    pub fn device(&self) -> &Device {
        self.device
    }

    /// The input `name` with `D` axes.
    ///
    /// # Errors
    /// When the specification has no such input or gives it another number of axes.
    pub fn input<const D: usize>(&self, name: &str) -> Result<Tensor<D>, Error> {
        let index =
            self.spec.inputs.iter().position(|input| input.name == name).ok_or_else(|| {
                Error::specification(format!(
                    "the forward pass asks for the input `{name}`, which is not specified"
                ))
            })?;
        self.inputs[index].downcast_ref::<Tensor<D>>().cloned().ok_or_else(|| {
            let rank = self.spec.inputs[index].dims.len();
            Error::specification(format!(
                "the input `{name}` has {rank} axes, the forward pass asks for {D}"
            ))
        })
    }

    /// `module` on the recording device. Its parameters keep their paths as names in the file.
    ///
    /// # Errors
    /// When a device of `module` is set up for training, which cannot be recorded.
    pub fn module<M: Module>(&self, module: &M) -> Result<M, Error> {
        if module.devices().iter().any(Device::is_autodiff) {
            return Err(Error::capture(
                "the network lies on a device with autodiff, whose forward pass cannot be recorded; load it on a plain device",
            ));
        }
        module.visit(&mut Names { path: Vec::new(), names: &mut self.names.borrow_mut() });
        Ok(module.clone().to_device(self.device))
    }

    /// Declares `tensor` as the output `name`.
    ///
    /// # Errors
    /// When the specification has no such output, or it was declared before.
    pub fn output<const D: usize>(&self, name: &str, tensor: Tensor<D>) -> Result<(), Error> {
        if !self.spec.outputs.iter().any(|output| output == name) {
            return Err(Error::specification(format!(
                "the forward pass gives the output `{name}`, which is not specified"
            )));
        }
        let mark: Mark = Box::new(move || drop(tensor.neg()));
        match self.outputs.borrow_mut().insert(name.to_owned(), mark) {
            None => Ok(()),
            Some(_) => Err(Error::specification(format!(
                "the forward pass gives the output `{name}` twice"
            ))),
        }
    }
}

/// The operations of one recording, with the values that they start from.
pub(crate) struct Trace {
    pub operations: Vec<OperationIr>,
    pub values: BTreeMap<TensorId, TensorData>,
    pub inputs: Vec<TensorId>,
    pub outputs: Vec<TensorId>,
    /// Paths of parameters by [`fingerprint`].
    pub names: HashMap<u64, String>,
}

/// Records `forward` at the sizes that the symbols have in trace `index`.
pub(crate) fn record(
    spec: &ExportSpec,
    symbols: &Symbols,
    index: usize,
    forward: &impl Fn(&Scope<'_>) -> Result<(), Error>,
) -> Result<Trace, Error> {
    let device = Device::capture();
    let mut result = Ok(HashMap::new());
    let captured = device
        .capture_scope(|capture| {
            result = trace(&device, spec, symbols, index, forward);
            // Boundaries are found by order below: to name them here would take tensors' identities,
            // which burn shows only with a feature that rebuilds it whole.
            capture.complete([], [])
        })
        .map_err(|error| {
            Error::capture(format!("burn could not record the forward pass: {error}"))
        })?;
    let names = result?;

    let mut operations = captured.graph.operations;
    // The inputs were the first tensors of the scope, and identities only grow.
    let inputs: Vec<TensorId> = captured.values.keys().take(spec.inputs.len()).copied().collect();
    // The last operations are the marks, one for each output.
    let marks = operations.split_off(operations.len().saturating_sub(spec.outputs.len()));
    let outputs = marks
        .iter()
        .map(|mark| match mark {
            OperationIr::NumericFloat(_, NumericOperationIr::Neg(mark)) => Ok(mark.input.id),
            other => Err(Error::capture(format!(
                "the recording does not end in its outputs but in {other:?}"
            ))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Trace { operations, values: captured.values, inputs, outputs, names })
}

/// Runs `forward` in a scope and answers the parameters' names.
fn trace(
    device: &Device,
    spec: &ExportSpec,
    symbols: &Symbols,
    index: usize,
    forward: &impl Fn(&Scope<'_>) -> Result<(), Error>,
) -> Result<HashMap<u64, String>, Error> {
    let inputs = spec
        .inputs
        .iter()
        .map(|input| {
            let lengths: Vec<usize> =
                input.dims.iter().map(|dim| symbols.extent(dim).0[index]).collect();
            placeholder(&lengths, device).ok_or_else(|| {
                Error::specification(format!("the input `{}` has not 1 to 6 axes", input.name))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let scope =
        Scope { device, spec, inputs, outputs: RefCell::default(), names: RefCell::default() };
    forward(&scope)?;
    let mut outputs = scope.outputs.into_inner();
    for name in &spec.outputs {
        let mark = outputs.remove(name).ok_or_else(|| {
            Error::specification(format!("the forward pass does not give the output `{name}`"))
        })?;
        mark();
    }
    Ok(scope.names.into_inner())
}

/// A tensor of that size that comes from outside the recording.
fn placeholder(lengths: &[usize], device: &Device) -> Option<Box<dyn Any>> {
    fn of<const D: usize>(lengths: &[usize], device: &Device) -> Option<Box<dyn Any>> {
        let lengths: [usize; D] = lengths.try_into().ok()?;
        Some(Box::new(Tensor::<D>::zeros(lengths, &Device::flex()).to_device(device)))
    }
    match lengths.len() {
        1 => of::<1>(lengths, device),
        2 => of::<2>(lengths, device),
        3 => of::<3>(lengths, device),
        4 => of::<4>(lengths, device),
        5 => of::<5>(lengths, device),
        6 => of::<6>(lengths, device),
        _ => None,
    }
}

/// Tells tensors of different content apart. The shape does not count: a bias seen as `[1, c]` keeps its name.
pub(crate) fn fingerprint(data: &TensorData) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data.bytes());
    hasher.finish()
}

/// Notes the path of every parameter.
struct Names<'a> {
    path: Vec<String>,
    names: &'a mut HashMap<u64, String>,
}

impl ModuleVisitor for Names<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.names.entry(fingerprint(&parameter.val().to_data())).or_insert_with(|| {
            let parts: Vec<&str> =
                self.path.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            parts.join(".")
        });
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        // The variant of an enum is no part of the path: the same weights have the same names without the enum.
        let part = if container.starts_with("Enum:") { "" } else { name };
        self.path.push(part.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}
