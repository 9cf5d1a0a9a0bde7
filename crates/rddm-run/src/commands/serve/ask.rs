//! What a restoration was asked for, in the query of its URL.

use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;

use rddm_image::{EncodeOptions, Format};
use rddm_manifest::ModelId;
use rddm_runtime::RestorerBuilder;

use super::jobs::JobId;
use crate::failure::Failure;

/// The parameters of a restoration. What was not asked for is as the command has it.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) model: ModelId,
    pub(super) id: Option<JobId>,
    pub(super) strength: f32,
    steps: Option<usize>,
    seed: u64,
    eta: Option<f32>,
    mirror: Option<bool>,
    confirm: Option<bool>,
    format: Option<Format>,
    quality: u8,
}

impl Ask {
    /// Reads a query. A parameter that is unknown, twice there or out of range is an error: a slip
    /// should not give another picture than was meant.
    pub(super) fn parse(query: &str, most_steps: usize) -> Result<Self, Failure> {
        let (mut model, mut id) = (None, None);
        let (mut steps, mut seed, mut eta, mut strength) = (None, 0, None, 1.0);
        let (mut mirror, mut confirm) = (None, None);
        let (mut format, mut quality) = (None, EncodeOptions::default().quality);
        let mut seen = HashSet::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !seen.insert(name.to_string()) {
                return Err(Failure::usage(format!("{name} is there twice")));
            }
            match name.as_ref() {
                "model" => model = Some(read::<ModelId>(&name, &value)?),
                "id" => id = Some(read(&name, &value)?),
                "steps" => steps = Some(read(&name, &value)?),
                "seed" => seed = read(&name, &value)?,
                "eta" => eta = Some(read(&name, &value)?),
                "strength" => strength = read(&name, &value)?,
                "mirror" => mirror = Some(switch(&name, &value)?),
                "confirm" => confirm = Some(switch(&name, &value)?),
                "format" => format = Some(read(&name, &value)?),
                "quality" => quality = read(&name, &value)?,
                _ => {
                    let what = format!("there is no parameter {name:?}");
                    return Err(Failure::usage(what).with_next(
                        "take model, id, steps, seed, eta, strength, mirror, confirm, format and quality",
                    ));
                }
            }
        }
        let Some(model) = model else {
            return Err(Failure::usage("no model was named: add model=NAME to the query"));
        };
        if steps.is_some_and(|steps| steps > most_steps) {
            return Err(Failure::usage(format!(
                "at most {most_steps} steps may be asked for here"
            )));
        }
        if !(1..=100).contains(&quality) {
            return Err(Failure::usage(format!("a quality is from 1 to 100, not {quality}")));
        }
        Ok(Self { model, id, strength, steps, seed, eta, mirror, confirm, format, quality })
    }

    /// Tells a builder the sampling that was asked for.
    pub(super) fn tell<'m>(&self, builder: RestorerBuilder<'m>) -> RestorerBuilder<'m> {
        let mut builder = builder.seed(self.seed).strength(self.strength);
        if let Some(steps) = self.steps {
            builder = builder.steps(steps);
        }
        if let Some(eta) = self.eta {
            builder = builder.eta(eta);
        }
        if let Some(mirror) = self.mirror {
            builder = builder.mirror(mirror);
        }
        if let Some(confirm) = self.confirm {
            builder = builder.confirm(confirm);
        }
        builder
    }

    /// How the restored picture is to be written: unless a format was named, as it came.
    pub(super) fn encoding(&self) -> EncodeOptions {
        let mut options = EncodeOptions::default().with_quality(self.quality);
        options.format = self.format;
        options
    }
}

/// A switch as `--mirror` takes it.
fn switch(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(Failure::usage(format!("{name}={value:?}: take on or off"))),
    }
}

fn read<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, Failure> {
    value.parse().map_err(|error| Failure::usage(format!("{name}={value:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_that_of_the_command() {
        let mirror = |word: &str| Ask::parse(&format!("model=a&mirror={word}"), 50).unwrap().mirror;
        assert_eq!(["on", "true"].map(mirror), [Some(true); 2]);
        assert_eq!(["off", "false"].map(mirror), [Some(false); 2]);
    }

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let ask =
            Ask::parse("model=derain&steps=3&strength=0.5&format=jpg&quality=80", 50).unwrap();
        assert_eq!((ask.model.as_str(), ask.steps, ask.strength), ("derain", Some(3), 0.5));
        assert_eq!((ask.encoding().format, ask.encoding().quality), (Some(Format::Jpeg), 80));
        for (query, word) in [
            ("", "no model"),
            ("model=..%2Fx", "model"),
            ("model=a&model=b", "twice"),
            ("model=a&stepz=1", "stepz"),
            ("model=a&id=a%2Fb", "id"),
            ("model=a&steps=51", "at most 50"),
            ("model=a&steps=-1", "steps"),
            ("model=a&strength=much", "strength"),
            ("model=a&mirror=sideways", "mirror"),
            ("model=a&quality=0", "quality"),
            ("model=a&format=gif", "gif"),
        ] {
            let failure = Ask::parse(query, 50).unwrap_err();
            assert!(failure.what.contains(word), "{query}: {}", failure.what);
        }
    }
}
