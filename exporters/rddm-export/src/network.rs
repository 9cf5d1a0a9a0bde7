//! The border that every file of a network has.

use burn::module::Module;
use burn::tensor::Tensor;
use rddm_manifest::Role;
use rddm_onnx::{Dim, ExportSpec, Input, Metadata};

use crate::Error;

/// A network's border, and what its file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Border<'a> {
    /// The model's id, the graph's name.
    pub id: &'a str,
    /// Channels of `x`: `I_t`, and `I_in` and the mask where there are.
    pub in_channels: usize,
    /// What height and width must be multiples of.
    pub multiple: usize,
    /// What the network predicts, in order.
    pub outputs: &'a [Role],
    /// Whether the file has a second time, `time2`, which the sampler gives to joint networks of two times.
    pub two_times: bool,
    /// Further entries of the file's key-value table, such as `license`.
    pub entries: Vec<(String, String)>,
}

impl Border<'_> {
    /// Names of the file's inputs in order.
    pub fn inputs(&self) -> Vec<String> {
        let names: &[&str] = if self.two_times { &["x", "time", "time2"] } else { &["x", "time"] };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Names of the file's outputs in order.
    pub fn outputs(&self) -> Vec<String> {
        self.outputs.iter().map(|role| role.as_str().to_owned()).collect()
    }
}

/// The ONNX file of `network`, as bytes.
///
/// `forward` runs the network on `x` `[n, in_channels, h, w]` and the times, each `[n]`, and answers one tensor for each
/// output of the border.
///
/// # Errors
/// When the forward pass has no form as a graph.
pub fn to_onnx<M: Module>(
    border: &Border<'_>,
    network: &M,
    forward: impl Fn(&M, Tensor<4>, [Tensor<1>; 2]) -> Vec<Tensor<4>>,
) -> Result<Vec<u8>, Error> {
    let names = border.inputs();
    let input = |(index, name): (usize, &String)| {
        let side = |name| Dim::multiple_of(name, border.multiple);
        let dims = match index {
            0 => vec![Dim::any("n"), Dim::Fixed(border.in_channels), side("h"), side("w")],
            _ => vec![Dim::any("n")],
        };
        Input { name: name.clone(), dims }
    };
    let spec = ExportSpec {
        inputs: names.iter().enumerate().map(input).collect(),
        outputs: border.outputs(),
        metadata: Metadata {
            name: border.id.to_owned(),
            producer: ("rddm-zoo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            description: String::new(),
            entries: border.entries.clone(),
        },
    };
    let file = rddm_onnx::export(&spec, |scope| {
        let network = scope.module(network)?;
        let first = scope.input::<1>("time")?;
        let second = if border.two_times { scope.input::<1>("time2")? } else { first.clone() };
        let outputs = forward(&network, scope.input::<4>("x")?, [first, second]);
        for (name, output) in spec.outputs.iter().zip(outputs) {
            scope.output(name, output)?;
        }
        Ok(())
    })?;
    Ok(file)
}
