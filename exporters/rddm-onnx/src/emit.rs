//! A finished graph as the messages of a file.

use std::collections::{HashMap, HashSet};

use crate::dims::{Extent, Symbols};
use crate::graph::{Attribute, Element, Graph, ValueId};
use crate::proto::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, IR_VERSION, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto, attribute_type,
};
use crate::spec::Metadata;

pub(crate) fn emit(graph: &Graph, metadata: &Metadata) -> ModelProto {
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: metadata.producer.0.clone(),
        producer_version: metadata.producer.1.clone(),
        doc_string: metadata.description.clone(),
        graph: Some(Names::new(graph).graph(&metadata.name)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: crate::OPSET }],
        metadata_props: metadata
            .entries
            .iter()
            .map(|(key, value)| StringStringEntryProto { key: key.clone(), value: value.clone() })
            .collect(),
    }
}

/// Name of a constant that is no weight of a module; a second one gets a number, as [`free`] gives it.
pub(crate) const CONSTANT: &str = "constant";

/// Gives every value of a graph a name of its own.
struct Names<'a> {
    graph: &'a Graph,
    names: HashMap<ValueId, String>,
    taken: HashSet<String>,
}

impl<'a> Names<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut names = Self { graph, names: HashMap::new(), taken: HashSet::new() };
        for input in &graph.inputs {
            names.give(*input, graph.value(*input).name.clone().unwrap_or_default());
        }
        for (name, id) in &graph.outputs {
            names.taken.insert(name.clone());
            if !names.names.contains_key(id) && graph.constant(*id).is_none() {
                names.names.insert(*id, name.clone());
            }
        }
        names
    }

    fn graph(mut self, name: &str) -> GraphProto {
        let mut proto = GraphProto { name: name.to_owned(), ..GraphProto::default() };
        for node in &self.graph.nodes {
            for id in node.inputs.iter().flatten() {
                if !self.names.contains_key(id) {
                    proto.initializer.extend(self.initializer(*id));
                }
            }
            let place = node.place.as_deref().map(|place| format!("{place}/")).unwrap_or_default();
            let label = self.free(format!("{place}{}", node.operator));
            self.names.entry(node.output).or_insert_with(|| label.clone());
            proto.node.push(NodeProto {
                input: node
                    .inputs
                    .iter()
                    .map(|id| id.map(|id| self.name(id)).unwrap_or_default())
                    .collect(),
                output: vec![self.name(node.output)],
                name: label,
                op_type: node.operator.to_owned(),
                attribute: node
                    .attributes
                    .iter()
                    .map(|(name, value)| attribute(name, value))
                    .collect(),
            });
        }
        for (name, id) in &self.graph.outputs {
            if self.name(*id) != *name {
                // An input that is an output too, or a value that is two outputs.
                let label = self.free(format!("{name}/Identity"));
                proto.node.push(NodeProto {
                    input: vec![self.name(*id)],
                    output: vec![name.clone()],
                    name: label,
                    op_type: "Identity".to_owned(),
                    attribute: Vec::new(),
                });
            }
            proto.output.push(self.info(*id, name));
        }
        proto.input = self.graph.inputs.iter().map(|id| self.info(*id, &self.name(*id))).collect();
        proto
    }

    fn initializer(&mut self, id: ValueId) -> Option<TensorProto> {
        let constant = self.graph.constant(id)?;
        let name = self.graph.value(id).name.clone();
        self.give(id, name.unwrap_or_else(|| CONSTANT.to_owned()));
        Some(TensorProto {
            dims: constant.dims.iter().map(|length| *length as i64).collect(),
            data_type: constant.element as i32,
            name: self.name(id),
            raw_data: constant.bytes.clone(),
        })
    }

    fn info(&self, id: ValueId, name: &str) -> ValueInfoProto {
        let value = self.graph.value(id);
        ValueInfoProto {
            name: name.to_owned(),
            r#type: Some(tensor_type(value.element, &value.shape, &self.graph.symbols)),
        }
    }

    fn name(&self, id: ValueId) -> String {
        self.names.get(&id).cloned().unwrap_or_default()
    }

    fn give(&mut self, id: ValueId, wanted: String) {
        let name = self.free(wanted);
        self.names.insert(id, name);
    }

    fn free(&mut self, wanted: String) -> String {
        free(&mut self.taken, wanted)
    }
}

/// `wanted`, or `wanted_2`, `wanted_3`… where it is taken; taken from now on.
pub(crate) fn free(taken: &mut HashSet<String>, wanted: String) -> String {
    let mut name = wanted.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{wanted}_{number}");
    }
    name
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    match value {
        Attribute::Int(value) => {
            proto.i = *value;
            proto.r#type = attribute_type::INT;
        }
        Attribute::Float(value) => {
            proto.f = *value;
            proto.r#type = attribute_type::FLOAT;
        }
        Attribute::Ints(values) => {
            proto.ints.clone_from(values);
            proto.r#type = attribute_type::INTS;
        }
        Attribute::Text(text) => {
            proto.s = text.as_bytes().to_vec();
            proto.r#type = attribute_type::STRING;
        }
    }
    proto
}

fn tensor_type(element: Element, shape: &[Extent], symbols: &Symbols) -> TypeProto {
    let dim = shape
        .iter()
        .map(|extent| DimensionProto {
            value: match extent.constant() {
                Some(length) => Some(DimensionValue::Value(length as i64)),
                None => symbols.describe(*extent).map(DimensionValue::Parameter),
            },
        })
        .collect();
    TypeProto {
        tensor_type: Some(TensorTypeProto {
            elem_type: element as i32,
            shape: Some(TensorShapeProto { dim }),
        }),
    }
}
