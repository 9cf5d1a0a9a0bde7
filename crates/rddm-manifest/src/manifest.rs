use serde::{Deserialize, Serialize};

use crate::{
    Digest, Error, ErrorKind, License, ModelId, Network, Picture, Precision, SCHEMA, Sampler, Text,
    Version,
    network::{self, Face},
    toml_text,
};

/// One model: one or more networks and everything needed to run them as they were measured.
///
/// The fields can be read and written; [`Manifest::to_toml`] checks them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The schema, [`SCHEMA`].
    pub schema: u32,
    /// The model's name.
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
    /// The networks, 1 to 16: for each precision one joint network or one for each output that
    /// the objective needs.
    pub networks: Vec<Network>,
    /// How they are run.
    pub sampler: Sampler,
    /// What they want of a picture.
    pub picture: Picture,
    /// What they were trained on, at most 64 entries.
    #[serde(default)]
    pub training_data: Vec<TrainingData>,
    /// What they were made from.
    pub provenance: Provenance,
    /// What was measured, at most 1000 rows.
    #[serde(default)]
    pub accuracy: Vec<Accuracy>,
}

/// Pictures that a model was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingData {
    /// The data set's name.
    pub name: Text,
    /// The terms of its use.
    pub terms: Text,
}

/// What a model was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The digest of the recipe that trains it again.
    pub recipe_sha256: Digest,
    /// The commit of the program that trained it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Text>,
}

/// One measured figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// The data set that it was measured on.
    pub dataset: Text,
    /// The measure, such as `psnr_y`.
    pub metric: Text,
    /// Its value over the data set, finite.
    pub value: f64,
    /// The same measure of the degraded input itself, finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<f64>,
    /// Sampling steps, 1 to 100 000.
    pub steps: u32,
    /// The engine that ran the networks.
    pub engine: Text,
    /// The command that measures it again.
    pub command: Text,
}

impl Manifest {
    /// The most bytes that a manifest may have.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::Syntax`], [`ErrorKind::Schema`], [`ErrorKind::Value`]
    /// or [`ErrorKind::Inconsistent`]; the text names the key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let manifest: Self = toml_text::parse(text, Self::MAX_BYTES)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The oldest runtime that the manifest in `text` asks for, also where [`Manifest::parse`] refuses it: what a
    /// newer one is needed for may be a key that is not known here. `None` if it says none.
    pub fn least_runtime_of(text: &str) -> Option<Version> {
        #[derive(Deserialize)]
        struct Probe {
            least_runtime: Version,
        }
        toml_text::probe(text, Self::MAX_BYTES).ok().map(|probe: Probe| probe.least_runtime)
    }

    /// Writes the manifest as TOML.
    ///
    /// # Errors
    /// As [`Manifest::parse`], if its fields were changed to something that it may not say.
    pub fn to_toml(&self) -> Result<String, Error> {
        self.check()?;
        toml_text::write(self, Self::MAX_BYTES)
    }

    /// The networks of one precision, joint or residual before noise; empty if it has none.
    pub fn networks_of(&self, precision: Precision) -> Vec<&Network> {
        let mut networks: Vec<&Network> =
            self.networks.iter().filter(|network| network.precision == precision).collect();
        networks.sort_by_key(|network| network.role);
        networks
    }

    /// The precisions that it has, widest first.
    pub fn precisions(&self) -> Vec<Precision> {
        let mut precisions: Vec<Precision> =
            self.networks.iter().map(|network| network.precision).collect();
        precisions.sort();
        precisions.dedup();
        precisions
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
            network.check(&format!("networks[{position}]"))?;
        }
        let faces: Vec<Face<'_>> = self.networks.iter().map(Face::from).collect();
        network::check_set(&faces, &self.sampler)?;
        check_training_data(&self.training_data)?;
        if self.accuracy.len() > 1000 {
            return Err(Error::value("accuracy", "there are at most 1000 rows"));
        }
        for (position, row) in self.accuracy.iter().enumerate() {
            let finite = row.value.is_finite() && row.input.is_none_or(f64::is_finite);
            if !finite || !(1..=100_000).contains(&row.steps) {
                return Err(Error::value(
                    &format!("accuracy[{position}]"),
                    "values are finite and steps are 1 to 100000",
                ));
            }
        }
        Ok(())
    }
}

pub(crate) fn check_training_data(training_data: &[TrainingData]) -> Result<(), Error> {
    if training_data.len() > 64 {
        return Err(Error::value("training_data", "there are at most 64 entries"));
    }
    Ok(())
}

impl<'a> From<&'a Network> for Face<'a> {
    fn from(network: &'a Network) -> Self {
        Self {
            role: network.role,
            precision: network.precision,
            inputs: &network.inputs,
            outputs: &network.outputs,
        }
    }
}
