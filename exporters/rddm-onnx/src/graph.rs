//! The graph between burn's operations and the file: ONNX operators over values whose sizes are known trace by trace.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use crate::dims::{Extent, Symbols};

/// A value of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ValueId(pub usize);

/// What the elements of a tensor are, numbered as in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub(crate) enum Element {
    Float = 1,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
    Half = 10,
    Double = 11,
}

#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub shape: Vec<Extent>,
    pub element: Element,
    pub constant: Option<Rc<Constant>>,
    /// The name that it should have in the file.
    pub name: Option<String>,
}

/// A tensor that the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Constant {
    pub dims: Vec<usize>,
    pub element: Element,
    /// Little endian, row major.
    pub bytes: Vec<u8>,
}

impl Constant {
    pub(crate) fn floats(dims: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dims: dims.to_vec(), element: Element::Float, bytes }
    }

    pub(crate) fn integers(values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dims: vec![values.len()], element: Element::Int64, bytes }
    }

    /// The elements, when they are 32-bit floats.
    pub(crate) fn as_floats(&self) -> Option<Vec<f32>> {
        (self.element == Element::Float).then(|| {
            self.bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()
        })
    }
}

/// An option of an operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
    Text(&'static str),
}

pub(crate) type Attributes = Vec<(&'static str, Attribute)>;

/// An operator. `Reshape` and `Expand` get their second input, the shape, when the graph is [finished](crate::shapes).
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub operator: &'static str,
    /// `None` is an optional input left out.
    pub inputs: Vec<Option<ValueId>>,
    pub output: ValueId,
    pub attributes: Attributes,
    /// The module that it comes from, where its constants tell.
    pub place: Option<Rc<str>>,
}

impl Node {
    /// The first input.
    pub(crate) fn data(&self) -> Option<ValueId> {
        self.inputs.first().copied().flatten()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.attribute(name) {
            Some(Attribute::Int(value)) => Some(*value),
            _ => None,
        }
    }
}

/// Operators in the order of computation.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub symbols: Symbols,
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<(String, ValueId)>,
    interned: HashMap<u64, Vec<ValueId>>,
}

impl Graph {
    pub(crate) fn new(symbols: Symbols) -> Self {
        Self {
            symbols,
            values: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            interned: HashMap::new(),
        }
    }

    pub(crate) fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    pub(crate) fn shape(&self, id: ValueId) -> &[Extent] {
        &self.values[id.0].shape
    }

    pub(crate) fn constant(&self, id: ValueId) -> Option<&Constant> {
        self.values[id.0].constant.as_deref()
    }

    pub(crate) fn add_value(&mut self, shape: Vec<Extent>, element: Element) -> ValueId {
        self.values.push(Value { shape, element, constant: None, name: None });
        ValueId(self.values.len() - 1)
    }

    pub(crate) fn add_input(&mut self, name: &str, shape: Vec<Extent>) -> ValueId {
        let id = self.add_value(shape, Element::Float);
        self.values[id.0].name = Some(name.to_owned());
        self.inputs.push(id);
        id
    }

    /// The value that holds `constant`: one value for all equal ones, named by the first that has a name.
    pub(crate) fn add_constant(&mut self, constant: Constant, name: Option<String>) -> ValueId {
        let mut hasher = DefaultHasher::new();
        constant.hash(&mut hasher);
        let bucket = self.interned.entry(hasher.finish()).or_default();
        for id in bucket.iter() {
            let value = &mut self.values[id.0];
            if value.constant.as_deref() == Some(&constant) {
                if value.name.is_none() {
                    value.name = name;
                }
                return *id;
            }
        }
        let id = ValueId(self.values.len());
        bucket.push(id);
        self.values.push(Value {
            shape: constant.dims.iter().map(|length| Extent::fixed(*length)).collect(),
            element: constant.element,
            constant: Some(Rc::new(constant)),
            name,
        });
        id
    }

    pub(crate) fn scalar(&mut self, value: f32) -> ValueId {
        self.add_constant(Constant::floats(&[], &[value]), None)
    }

    pub(crate) fn integers(&mut self, values: &[i64]) -> ValueId {
        self.add_constant(Constant::integers(values), None)
    }

    /// Appends an operator and answers its output.
    pub(crate) fn add_node(
        &mut self,
        operator: &'static str,
        inputs: &[ValueId],
        attributes: Attributes,
        shape: Vec<Extent>,
        element: Element,
    ) -> ValueId {
        let output = self.add_value(shape, element);
        self.nodes.push(Node {
            operator,
            inputs: inputs.iter().copied().map(Some).collect(),
            output,
            attributes,
            place: None,
        });
        output
    }

    /// For each value the node that computes it.
    pub(crate) fn producers(&self) -> HashMap<ValueId, usize> {
        self.nodes.iter().enumerate().map(|(index, node)| (node.output, index)).collect()
    }

    /// For each value the nodes that read it.
    pub(crate) fn consumers(&self) -> HashMap<ValueId, Vec<usize>> {
        let mut consumers: HashMap<ValueId, Vec<usize>> = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for id in node.inputs.iter().flatten() {
                consumers.entry(*id).or_default().push(index);
            }
        }
        consumers
    }

    pub(crate) fn is_output(&self, id: ValueId) -> bool {
        self.outputs.iter().any(|(_, output)| *output == id)
    }

    /// Lets every reader of a key of `table` read its value instead, through chains.
    pub(crate) fn substitute(&mut self, table: &HashMap<ValueId, ValueId>) {
        let resolve = |mut id: ValueId| {
            while let Some(next) = table.get(&id) {
                id = *next;
            }
            id
        };
        for id in self.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().flatten()) {
            *id = resolve(*id);
        }
        for (_, id) in &mut self.outputs {
            *id = resolve(*id);
        }
    }
}
