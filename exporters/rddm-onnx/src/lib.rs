//! Writes a burn network as an ONNX file.
//!
//! The forward pass is run on burn's recording device at three sizes that differ in everything that may vary.
//! Lengths that differ between the recordings become symbols of the file; whatever depends on no input is computed now;
//! the rest is lowered operator by operator and simplified. The crate knows no network: it sees operations only.
//!
//! ```
//! use burn::nn::conv::Conv2dConfig;
//! use burn::tensor::Device;
//! use rddm_onnx::{Dim, ExportSpec, Input, Metadata, export};
//!
//! let network = Conv2dConfig::new([3, 3], [3, 3]).init(&Device::flex());
//! let spec = ExportSpec {
//!     inputs: vec![Input {
//!         name: "x".into(),
//!         dims: vec![Dim::any("n"), Dim::Fixed(3), Dim::any("h"), Dim::any("w")],
//!     }],
//!     outputs: vec!["y".into()],
//!     metadata: Metadata { name: "example".into(), ..Metadata::default() },
//! };
//! let file = export(&spec, |scope| {
//!     let network = scope.module(&network)?;
//!     scope.output("y", network.forward(scope.input::<4>("x")?))
//! })?;
//! assert!(!file.is_empty());
//! # Ok::<(), rddm_onnx::Error>(())
//! ```
//!
//! # The order of work
//! 1. `capture` records the forward pass, `unify` lays the recordings side by side.
//! 2. `lower` turns operations into operators, with `fold` for those that read constants only.
//! 3. `passes` shorten the graph; `shapes` computes the sizes that views need.
//! 4. `emit` fills in the messages of the file, `check` looks at them once more.
#![forbid(unsafe_code)]

mod capture;
mod check;
mod dims;
mod emit;
mod error;
mod fold;
mod graph;
mod halve;
mod lower;
mod passes;
mod proto;
mod shapes;
mod spec;
mod unify;
mod weights;

pub use capture::Scope;
pub use error::{Error, ErrorKind};
pub use halve::halved;
pub use spec::{Dim, ExportSpec, Input, Metadata};
pub use weights::weights;

use prost::Message;

/// The operator set of every file: the lowest that has all operators in the form written here.
pub const OPSET: i64 = 17;

/// The ONNX file of the network that `forward` runs, as bytes.
///
/// `forward` is called three times, takes its inputs from the [`Scope`], moves its modules there and hands back its outputs.
/// It must do the same operations at every size: what decides by a size cannot be written as a graph.
///
/// # Errors
/// See [`ErrorKind`]; the text names the operation and the module that it follows.
///
/// # Panics
/// Where `forward` does, for example when burn finds that shapes do not fit.
pub fn export(
    spec: &ExportSpec,
    forward: impl Fn(&Scope<'_>) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let symbols = dims::Symbols::of(spec)?;
    let traces = [
        capture::record(spec, &symbols, 0, &forward)?,
        capture::record(spec, &symbols, 1, &forward)?,
        capture::record(spec, &symbols, 2, &forward)?,
    ];
    let unified = unify::unify(&traces)?;
    let mut graph = lower::lower(spec, symbols, &traces, &unified)?;
    passes::optimise(&mut graph);
    shapes::finish(&mut graph)?;
    let model = emit::emit(&graph, &spec.metadata);
    check::check(&model)?;
    Ok(model.encode_to_vec())
}
