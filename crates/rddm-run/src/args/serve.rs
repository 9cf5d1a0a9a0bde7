//! The options of `rddm-run serve`.

use std::net::SocketAddr;
use std::time::Duration;

use rddm_manifest::ModelId;

use super::{EngineArgs, Printing, RegistryArgs, bytes};

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// A model to serve, by its name in the zoo; may be given several times. All that are on this
    /// machine unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Vec<ModelId>,
    /// Where to listen: an address of the loopback. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8421")]
    pub(crate) listen: SocketAddr,
    /// Most bytes of a picture's file and its mask's, such as 64MB.
    #[arg(long, value_name = "SIZE", default_value = "64MB", value_parser = bytes)]
    pub(crate) max_body: u64,
    /// Most sampling steps that may be asked for.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) max_steps: usize,
    /// Most pictures that are worked on at a time; who comes when so many are is told to come back.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) max_pictures: u32,
    /// Longest that a client may take to send a request, and to take a part of the answer.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    if !(0.1..=3600.0).contains(&number) {
        return Err("a time is from 0.1 to 3600 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(number))
}
