//! `rddm-run serve`: a page and an HTTP API that restore pictures, for this machine alone.
//!
//! [`shelf`] holds the models that were loaded, [`listen`] the connections, [`site`] answers what
//! comes over them: [`guard`] looks who asks, [`routes`] what for, [`ask`] parses the parameters of a
//! restoration, [`form`] its files, [`work`] does it, [`jobs`] tells how far it is, [`answer`] makes the
//! answers. `openapi.json` is the contract.

mod answer;
mod ask;
mod form;
mod guard;
mod jobs;
mod listen;
mod page;
mod routes;
mod shelf;
mod site;
mod upload;
mod work;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rddm_runtime::CancelToken;
use serde::Serialize;
use tokio::sync::Notify;

use crate::args::Serve;
use crate::failure::{Failure, code};
use crate::interrupt;
use crate::terminal::Terminal;
use shelf::Shelf;
use site::Site;

/// What `--json` prints when it listens.
#[derive(Serialize)]
struct Report {
    schema: u32,
    url: String,
    models: Vec<String>,
}

pub(crate) fn run(args: &Serve, terminal: &mut Terminal) -> Result<u8, Failure> {
    if !args.listen.ip().is_loopback() {
        let what = format!("{} is no address of the loopback", args.listen);
        return Err(Failure::usage(what).with_next(
            "listen on 127.0.0.1 or [::1]; what serves others needs a login and TLS in front of it",
        ));
    }
    let cancel = CancelToken::default();
    let stop = Arc::new(Notify::new());
    let (stopped, told) = (cancel.clone(), Arc::clone(&stop));
    interrupt::listen(move || {
        stopped.cancel();
        told.notify_one();
    })?;
    let shelf = Shelf::load(args, &cancel, terminal)?;
    let (listener, address) = bind(args.listen)?;
    let url = format!("http://{address}/");
    let models: Vec<String> = shelf.models().map(|loaded| loaded.id().to_string()).collect();
    let site = Arc::new(Site::new(args, shelf, address));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    terminal.result(&format!("serving {} at {url}", models.join(", ")))?;
    terminal.report(&Report { schema: 1, url, models })?;
    terminal.note("interrupt to end");
    let served = runtime.block_on(listen::serve(listener, site, stop, args.timeout));
    // Work that was given up ends at its next tile.
    runtime.shutdown_timeout(listen::GRACE);
    served.map_err(|error| Failure::new(code::NETWORK, format!("can't listen: {error}")))?;
    Ok(0)
}

fn bind(asked: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let bound = TcpListener::bind(asked).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|error| {
        Failure::new(code::NETWORK, format!("can't listen on {asked}: {error}"))
            .with_next("name another address with --listen; port 0 takes a free one")
    })
}
