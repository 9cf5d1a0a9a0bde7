use serde::{Deserialize, Serialize};

use crate::{Accuracy, Digest, Network, Text};

/// `zoo/<model>/eval.json`: what an evaluation measured. Other keys beside these may stand in the
/// file and in its rows; they are for other readers.
///
/// ```json
/// { "networks": ["…64 hexadecimal digits…"],
///   "rows": [ { "dataset": "rain100/light", "metric": "psnr_y", "value": 33.9, "input": 26.9,
///               "steps": 5, "engine": "tract", "command": "rddm-train eval --model derain --data DIR" } ] }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// SHA-256 of the files that were measured; none where that was not noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Digest>,
    /// The figures, in the order in which they are shown.
    pub rows: Vec<Row>,
}

/// One figure of an [`Evaluation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The data set that it was measured on.
    pub dataset: Text,
    /// The measure, such as `psnr_y`.
    pub metric: Text,
    /// Its value over the data set.
    pub value: f64,
    /// The same measure of the degraded input itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<f64>,
    /// Sampling steps.
    pub steps: u32,
    /// The engine that ran the networks.
    pub engine: Text,
    /// The command that measures it again.
    pub command: Text,
}

impl Evaluation {
    /// Whether it was measured on these networks, as far as it says.
    pub fn is_of(&self, networks: &[Network]) -> bool {
        let there = |measured: &Digest| networks.iter().any(|network| network.sha256 == *measured);
        self.networks.iter().all(there)
    }
}

impl From<Row> for Accuracy {
    fn from(row: Row) -> Self {
        let Row { dataset, metric, value, input, steps, engine, command } = row;
        Self { dataset, metric, value, input, steps, engine, command }
    }
}
