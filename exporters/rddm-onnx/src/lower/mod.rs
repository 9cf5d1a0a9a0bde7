//! burn's operations as ONNX operators.

mod base;
mod float;
mod module;
mod numeric;

use std::collections::HashMap;
use std::rc::Rc;

use burn::tensor::{DType, TensorData};
use burn_ir::{OperationIr, ScalarIr, TensorId, TensorIr};

use crate::Error;
use crate::capture::{Trace, fingerprint};
use crate::dims::{Extent, Symbols, TRACES};
use crate::fold::Folder;
use crate::graph::{Attribute, Attributes, Constant, Element, Graph, ValueId};
use crate::spec::ExportSpec;
use crate::unify::{Unified, name};

/// Lowers the recordings to a graph that still holds every operation.
pub(crate) fn lower(
    spec: &ExportSpec,
    symbols: Symbols,
    traces: &[Trace; TRACES],
    unified: &Unified,
) -> Result<Graph, Error> {
    let mut lowering = Lowering {
        traces,
        unified,
        graph: Graph::new(symbols),
        folder: Folder::new(traces, unified),
        map: HashMap::new(),
        place: None,
    };
    for (input, id) in spec.inputs.iter().zip(&traces[0].inputs) {
        let shape = input.dims.iter().map(|dim| lowering.graph.symbols.extent(dim)).collect();
        let value = lowering.graph.add_input(&input.name, shape);
        lowering.map.insert(*id, value);
    }
    for index in 0..traces[0].operations.len() {
        lowering.operation(index)?;
    }
    for (output, id) in spec.outputs.iter().zip(&traces[0].outputs) {
        let value = lowering.map.get(id).copied().ok_or_else(|| {
            Error::specification(format!(
                "the output `{output}` depends on no input: there is nothing to compute"
            ))
        })?;
        lowering.graph.outputs.push((output.clone(), value));
    }
    Ok(lowering.graph)
}

struct Lowering<'a> {
    traces: &'a [Trace; TRACES],
    unified: &'a Unified,
    graph: Graph,
    folder: Folder<'a>,
    /// Values of the graph by the tensors of the first recording.
    map: HashMap<TensorId, ValueId>,
    /// The module whose parameters were read last.
    place: Option<Rc<str>>,
}

impl Lowering<'_> {
    fn operation(&mut self, index: usize) -> Result<(), Error> {
        let operations: [&OperationIr; TRACES] =
            self.traces.each_ref().map(|trace| &trace.operations[index]);
        let operation = operations[0];
        if matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_)) {
            return Ok(());
        }
        if self.folder.can_compute(operation) {
            self.folder.compute(operation);
            return Ok(());
        }
        let before = self.graph.nodes.len();
        let result = match operation {
            OperationIr::BaseFloat(_) | OperationIr::BaseInt(_) | OperationIr::BaseBool(_) => {
                self.base(operations)
            }
            OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
                self.numeric(numeric)
            }
            OperationIr::Float(_, float) => self.float(float),
            OperationIr::Bool(bool) => self.bool(bool),
            OperationIr::Int(burn_ir::IntOperationIr::IntoFloat(cast)) => {
                self.cast(&cast.input, &cast.out)
            }
            OperationIr::Activation(activation) => self.activation(activation),
            OperationIr::Module(module) => self.module(module),
            _ => Err(unsupported()),
        };
        result.map_err(|error| self.locate(error, index, operation))?;
        // An operation's parameters name the place of every operator that it became.
        let place = self.graph.nodes[before..]
            .iter()
            .flat_map(|node| node.inputs.iter().flatten())
            .find_map(|id| {
                self.graph.value(*id).name.as_deref().filter(|_| self.graph.constant(*id).is_some())
            })
            .and_then(|path| path.rsplit_once('.'))
            .map(|(module, _)| Rc::from(module));
        if place.is_some() {
            self.place.clone_from(&place);
        }
        for node in &mut self.graph.nodes[before..] {
            node.place.clone_from(&place);
        }
        Ok(())
    }

    fn locate(&self, error: Error, index: usize, operation: &OperationIr) -> Error {
        let near =
            self.place.as_deref().map(|place| format!(", after `{place}`")).unwrap_or_default();
        error.at(&format!("operation {index}, {}{near}", name(operation)))
    }

    /// The graph's value of a tensor that an operation reads.
    fn input(&mut self, tensor: &TensorIr) -> Result<ValueId, Error> {
        if let Some(value) = self.map.get(&tensor.id) {
            return Ok(*value);
        }
        if !self.folder.is_constant(tensor.id) {
            return Err(if self.folder.varies(tensor.id) {
                Error::depends_on_size("it reads data that change with the size of the input")
            } else {
                Error::capture(format!("it reads {}, which nothing made", tensor.id))
            });
        }
        let data = self.folder.data(tensor)?;
        let name = self.traces[0].names.get(&fingerprint(&data)).cloned();
        let value = self.graph.add_constant(constant(&data)?, name);
        self.map.insert(tensor.id, value);
        Ok(value)
    }

    fn inputs(&mut self, tensors: &[&TensorIr]) -> Result<Vec<ValueId>, Error> {
        tensors.iter().map(|tensor| self.input(tensor)).collect()
    }

    fn shape(&self, tensor: &TensorIr) -> Vec<Extent> {
        self.unified.shape(tensor)
    }

    /// Adds the operator that makes `out`.
    fn emit(
        &mut self,
        operator: &'static str,
        inputs: &[ValueId],
        attributes: Attributes,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let value =
            self.graph.add_node(operator, inputs, attributes, self.shape(out), element(out.dtype)?);
        self.map.insert(out.id, value);
        Ok(())
    }

    /// Adds an operator whose result has the shape of `like` and is not a tensor of burn.
    fn step(&mut self, operator: &'static str, inputs: &[ValueId], like: &TensorIr) -> ValueId {
        self.graph.add_node(operator, inputs, Vec::new(), self.shape(like), Element::Float)
    }

    fn emit_unary(
        &mut self,
        operator: &'static str,
        input: &TensorIr,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let inputs = self.inputs(&[input])?;
        self.emit(operator, &inputs, Vec::new(), out)
    }

    fn emit_binary(
        &mut self,
        operator: &'static str,
        lhs: &TensorIr,
        rhs: &TensorIr,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let inputs = self.inputs(&[lhs, rhs])?;
        self.emit(operator, &inputs, Vec::new(), out)
    }

    fn emit_scalar(
        &mut self,
        operator: &'static str,
        lhs: &TensorIr,
        rhs: ScalarIr,
        out: &TensorIr,
    ) -> Result<(), Error> {
        let lhs_value = self.input(lhs)?;
        let rhs_value = self.scalar(rhs, element(lhs.dtype)?)?;
        self.emit(operator, &[lhs_value, rhs_value], Vec::new(), out)
    }

    fn scalar(&mut self, scalar: ScalarIr, element: Element) -> Result<ValueId, Error> {
        let constant = match element {
            Element::Float => Constant::floats(&[], &[scalar.elem::<f32>()]),
            Element::Int64 => {
                Constant { dims: Vec::new(), ..Constant::integers(&[scalar.elem::<i64>()]) }
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "a scalar beside elements of type {element:?}"
                )));
            }
        };
        Ok(self.graph.add_constant(constant, None))
    }

    fn cast(&mut self, input: &TensorIr, out: &TensorIr) -> Result<(), Error> {
        let inputs = self.inputs(&[input])?;
        let target = Attribute::Int(element(out.dtype)? as i64);
        self.emit("Cast", &inputs, vec![("to", target)], out)
    }
}

fn unsupported() -> Error {
    Error::unsupported("this operation has no lowering to ONNX")
}

fn element(dtype: DType) -> Result<Element, Error> {
    match dtype {
        DType::F32 => Ok(Element::Float),
        DType::F64 => Ok(Element::Double),
        DType::I64 => Ok(Element::Int64),
        DType::I32 => Ok(Element::Int32),
        DType::Bool(_) => Ok(Element::Bool),
        other => Err(Error::unsupported(format!("elements of type {other:?}"))),
    }
}

fn constant(data: &TensorData) -> Result<Constant, Error> {
    let element = element(data.dtype())?;
    let bytes = match data.dtype() {
        DType::Bool(_) if data.dtype().size() == 4 => {
            data.bytes().chunks_exact(4).map(|chunk| u8::from(chunk != [0; 4])).collect()
        }
        _ => data.bytes().to_vec(),
    };
    Ok(Constant { dims: data.shape().to_vec(), element, bytes })
}

fn integers(values: impl IntoIterator<Item = usize>) -> Attribute {
    Attribute::Ints(values.into_iter().map(|value| value as i64).collect())
}
