//! Small networks written as ONNX files on the spot, and manifests that describe them.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::path::PathBuf;

use prost::Message as _;
use rddm_manifest::{Digest, Manifest};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto, tensor_proto,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

pub(crate) const OPSET: i64 = 17;

/// A network with two 3×3 convolutions on 2×2 unshuffled pictures. Its time moves the hidden
/// layer, and it looks 6 pixels far.
#[derive(Debug, Clone)]
pub(crate) struct TinyNet {
    pub(crate) channels: usize,
    pub(crate) input_channels: usize,
    pub(crate) inputs: Vec<&'static str>,
    pub(crate) outputs: Vec<&'static str>,
    pub(crate) seed: u64,
    pub(crate) broken: bool,
    pub(crate) external: bool,
}

impl TinyNet {
    pub(crate) fn joint(channels: usize, input_channels: usize) -> Self {
        Self {
            channels,
            input_channels,
            inputs: vec!["x", "time"],
            outputs: vec!["residual", "noise"],
            seed: 1,
            broken: false,
            external: false,
        }
    }

    pub(crate) fn single(output: &'static str) -> Self {
        Self { outputs: vec![output], seed: 2 + output.len() as u64, ..Self::joint(3, 6) }
    }

    pub(crate) fn onnx(&self) -> Vec<u8> {
        const HIDDEN: usize = 8;
        let mut random = Random(self.seed);
        let deep = 4 * self.input_channels;
        let mut first = random.tensor("w1", &[HIDDEN, deep, 3, 3], 0.6 / (deep as f32).sqrt());
        if self.external {
            first.data_location = Some(tensor_proto::DataLocation::External as i32);
        }
        let mut initializer = vec![first, scalar("scale", 1e-3), shape("column", &[-1, 1, 1, 1])];
        let mut node = vec![
            op("SpaceToDepth", &["x"], "deep", vec![int("blocksize", 2)]),
            op("Conv", &["deep", "w1"], "h0", vec![ints("pads", &[1, 1, 1, 1])]),
        ];
        let mut last = "h0".to_owned();
        for (index, time) in self.inputs.iter().skip(1).enumerate() {
            let name = |what: &str| format!("{what}{index}");
            initializer.push(random.tensor(&name("move"), &[1, HIDDEN, 1, 1], 1.0));
            node.extend([
                op("Reshape", &[time, "column"], &name("t"), vec![]),
                op("Mul", &[&name("t"), "scale"], &name("s"), vec![]),
                op("Mul", &[&name("s"), &name("move")], &name("m"), vec![]),
                op("Add", &[&last, &name("m")], &name("a"), vec![]),
            ]);
            last = name("a");
        }
        node.push(op("Tanh", &[&last], "h1", vec![]));
        for output in &self.outputs {
            let name = |what: &str| format!("{output}_{what}");
            let mut weights = random.tensor(&name("w"), &[4 * self.channels, HIDDEN, 3, 3], 0.15);
            if self.broken {
                weights.float_data[0] = f32::NAN;
            }
            initializer.push(weights);
            let mode = AttributeProto {
                s: b"CRD".to_vec(),
                ..attribute("mode", attribute_proto::AttributeType::String)
            };
            node.extend([
                op("Conv", &["h1", &name("w")], &name("d"), vec![ints("pads", &[1, 1, 1, 1])]),
                op("DepthToSpace", &[&name("d")], output, vec![int("blocksize", 2), mode]),
            ]);
        }
        let mut input = vec![value("x", &["n", &self.input_channels.to_string(), "h", "w"])];
        input.extend(self.inputs.iter().skip(1).map(|time| value(time, &["n"])));
        let output = self.outputs.iter().map(|name| value(name, &["n", "c2", "h", "w"])).collect();
        let graph = GraphProto {
            name: "tiny".to_owned(),
            node,
            initializer,
            input,
            output,
            ..GraphProto::default()
        };
        let opset = OperatorSetIdProto { domain: String::new(), version: OPSET };
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![opset],
            graph: Some(graph),
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }
}

/// What a manifest says beside its networks.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) networks: Vec<(&'static str, TinyNet)>,
    pub(crate) channels: usize,
    pub(crate) mask: bool,
    pub(crate) conditional: bool,
    pub(crate) objective: &'static str,
    pub(crate) time_encoding: &'static str,
    pub(crate) steps: usize,
    pub(crate) eta: f32,
    pub(crate) multiple: usize,
    pub(crate) tile: usize,
    pub(crate) overlap: usize,
    pub(crate) padding: &'static str,
    pub(crate) upright: bool,
    pub(crate) opset: i64,
}

impl Model {
    /// One network of both outputs.
    pub(crate) fn joint() -> Self {
        Self {
            networks: vec![("joint", TinyNet::joint(3, 6))],
            channels: 3,
            mask: false,
            conditional: true,
            objective: "pred_res_noise",
            time_encoding: "index",
            steps: 3,
            eta: 0.5,
            multiple: 4,
            tile: 32,
            overlap: 8,
            padding: "reflect",
            upright: false,
            opset: OPSET,
        }
    }

    /// Two networks, told ᾱ_t·T and β̄_t·T.
    pub(crate) fn two_networks() -> Self {
        Self {
            networks: vec![
                ("residual", TinyNet::single("residual")),
                ("noise", TinyNet::single("noise")),
            ],
            time_encoding: "alpha_bar_beta_bar",
            ..Self::joint()
        }
    }

    pub(crate) fn masked() -> Self {
        Self { networks: vec![("joint", TinyNet::joint(3, 7))], mask: true, ..Self::joint() }
    }

    pub(crate) fn generator() -> Self {
        Self {
            networks: vec![("joint", TinyNet::joint(3, 3))],
            conditional: false,
            ..Self::joint()
        }
    }

    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        self.networks.iter().map(|(_, network)| network.onnx()).collect()
    }

    pub(crate) fn manifest(&self) -> Manifest {
        self.manifest_of(&self.files())
    }

    pub(crate) fn manifest_of(&self, files: &[Vec<u8>]) -> Manifest {
        let list = |names: &[&str]| {
            names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
        };
        let networks: String = self
            .networks
            .iter()
            .zip(files)
            .map(|((role, network), bytes)| {
                format!(
                    "[[networks]]\nrole = \"{role}\"\nprecision = \"fp32\"\nurl = \"tiny-{role}.onnx\"\nsha256 = \"{}\"\nsize = {}\nopset = {}\ninputs = [{}]\noutputs = [{}]\n",
                    Digest::of(bytes).hex(),
                    bytes.len(),
                    self.opset,
                    list(&network.inputs),
                    list(&network.outputs),
                )
            })
            .collect();
        let text = format!(
            r#"
schema = 1
id = "tiny"
version = "0.1.0"
task = "test"
summary = "A network for tests"
license = "MIT OR Apache-2.0"
least_runtime = "0.1.0"
{networks}
[sampler]
timesteps = 1000
alpha = {{ shape = "decreased", ratio = 1.0 }}
beta2 = {{ shape = "increased", ratio = 1.0 }}
sum_scale = 0.01
objective = "{}"
steps = {}
eta = {:?}
time_encoding = "{}"
conditional = {}
method = "ddim"
[picture]
channels = {}
mask = {}
multiple = {}
padding = "{}"
upright = {}
tile = {}
overlap = {}
[provenance]
recipe_sha256 = "{}"
"#,
            self.objective,
            self.steps,
            self.eta,
            self.time_encoding,
            self.conditional,
            self.channels,
            self.mask,
            self.multiple,
            self.padding,
            self.upright,
            self.tile,
            self.overlap,
            Digest::of(b"recipe").hex(),
        );
        Manifest::parse(&text).unwrap()
    }
}

/// The path of ONNX Runtime, or nothing with a loud word about it; in CI it must be there.
pub(crate) fn onnx_runtime() -> Option<PathBuf> {
    let path = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    if path.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI runs the ONNX Runtime tests: set ORT_DYLIB_PATH"
        );
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!(
                "SKIPPED: set ORT_DYLIB_PATH to the shared library of ONNX Runtime to run this"
            );
        }
    }
    path
}

/// A picture with edges, gradients and grain, from 0 to 1.
pub(crate) fn picture(channels: usize, height: usize, width: usize) -> ndarray::Array3<f32> {
    let mut random = Random(9);
    ndarray::Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
        let edge = if (x / 11 + y / 7 + c) % 2 == 0 { 0.3 } else { 0.0 };
        let slope = 0.4 * (x + 2 * y) as f32 / (width + 2 * height) as f32;
        (0.1 + edge + slope + 0.1 * random.next()).clamp(0.0, 1.0)
    })
}

struct Random(u64);

impl Random {
    /// From -1 to 1.
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn tensor(&mut self, name: &str, dims: &[usize], scale: f32) -> TensorProto {
        let count = dims.iter().product();
        TensorProto {
            name: name.to_owned(),
            dims: dims.iter().map(|&side| side as i64).collect(),
            data_type: tensor_proto::DataType::Float as i32,
            float_data: (0..count).map(|_| scale * self.next()).collect(),
            ..TensorProto::default()
        }
    }
}

fn scalar(name: &str, value: f32) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        data_type: tensor_proto::DataType::Float as i32,
        float_data: vec![value],
        ..TensorProto::default()
    }
}

fn shape(name: &str, sides: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![sides.len() as i64],
        data_type: tensor_proto::DataType::Int64 as i32,
        int64_data: sides.to_vec(),
        ..TensorProto::default()
    }
}

fn op(kind: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        name: output.to_owned(),
        op_type: kind.to_owned(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..NodeProto::default()
    }
}

fn attribute(name: &str, kind: attribute_proto::AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind as i32, ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: value, ..attribute(name, attribute_proto::AttributeType::Int) }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        ints: values.to_vec(),
        ..attribute(name, attribute_proto::AttributeType::Ints)
    }
}

fn value(name: &str, sides: &[&str]) -> ValueInfoProto {
    let dim = sides
        .iter()
        .map(|side| Dimension {
            value: Some(match side.parse() {
                Ok(fixed) => dimension::Value::DimValue(fixed),
                Err(_) => dimension::Value::DimParam((*side).to_owned()),
            }),
            ..Dimension::default()
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: tensor_proto::DataType::Float as i32,
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
