//! A model's networks: verified, loaded, and wired to what the sampler wants.

use rddm_core::Objective;
use rddm_manifest::{Digest, Manifest, Precision, Role};

use crate::{
    Engine, EngineOptions, Error, ErrorKind, Network,
    engine::{Batch, Outputs},
    onnx::Signature,
};

/// Networks that work on one tile at a time; each thread has its own.
#[derive(Default)]
pub(crate) struct Crew(Vec<Box<dyn Network>>);

/// Which network gives what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// For each network, which of a step's two times its time inputs get.
    times: Vec<Vec<usize>>,
    /// Network and output that give what the sampler wants first (and second).
    outputs: Vec<(usize, usize)>,
}

/// Loads those networks that `objective` needs, after all bytes were verified, where no precision is
/// asked for those of the widest that is there whole. They get windows of `channels`.
pub(crate) fn load(
    manifest: &Manifest,
    asked: Option<Precision>,
    objective: Objective,
    channels: usize,
    files: &[impl AsRef<[u8]>],
    engine: &dyn Engine,
    options: &EngineOptions,
) -> Result<(Crew, Wiring), Error> {
    let served = served_roles(manifest, objective)?;
    let files = verify(manifest, files)?;
    let given = |network: &rddm_manifest::Network| {
        files.iter().find(|(digest, _)| *digest == network.sha256).map(|(_, bytes)| *bytes)
    };
    let used = |network: &&rddm_manifest::Network| {
        network.role == Role::Joint || served.contains(&network.role)
    };
    let known = manifest.precisions();
    let whole = |precision: &&Precision| {
        manifest
            .networks_of(**precision)
            .into_iter()
            .filter(used)
            .all(|network| given(network).is_some())
    };
    let chosen = asked.as_ref().or_else(|| known.iter().find(whole)).or(known.first());
    let Some(&precision) = chosen else {
        return Err(Error::new(ErrorKind::Options, format!("{} has no networks", manifest.id)));
    };
    let mut crew = Vec::new();
    let mut wiring = Wiring { times: Vec::new(), outputs: Vec::new() };
    let mut gives: Vec<(Role, (usize, usize))> = Vec::new();
    for network in manifest.networks_of(precision).into_iter().filter(used) {
        let name = format!("the network `{}` ({precision}) of {}", network.role, manifest.id);
        let Some(bytes) = given(network) else {
            let what = format!("{name} was not given");
            return Err(Error::new(ErrorKind::Options, what));
        };
        let signature = Signature::read(bytes).map_err(|error| error.within(&name))?;
        check_signature(&name, network, channels, &signature)?;
        let loaded = engine.load(bytes, options).map_err(|error| error.within(&name))?;
        let position = crew.len();
        for (index, output) in network.outputs.iter().enumerate() {
            let role = if output == "noise" { Role::Noise } else { Role::Residual };
            gives.push((role, (position, index)));
        }
        // A network of the noise alone is told the noise's time.
        let time = usize::from(network.outputs == ["noise"]);
        wiring.times.push(if network.inputs.len() > 2 { vec![0, 1] } else { vec![time] });
        crew.push(loaded);
    }
    for role in served {
        let Some((_, place)) = gives.iter().find(|(given, _)| given == role) else {
            let what = format!(
                "{} has no network of precision {precision} that gives {role}",
                manifest.id
            );
            return Err(Error::new(ErrorKind::Options, what));
        };
        wiring.outputs.push(*place);
    }
    Ok((Crew(crew), wiring))
}

/// The outputs that `objective` needs, if the model's networks predict them.
fn served_roles(manifest: &Manifest, objective: Objective) -> Result<&'static [Role], Error> {
    use rddm_manifest::Objective as Trained;
    let trained = manifest.sampler.objective;
    let roles = match (trained, objective) {
        // Two outputs of which one is enough.
        (Trained::PredResNoise, Objective::PredRes) => Trained::PredRes.predicts(),
        (Trained::PredResNoise, Objective::PredNoise) => Trained::PredNoise.predicts(),
        (trained, asked) if trained.as_str() == asked.name() => trained.predicts(),
        _ => {
            let alternatives = match trained {
                Trained::PredResNoise => "pred_res_noise, pred_res or pred_noise",
                other => other.as_str(),
            };
            let what = format!(
                "the networks of {} predict what {trained} needs, and {objective} was asked; they can serve {alternatives}",
                manifest.id
            );
            return Err(Error::new(ErrorKind::Options, what));
        }
    };
    Ok(roles)
}

/// Hashes every file, and accepts only bytes that the manifest names.
fn verify<'a>(
    manifest: &Manifest,
    files: &'a [impl AsRef<[u8]>],
) -> Result<Vec<(Digest, &'a [u8])>, Error> {
    let verified = files.iter().enumerate().map(|(position, file)| {
        let bytes = file.as_ref();
        let digest = Digest::of(bytes);
        let known = |network: &rddm_manifest::Network| {
            network.sha256 == digest && network.size == bytes.len() as u64
        };
        if manifest.networks.iter().any(known) {
            return Ok((digest, bytes));
        }
        let what = format!(
            "file {} of {} given for {} {} is none of its networks: its {} bytes have {digest}, which the manifest does not name; the file is damaged, or belongs to another version: pull the model again",
            position + 1,
            files.len(),
            manifest.id,
            manifest.version,
            bytes.len(),
        );
        Err(Error::new(ErrorKind::Integrity, what))
    });
    verified.collect()
}

fn check_signature(
    name: &str,
    network: &rddm_manifest::Network,
    channels: usize,
    found: &Signature,
) -> Result<(), Error> {
    let differs = |what: &str, declared: String, found: String| {
        let what = format!(
            "{name} has the {what} {found}, and its manifest says {declared}; the manifest was made from another file: publish the model again"
        );
        Err(Error::new(ErrorKind::Network, what))
    };
    if found.inputs != network.inputs {
        return differs("inputs", network.inputs.join(", "), found.inputs.join(", "));
    }
    if found.outputs != network.outputs {
        return differs("outputs", network.outputs.join(", "), found.outputs.join(", "));
    }
    if found.opset != i64::from(network.opset) {
        return differs("operator set", network.opset.to_string(), found.opset.to_string());
    }
    // Not every engine notices at run time that a window has too many channels.
    if found.channels != Some(channels) {
        let seen = found.channels.map_or("any number of".to_owned(), |number| number.to_string());
        return differs("input x of channels", channels.to_string(), seen);
    }
    Ok(())
}

impl Crew {
    /// The same networks for another thread.
    pub(crate) fn fork(&self) -> Result<Self, Error> {
        self.0.iter().map(|network| network.fork()).collect::<Result<_, _>>().map(Self)
    }

    /// The device that the networks run on.
    pub(crate) fn device(&self) -> &str {
        self.0.first().map_or("cpu", |network| network.device())
    }

    pub(crate) fn networks(&self) -> &[Box<dyn Network>] {
        &self.0
    }

    /// As [`Network::keep`].
    pub(crate) fn keep(&self, shapes: usize) {
        self.0.iter().for_each(|network| network.keep(shapes));
    }

    /// Runs all networks on one window, and gives what the sampler wants first (and second).
    pub(crate) fn run(
        &mut self,
        wiring: &Wiring,
        x: Batch<'_>,
        times: [f32; 2],
    ) -> Result<Outputs, Error> {
        let mut results = Vec::with_capacity(self.0.len());
        for (network, wanted) in self.0.iter_mut().zip(&wiring.times) {
            let times: Vec<f32> = wanted.iter().map(|&which| times[which]).collect();
            results.push(network.run(x, &times)?);
        }
        let taken = wiring.outputs.iter().map(|&(network, output)| {
            let outputs: &mut Outputs = &mut results[network];
            match outputs.get_mut(output) {
                Some(output) => Ok(std::mem::take(output)),
                None => {
                    let what = format!("the network gave {} outputs", outputs.len());
                    Err(Error::new(ErrorKind::Network, what))
                }
            }
        });
        taken.collect()
    }
}
