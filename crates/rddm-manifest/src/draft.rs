use serde::{Deserialize, Serialize};

use crate::{
    Error, ErrorKind, License, Location, ModelId, Picture, Precision, Role, SCHEMA, Sampler, Text,
    TrainingData, Version,
    manifest::check_training_data,
    network::{self, Face},
    toml_text,
};

/// `zoo/<model>/model.toml`: what a manifest says and cannot be derived from the other files of
/// the folder. Digests and sizes come from the networks' files, the recipe's digest from
/// `recipe.toml`, the accuracy from `eval.json`.
///
/// ```toml
/// schema = 1
/// id = "derain"                 # the folder's name
/// version = "0.1.0"
/// task = "derain"
/// summary = "Removes rain streaks"
/// license = "MIT OR Apache-2.0"
/// least_runtime = "0.1.0"
/// # commit = "…"                # of the program that trained it
/// [[networks]]
/// role = "joint"                # residual | noise | joint
/// precision = "fp32"            # fp32 | fp16 | int8
/// file = "derain.onnx"          # in this folder
/// opset = 17
/// inputs = ["x", "time"]
/// outputs = ["residual", "noise"]
/// [sampler]                     # and [picture], [[training_data]]: as in the manifest
/// # …
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The schema, [`SCHEMA`].
    pub schema: u32,
    /// The model's name, which its folder has too.
    pub id: ModelId,
    /// The model's version.
    pub version: Version,
    /// What it does, a name such as `derain`.
    pub task: ModelId,
    /// One line for people.
    pub summary: Text,
    /// The licence of the weights.
    pub license: License,
    /// The oldest runtime that runs it as measured.
    pub least_runtime: Version,
    /// The commit of the program that trained it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Text>,
    /// The networks.
    pub networks: Vec<DraftNetwork>,
    /// How they are run.
    pub sampler: Sampler,
    /// What they want of a picture.
    pub picture: Picture,
    /// What they were trained on.
    #[serde(default)]
    pub training_data: Vec<TrainingData>,
}

/// One network of a [`Draft`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftNetwork {
    /// What it predicts.
    pub role: Role,
    /// What its weights are stored in.
    pub precision: Precision,
    /// The ONNX file, in the folder of the draft.
    pub file: Location,
    /// Other places that have the file, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Location>,
    /// The ONNX operator set, 7 to 64.
    pub opset: u32,
    /// Names of the inputs in order.
    pub inputs: Vec<String>,
    /// Names of the outputs in order.
    pub outputs: Vec<String>,
}

impl Draft {
    /// The most bytes that a draft may have.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Reads a draft.
    ///
    /// # Errors
    /// As [`Manifest::parse`](crate::Manifest::parse).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let draft: Self = toml_text::parse(text, Self::MAX_BYTES)?;
        draft.check()?;
        Ok(draft)
    }

    /// Writes the draft as TOML.
    ///
    /// # Errors
    /// As [`Draft::parse`], if its fields were changed to something that it may not say.
    pub fn to_toml(&self) -> Result<String, Error> {
        self.check()?;
        toml_text::write(self, Self::MAX_BYTES)
    }

    fn check(&self) -> Result<(), Error> {
        if self.schema != SCHEMA {
            return Err(Error::new(
                ErrorKind::Schema,
                format!("the schema is {SCHEMA}, not {}", self.schema),
            ));
        }
        self.sampler.check()?;
        self.picture.check(&self.sampler)?;
        for (position, network) in self.networks.iter().enumerate() {
            let key = format!("networks[{position}]");
            network::check_opset(&key, network.opset)?;
            network::check_mirrors(&key, &network.mirrors)?;
            if !network.file.is_inside() {
                return Err(Error::value(
                    &format!("{key}.file"),
                    "the file lies in the folder of the draft",
                ));
            }
        }
        let faces: Vec<Face<'_>> = self.networks.iter().map(Face::from).collect();
        network::check_set(&faces, &self.sampler)?;
        check_training_data(&self.training_data)
    }
}

impl<'a> From<&'a DraftNetwork> for Face<'a> {
    fn from(network: &'a DraftNetwork) -> Self {
        Self {
            role: network.role,
            precision: network.precision,
            inputs: &network.inputs,
            outputs: &network.outputs,
        }
    }
}
