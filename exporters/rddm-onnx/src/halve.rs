//! Weights of 16 bits: half of the file, and the same arithmetic.

use std::collections::{HashMap, HashSet};

use half::f16;
use prost::Message as _;

use crate::Error;
use crate::check::check;
use crate::emit::free;
use crate::graph::Element;
use crate::proto::{AttributeProto, ModelProto, NodeProto, TensorProto, attribute_type};

/// The fewest values of a tensor that is stored in 16 bits. What is smaller (biases, gains, constants) is next to nothing of a
/// file, and is added to every pixel.
const FEWEST: usize = 512;

/// A file that [`export`](crate::export) wrote, with its large weights stored as 16-bit floats, rounded to nearest even.
///
/// Each is cast to 32 bits where it is read, which an engine does once, when it loads the file. The names of the weights stay,
/// so that [`weights`](crate::weights) finds them. A tensor with a value that 16 bits cannot hold (beyond ±65 504) stays as it is.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind::Weights) when the bytes are no ONNX file, or one that `export` did not write: it may
/// have parts that this crate does not know and would lose.
pub fn halved(file: &[u8]) -> Result<Vec<u8>, Error> {
    let mut model = ModelProto::read(file)?;
    if model.encode_to_vec() != file {
        let text = "this file has parts that rddm-export did not write and would lose; export the network again";
        return Err(Error::weights(text));
    }
    let graph = model.graph.get_or_insert_default();
    let mut taken: HashSet<String> = graph.initializer.iter().map(|t| t.name.clone()).collect();
    taken
        .extend(graph.node.iter().flat_map(|node| node.output.iter().chain([&node.name])).cloned());
    let mut casts = Vec::new();
    let mut wide = HashMap::new();
    for tensor in &mut graph.initializer {
        let Some(halves) = halves(tensor) else { continue };
        tensor.raw_data = halves;
        tensor.data_type = Element::Half as i32;
        let name = free(&mut taken, format!("{}/Cast", tensor.name));
        casts.push(cast(&tensor.name, &name));
        wide.insert(tensor.name.clone(), name);
    }
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        if let Some(name) = wide.get(input) {
            input.clone_from(name);
        }
    }
    graph.node.splice(0..0, casts);
    check(&model)?;
    Ok(model.encode_to_vec())
}

/// The bytes of a tensor in 16 bits; `None` if it is small, of no floats, or has values that 16 bits cannot hold.
fn halves(tensor: &TensorProto) -> Option<Vec<u8>> {
    let values = tensor.raw_data.as_chunks().0;
    if tensor.data_type != Element::Float as i32 || values.len() < FEWEST {
        return None;
    }
    let half = |&bytes: &[u8; 4]| f16::from_f32(f32::from_le_bytes(bytes));
    let halves = values.iter().map(half).map(|half| half.is_finite().then_some(half));
    let halves: Vec<f16> = halves.collect::<Option<_>>()?;
    Some(halves.into_iter().flat_map(f16::to_le_bytes).collect())
}

fn cast(from: &str, name: &str) -> NodeProto {
    let to = AttributeProto {
        name: "to".into(),
        i: Element::Float as i64,
        r#type: attribute_type::INT,
        ..AttributeProto::default()
    };
    NodeProto {
        input: vec![from.to_owned()],
        output: vec![name.to_owned()],
        name: name.to_owned(),
        op_type: "Cast".into(),
        attribute: vec![to],
    }
}
