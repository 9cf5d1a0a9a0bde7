use std::{net::SocketAddr, sync::Arc};

use clap::Args;
use rddm_zoo::{Error, Place, Server};

use super::Context;
use crate::output::Output;

/// Serve a registry that is a folder over HTTP
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420")]
    listen: SocketAddr,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let folder = match context.settings.registry()? {
        Place::Folder(folder) => folder,
        Place::Url(url) => {
            return Err(Error::usage(format!(
                "{url} is served already; name a folder with --registry"
            )));
        }
    };
    let server = Server::bind(arguments.listen, folder, context.trust.clone())?;
    let url = server.url()?;
    context.output.result(
        &format!("serving {} at {url}", folder.display()),
        &serde_json::json!({ "event": "serving", "url": url }),
    );
    // It does not end, and whoever started it waits for the URL.
    context.output.check()?;
    if !arguments.listen.ip().is_loopback() {
        context.output.note("others can reach this address; it serves the files that the index names and nothing else");
    }
    let output = Arc::new(Output::like(context.output));
    server.run(move |line, status, error| {
        let why = error.map(ToString::to_string);
        let shown = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        output.line(&format!("{status} {line}{shown}"));
        output.json(
            &serde_json::json!({ "event": "request", "line": line, "status": status, "why": why }),
        );
    });
    Ok(())
}
