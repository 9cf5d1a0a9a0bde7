//! The rules that every written file keeps.

use std::collections::HashSet;

use crate::Error;
use crate::proto::{ModelProto, NodeProto};

/// Operators that the exporter writes: the opset that brought the form it writes, the fewest and the most inputs.
const OPERATORS: &[(&str, i64, usize, usize)] = &[
    ("Abs", 13, 1, 1),
    ("Add", 14, 2, 2),
    ("And", 7, 2, 2),
    ("AveragePool", 11, 1, 1),
    ("BatchNormalization", 15, 5, 5),
    ("Cast", 13, 1, 1),
    ("Ceil", 13, 1, 1),
    ("Clip", 13, 1, 3),
    ("Concat", 13, 1, usize::MAX),
    ("Conv", 11, 2, 3),
    ("ConvTranspose", 11, 2, 3),
    ("Cos", 7, 1, 1),
    ("DepthToSpace", 13, 1, 1),
    ("Div", 14, 2, 2),
    ("Equal", 13, 2, 2),
    ("Erf", 13, 1, 1),
    ("Exp", 13, 1, 1),
    ("Expand", 13, 2, 2),
    ("Floor", 13, 1, 1),
    ("Gather", 13, 2, 2),
    ("Gemm", 13, 2, 3),
    ("GlobalAveragePool", 1, 1, 1),
    ("Greater", 13, 2, 2),
    ("GreaterOrEqual", 16, 2, 2),
    ("Identity", 16, 1, 1),
    ("LeakyRelu", 16, 1, 1),
    ("Less", 13, 2, 2),
    ("LessOrEqual", 16, 2, 2),
    ("Log", 13, 1, 1),
    ("LogSoftmax", 13, 1, 1),
    ("MatMul", 13, 2, 2),
    ("Max", 13, 2, 2),
    ("MaxPool", 12, 1, 1),
    ("Mul", 14, 2, 2),
    ("Neg", 13, 1, 1),
    ("Not", 1, 1, 1),
    ("Or", 7, 2, 2),
    ("PRelu", 16, 2, 2),
    ("Pad", 13, 2, 3),
    ("Pow", 15, 2, 2),
    ("Reciprocal", 13, 1, 1),
    ("ReduceMax", 13, 1, 1),
    ("ReduceMean", 13, 1, 1),
    ("ReduceMin", 13, 1, 1),
    ("ReduceProd", 13, 1, 1),
    ("ReduceSum", 13, 2, 2),
    ("Relu", 14, 1, 1),
    ("Reshape", 14, 2, 2),
    ("Resize", 13, 3, 3),
    ("Round", 11, 1, 1),
    ("Shape", 15, 1, 1),
    ("Sigmoid", 13, 1, 1),
    ("Sign", 13, 1, 1),
    ("Sin", 7, 1, 1),
    ("Slice", 13, 5, 5),
    ("Softmax", 13, 1, 1),
    ("Sqrt", 13, 1, 1),
    ("Sub", 14, 2, 2),
    ("Tanh", 13, 1, 1),
    ("Tile", 13, 2, 2),
    ("Transpose", 13, 1, 1),
    ("Where", 16, 3, 3),
    ("Xor", 7, 2, 2),
];

/// Whether every input of every operator was made before it, every name is given once, and the declared opset has
/// every operator with that many inputs.
///
/// # Errors
/// With the first rule that is broken, and where.
pub(crate) fn check(model: &ModelProto) -> Result<(), Error> {
    let graph = model.graph.as_ref().ok_or_else(|| Error::invalid("the file has no graph"))?;
    let opset = model
        .opset_import
        .iter()
        .find(|import| import.domain.is_empty())
        .map_or(0, |import| import.version);
    let mut made: HashSet<&str> = HashSet::new();
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    for name in inputs.chain(graph.initializer.iter().map(|tensor| tensor.name.as_str())) {
        once(&mut made, name)?;
    }
    let mut labels = HashSet::new();
    for node in &graph.node {
        once(&mut labels, &node.name)?;
        check_operator(node, opset)?;
        if let Some(missing) =
            node.input.iter().find(|name| !name.is_empty() && !made.contains(name.as_str()))
        {
            return Err(Error::invalid(format!(
                "the node `{}` reads `{missing}`, which nothing before it makes",
                node.name
            )));
        }
        for output in &node.output {
            once(&mut made, output)?;
        }
    }
    match graph.output.iter().find(|output| !made.contains(output.name.as_str())) {
        Some(output) => Err(Error::invalid(format!("nothing makes the output `{}`", output.name))),
        None => Ok(()),
    }
}

fn once<'a>(names: &mut HashSet<&'a str>, name: &'a str) -> Result<(), Error> {
    if name.is_empty() || !names.insert(name) {
        return Err(Error::invalid(format!("the name `{name}` is empty or given twice")));
    }
    Ok(())
}

fn check_operator(node: &NodeProto, opset: i64) -> Result<(), Error> {
    let Some((_, since, fewest, most)) =
        OPERATORS.iter().find(|(operator, ..)| *operator == node.op_type)
    else {
        return Err(Error::invalid(format!(
            "the node `{}` is of the unknown operator `{}`",
            node.name, node.op_type
        )));
    };
    if *since > opset {
        return Err(Error::invalid(format!(
            "`{}` needs opset {since}, the file declares {opset}",
            node.op_type
        )));
    }
    if !(*fewest..=*most).contains(&node.input.len()) {
        return Err(Error::invalid(format!(
            "the node `{}` has {} inputs",
            node.name,
            node.input.len()
        )));
    }
    Ok(())
}
