use std::{env, path::PathBuf};

use clap::Args;
use rddm_zoo::{Error, KeyPair};

use super::{Context, write_new};

/// Make a key pair for a zoo of your own
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files' name: NAME.pub is given to readers, NAME.key is kept secret
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let password = env::var("RDDM_SIGNING_PASSWORD").ok().filter(|password| !password.is_empty());
    let pair = KeyPair::generate(password.as_deref())?;
    let file = |extension: &str| {
        let mut name = arguments.name.clone().into_os_string();
        name.push(extension);
        PathBuf::from(name)
    };
    let (secret, public) = (file(".key"), file(".pub"));
    write_new(&secret, pair.secret.as_bytes(), true)?;
    write_new(&public, pair.public.as_bytes(), false)?;
    let key = pair.public.lines().nth(1).unwrap_or_default();
    context.output.result(
        &format!(
            "{} signs: keep it out of every repository{}\n{} is for readers: rddm-zoo pull NAME --registry … --key {key}",
            secret.display(),
            if password.is_some() { " (it is encrypted)" } else { " (it has no password: set RDDM_SIGNING_PASSWORD to have one)" },
            public.display()
        ),
        &serde_json::json!({ "event": "keygen", "public": key }),
    );
    Ok(())
}
