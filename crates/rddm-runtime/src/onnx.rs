use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto,
    tensor_shape_proto::dimension, type_proto,
};
use tract_onnx::tract_hir::internal::Framework as _;

use crate::{Error, ErrorKind};

/// What an ONNX file says about itself, in its own order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Names of the inputs that are fed (those with an initializer are not).
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    /// Channels of the first input, if the file fixes them.
    pub(crate) channels: Option<usize>,
    /// Version of the default operator set.
    pub(crate) opset: i64,
}

impl Signature {
    /// Reads the names out of an ONNX file, and refuses one that would read other files.
    pub(crate) fn read(onnx: &[u8]) -> Result<Self, Error> {
        let model: ModelProto = tract_onnx::onnx()
            .proto_model_for_read(&mut &*onnx)
            .map_err(|error| Error::caused(ErrorKind::Network, "this is no ONNX file", error))?;
        let Some(graph) = &model.graph else {
            return Err(Error::new(ErrorKind::Network, "the ONNX file has no graph"));
        };
        if !model.functions.is_empty() {
            return Err(unread("functions of its own"));
        }
        refuse_external_data(graph, 0)?;
        let fed = |name: &&String| !graph.initializer.iter().any(|tensor| tensor.name == **name);
        let opset = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        Ok(Self {
            inputs: graph.input.iter().map(|input| &input.name).filter(fed).cloned().collect(),
            channels: graph.input.first().and_then(fixed_channels),
            outputs: graph.output.iter().map(|output| output.name.clone()).collect(),
            opset: model
                .opset_import
                .iter()
                .find(|import| opset(&import.domain))
                .map_or(0, |import| import.version),
        })
    }
}

fn fixed_channels(input: &ValueInfoProto) -> Option<usize> {
    let type_proto::Value::TensorType(tensor) = input.r#type.as_ref()?.value.as_ref()?;
    match tensor.shape.as_ref()?.dim.get(1)?.value.as_ref()? {
        dimension::Value::DimValue(channels) => usize::try_from(*channels).ok(),
        dimension::Value::DimParam(_) => None,
    }
}

/// Only the file itself was hashed, so weights in other files are not accepted.
fn refuse_external_data(graph: &GraphProto, depth: usize) -> Result<(), Error> {
    const DEEPEST: usize = 16;
    if depth > DEEPEST {
        return Err(Error::new(ErrorKind::Network, "the ONNX file nests graphs too deeply"));
    }
    graph.initializer.iter().try_for_each(refuse_external_tensor)?;
    let mut sparse = !graph.sparse_initializer.is_empty();
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    for attribute in attributes {
        let AttributeProto { t, tensors, g, graphs, sparse_tensor, sparse_tensors, .. } = attribute;
        sparse |= sparse_tensor.is_some() || !sparse_tensors.is_empty();
        t.iter().chain(tensors).try_for_each(refuse_external_tensor)?;
        g.iter().chain(graphs).try_for_each(|graph| refuse_external_data(graph, depth + 1))?;
    }
    if sparse { Err(unread("sparse tensors")) } else { Ok(()) }
}

/// Refuses what could name other files too, and is not written by `rddm-export`.
fn unread(what: &str) -> Error {
    let what = format!("the ONNX file has {what}; export it without them");
    Error::new(ErrorKind::Network, what)
}

fn refuse_external_tensor(tensor: &TensorProto) -> Result<(), Error> {
    const EXTERNAL: i32 = 1;
    if tensor.data_location == Some(EXTERNAL) || !tensor.external_data.is_empty() {
        let what = format!(
            "the tensor `{}` lies in a file beside the network; export it with its weights inside",
            tensor.name
        );
        return Err(Error::new(ErrorKind::Network, what));
    }
    Ok(())
}
