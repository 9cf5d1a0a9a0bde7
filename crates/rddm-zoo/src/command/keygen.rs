use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use rddm_zoo::{Error, KeyPair};

use super::{Context, signing_password, write_new};

/// Make a key pair for a zoo of your own
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files' name: NAME.pub is given to readers, NAME.key is kept secret
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let password = signing_password()?;
    let pair = KeyPair::generate(password.as_deref())?;
    let file = |extension: &str| {
        let mut name = arguments.name.clone().into_os_string();
        name.push(extension);
        PathBuf::from(name)
    };
    let (secret, public) = (file(".key"), file(".pub"));
    write_pair(&pair, &secret, &public)?;
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

/// Writes both files or none: a secret key beside another one's public key would be taken for its pair.
fn write_pair(pair: &KeyPair, secret: &Path, public: &Path) -> Result<(), Error> {
    for path in [secret, public] {
        if path.symlink_metadata().is_ok() {
            let what = format!("{}: it exists already; no key was made", path.display());
            return Err(Error::input(what).with_next("give another name"));
        }
    }
    write_new(secret, pair.secret.as_bytes(), true)?;
    write_new(public, pair.public.as_bytes(), false).inspect_err(|_| {
        let _ = fs::remove_file(secret);
    })
}
