use std::{env, path::PathBuf};

use clap::Args;
use rddm_manifest::ModelId;
use rddm_zoo::{Error, PublishOptions, SigningKey, Trust, publish};

use super::{Context, read_text, signing_password};
use crate::output::count;

/// Make a registry (manifests and a signed index) from the folders of a zoo
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder with one folder a model: model.toml, recipe.toml, eval.json and the ONNX files
    #[arg(long, value_name = "FOLDER", default_value = "zoo")]
    zoo: PathBuf,
    /// The registry's folder, beside the zoo or around it
    #[arg(long, value_name = "FOLDER", default_value = "manifests")]
    out: PathBuf,
    /// The secret key that signs (minisign) [env: RDDM_SIGNING_KEY]
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// Do not sign; readers then need --allow-unsigned
    #[arg(long, conflicts_with = "signing_key")]
    unsigned: bool,
    /// Days until the index expires
    #[arg(long, value_name = "N", default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: u32,
    /// Publish again although nothing changed, for a later expiry
    #[arg(long)]
    renew: bool,
    /// Write nothing, and fail: if the registry is not what the zoo makes (3), if its index has expired
    /// or has no good signature (5). Needs no secret key
    #[arg(long, conflicts_with = "renew")]
    check: bool,
    /// Number the index above this version, which readers have seen: for a registry that lost its index
    #[arg(long, value_name = "VERSION", default_value_t = 0, conflicts_with = "check", value_parser = clap::value_parser!(u64).range(..1 << 62))]
    after: u64,
    /// Let a model have a version below the published one
    #[arg(long)]
    set_back: bool,
    /// Let the registry lose this model, which the zoo no longer has; may be given several times
    #[arg(long, value_name = "NAME")]
    retire: Vec<ModelId>,
    /// Let the registry have no models, as when the last one is retired
    #[arg(long)]
    empty: bool,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let key = if arguments.check || arguments.unsigned {
        None
    } else {
        Some(signing_key(arguments.signing_key)?)
    };
    let trust = if arguments.unsigned { &Trust::Unsigned } else { &context.trust };
    let published = publish(&PublishOptions {
        zoo: &arguments.zoo,
        registry: &arguments.out,
        key: key.as_ref(),
        now: rddm_zoo::now(),
        days: arguments.days,
        renew: arguments.renew,
        check: arguments.check.then_some(trust),
        allow_expired: context.allow_expired,
        after: arguments.after,
        set_back: arguments.set_back,
        retire: &arguments.retire,
        empty: arguments.empty,
    })?;
    let index = &published.index;
    let state = if published.changed { "published" } else { "unchanged" };
    for entry in &index.models {
        context.output.line(&format!("{:24} {:8} {}", entry.id, entry.version, entry.summary));
    }
    for id in &published.unmeasured {
        let path = arguments.zoo.join(id.as_str()).join("eval.json");
        context.output.note(&format!(
            "{}: measured on another network than is there now, so the manifest has no figures; measure again, then publish",
            path.display()
        ));
    }
    if published.changed && index.version == 1 && key.is_some() {
        context.output.note("the registry begins at version 1; if readers have seen a higher one at its place, they refuse it until it is published with --after VERSION");
    }
    let place = arguments.out.display();
    let models = count(index.models.len(), "model");
    let (version, expires) = (index.version, index.expires);
    context.output.result(
        &format!("{state}: version {version} in {place}, {models}, expires {expires}"),
        &serde_json::json!({
            "event": state, "version": index.version, "models": index.models.len(), "expires": index.expires,
            "unmeasured": published.unmeasured,
            "signed_by": key.as_ref().map(|key| key.public().to_string()),
        }),
    );
    Ok(())
}

fn signing_key(path: Option<PathBuf>) -> Result<SigningKey, Error> {
    let path = path.or_else(|| {
        env::var_os("RDDM_SIGNING_KEY").filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    let path = path.ok_or_else(|| {
        Error::usage("a key to sign with: --signing-key FILE or RDDM_SIGNING_KEY; or --unsigned")
    })?;
    let text = read_text(&path, 4096)?;
    SigningKey::parse(&text, signing_password()?.as_deref())
}
