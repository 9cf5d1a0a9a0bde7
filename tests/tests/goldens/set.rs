//! The folder of goldens and its manifest.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::tensors::Tensors;

/// A folder of goldens.
pub struct Set {
    folder: PathBuf,
    cases: Vec<Case>,
}

/// A case as the manifest lists it; what only its kind has is read by [`Case::settings`].
pub struct Case {
    pub id: String,
    pub kind: String,
    pub file: String,
    value: serde_json::Value,
}

#[derive(Deserialize)]
struct Manifest {
    format: u32,
    cases: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Common {
    id: String,
    kind: String,
    file: String,
}

impl Set {
    /// Opens the folder; none, said loudly, where there is none and nobody demands it.
    pub fn open() -> Result<Option<Self>, String> {
        let folder = folder();
        if !folder.join("manifest.json").is_file() {
            let missing = format!(
                "no manifest.json in {}; set RDDM_GOLDENS to the folder of goldens",
                folder.display()
            );
            if env::var_os("CI").is_some() || env::var_os("RDDM_GOLDENS").is_some() {
                return Err(missing);
            }
            println!("\n*** goldens: SKIPPED, NOTHING WAS PROVED: {missing} ***\n");
            return Ok(None);
        }
        let manifest: Manifest = parse(&folder.join("manifest.json"))?;
        if manifest.format != 1 {
            return Err(format!(
                "the goldens have format {}, and the suite reads 1",
                manifest.format
            ));
        }
        let cases = manifest.cases.into_iter().map(Case::new).collect::<Result<Vec<_>, _>>()?;
        if cases.is_empty() {
            return Err("the goldens' manifest lists no case".to_owned());
        }
        Ok(Some(Self { folder, cases }))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The tensors of a file of the set.
    pub fn tensors(&self, name: &str) -> Result<Tensors, String> {
        Tensors::parse(&self.bytes(name)?).map_err(|problem| format!("{name}: {problem}"))
    }

    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.path(name)).map_err(|error| format!("{name}: {error}"))
    }

    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        parse(&self.path(name))
    }
}

impl Case {
    fn new(value: serde_json::Value) -> Result<Self, String> {
        let Common { id, kind, file } = Common::deserialize(&value)
            .map_err(|error| format!("a case of the goldens' manifest: {error}"))?;
        Ok(Self { id, kind, file, value })
    }

    /// What the case's kind has in the manifest.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.value).map_err(|error| format!("its entry in the manifest: {error}"))
    }
}

fn folder() -> PathBuf {
    env::var_os("RDDM_GOLDENS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/goldens"),
        PathBuf::from,
    )
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
