use clap::Args;
use rddm_manifest::{Manifest, ModelId};
use rddm_zoo::Error;

use super::Context;
use crate::output::{bytes, table};

/// Show what a model is, what it was trained on, and what was measured
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model's name
    #[arg(value_name = "NAME")]
    name: ModelId,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let id = &arguments.name;
    let store = context.store()?;
    // A registry that was named is what is asked about; otherwise the store comes first.
    let record = if context.settings.registry_named { None } else { store.record(id)? };
    let (manifest, place) = match record {
        Some(record) => {
            (store.manifest(&record)?, format!("in the store, pulled from {}", record.registry))
        }
        None => {
            let registry = context.look_up(Some(&store))?;
            let entry = registry.entry(id)?;
            let place = registry.place().to_string();
            // The same bytes wherever they are: what was pulled needs no network.
            let manifest = match store.listed(entry) {
                Some(manifest) => manifest,
                None => registry.manifest(entry, &context.http, &|_| {})?,
            };
            (manifest, place)
        }
    };
    context.output.result(
        &text(&manifest, &place),
        &serde_json::json!({ "manifest": manifest, "place": place }),
    );
    Ok(())
}

fn text(manifest: &Manifest, place: &str) -> String {
    let sampler = &manifest.sampler;
    let mirrored = if sampler.mirror {
        format!(", {} mean with the mirror image", sampler.mirror_mean)
    } else {
        String::new()
    };
    let confirmed = if sampler.confirm { ", confirmed at half of the size" } else { "" };
    let mut lines = vec![
        format!("{} {}: {}", manifest.id, manifest.version, manifest.summary),
        String::new(),
        format!("task          {}", manifest.task),
        format!("licence       {}", manifest.license),
        format!("needs         rddm {} or newer", manifest.least_runtime),
        format!("place         {place}"),
        format!(
            "sampler       {}, {} steps of {}, eta {}, sum scale {}{mirrored}{confirmed}",
            sampler.objective, sampler.steps, sampler.timesteps, sampler.eta, sampler.sum_scale
        ),
        format!(
            "picture       {} channels{}, tiles of {} px with {} px around",
            manifest.picture.channels,
            if manifest.picture.mask { " and a mask" } else { "" },
            manifest.picture.tile,
            manifest.picture.overlap
        ),
        format!("recipe        {}", manifest.provenance.recipe_sha256),
    ];
    for data in &manifest.training_data {
        lines.push(format!("trained on    {} ({})", data.name, data.terms));
    }
    lines.push(String::new());
    let rows: Vec<Vec<String>> = manifest
        .networks
        .iter()
        .map(|network| {
            let digest = network.sha256.to_string();
            vec![
                network.role.to_string(),
                network.precision.to_string(),
                bytes(network.size),
                network.opset.to_string(),
                digest,
            ]
        })
        .collect();
    lines.push(table(&["NETWORK", "PRECISION", "SIZE", "OPSET", "DIGEST"], &rows));
    if !manifest.accuracy.is_empty() {
        lines.push(String::new());
        let rows: Vec<Vec<String>> = manifest
            .accuracy
            .iter()
            .map(|row| {
                let input = row.input.map_or_else(String::new, |input| format!("{input:.3}"));
                vec![
                    row.dataset.to_string(),
                    row.metric.to_string(),
                    input,
                    format!("{:.3}", row.value),
                    row.steps.to_string(),
                    row.engine.to_string(),
                ]
            })
            .collect();
        lines.push(table(&["DATA", "METRIC", "INPUT", "OUTPUT", "STEPS", "ENGINE"], &rows));
    }
    lines.join("\n")
}
