use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Location, Sampler, TimeEncoding};

/// One network of a model: an ONNX file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What it predicts.
    pub role: Role,
    /// What its weights are stored in.
    pub precision: Precision,
    /// Where the file lies, relative to the manifest.
    pub url: Location,
    /// Other places that have the same file, tried in order when `url` fails; at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Location>,
    /// The digest of the whole file.
    pub sha256: Digest,
    /// The file's size in bytes, 1 to [`Network::MAX_SIZE`].
    pub size: u64,
    /// The ONNX operator set, 7 to 64.
    pub opset: u32,
    /// Names of the inputs in order: `x`, `time`, and `time2` for a joint network of two times.
    pub inputs: Vec<String>,
    /// Names of the outputs in order: `residual`, `noise`, or both.
    pub outputs: Vec<String>,
}

/// What a network predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// The residual (or the clean picture, for the `x0` objectives).
    Residual,
    /// The noise.
    Noise,
    /// All that the objective needs, in one network.
    Joint,
}

/// What a network's weights are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit integers with scales.
    Int8,
}

impl Network {
    /// The largest file that a manifest can name, 4 GiB.
    pub const MAX_SIZE: u64 = 4 << 30;

    pub(crate) fn check(&self, key: &str) -> Result<(), Error> {
        if !(1..=Self::MAX_SIZE).contains(&self.size) {
            return Err(Error::value(
                &format!("{key}.size"),
                format!("a file has 1 to {} bytes", Self::MAX_SIZE),
            ));
        }
        check_mirrors(key, &self.mirrors)?;
        check_opset(key, self.opset)
    }
}

pub(crate) fn check_mirrors(key: &str, mirrors: &[Location]) -> Result<(), Error> {
    if mirrors.len() <= 8 {
        return Ok(());
    }
    Err(Error::value(&format!("{key}.mirrors"), "there are at most 8 mirrors"))
}

pub(crate) fn check_opset(key: &str, opset: u32) -> Result<(), Error> {
    if (7..=64).contains(&opset) {
        return Ok(());
    }
    Err(Error::value(&format!("{key}.opset"), "the operator set is between 7 and 64"))
}

impl Role {
    /// The name in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Residual => "residual",
            Self::Noise => "noise",
            Self::Joint => "joint",
        }
    }
}

impl Precision {
    /// The name in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Fp32, Self::Fp16, Self::Int8]
            .into_iter()
            .find(|precision| precision.as_str() == text)
            .ok_or_else(|| Error::value("precision", "a precision is fp32, fp16 or int8"))
    }
}

/// What a network says about itself, in a manifest or a draft.
pub(crate) struct Face<'a> {
    pub(crate) role: Role,
    pub(crate) precision: Precision,
    pub(crate) inputs: &'a [String],
    pub(crate) outputs: &'a [String],
}

/// Checks that each precision has exactly the networks that the sampler needs, with the names
/// that their roles have.
pub(crate) fn check_set(faces: &[Face<'_>], sampler: &Sampler) -> Result<(), Error> {
    if faces.is_empty() || faces.len() > 16 {
        return Err(Error::value("networks", "a model has 1 to 16 networks"));
    }
    let needed = sampler.objective.predicts();
    for (position, face) in faces.iter().enumerate() {
        let key = format!("networks[{position}]");
        if faces[..position]
            .iter()
            .any(|other| (other.role, other.precision) == (face.role, face.precision))
        {
            let what = format!(
                "there are two networks of role {} and precision {}",
                face.role, face.precision
            );
            return Err(Error::inconsistent(&key, what));
        }
        check_inputs(&key, face, sampler)?;
        let expected: &[Role] = match face.role {
            Role::Joint => needed,
            ref single if needed.contains(single) => std::slice::from_ref(single),
            other => {
                let what =
                    format!("objective {} needs no network of role {other}", sampler.objective);
                return Err(Error::inconsistent(&key, what));
            }
        };
        if !face.outputs.iter().map(String::as_str).eq(expected.iter().map(|role| role.as_str())) {
            let names = expected.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            let what = format!(
                "a network of role {} has, for objective {}, the outputs {names} in this order",
                face.role, sampler.objective
            );
            return Err(Error::inconsistent(&format!("{key}.outputs"), what));
        }
        let same =
            |role: Role| faces.iter().any(|f| f.precision == face.precision && f.role == role);
        let separate = needed.iter().all(|&role| same(role));
        let any_separate = needed.iter().any(|&role| same(role));
        if same(Role::Joint) == any_separate || (any_separate && !separate) {
            let roles = needed.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" and ");
            let what = format!(
                "precision {} has either one joint network or one each of {roles}",
                face.precision
            );
            return Err(Error::inconsistent("networks", what));
        }
    }
    Ok(())
}

fn check_inputs(key: &str, face: &Face<'_>, sampler: &Sampler) -> Result<(), Error> {
    let names: Vec<&str> = face.inputs.iter().map(String::as_str).collect();
    let two_times =
        face.role == Role::Joint && sampler.time_encoding == TimeEncoding::AlphaBarBetaBar;
    match names.as_slice() {
        ["x", "time"] => Ok(()),
        ["x", "time", "time2"] if two_times => Ok(()),
        _ => {
            let what = "a network has the inputs x, time (and time2, if it is joint and times are alpha_bar_beta_bar), in this order";
            Err(Error::inconsistent(&format!("{key}.inputs"), what))
        }
    }
}
