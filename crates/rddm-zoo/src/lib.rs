//! Pulls, verifies and keeps the models of a zoo.
//!
//! A tour:
//! - A [`Place`] is where a registry is: a folder or a URL that holds `index.toml`. [`Registry::open`]
//!   reads its index and checks who signed it ([`Trust`]), its dates, and that it is not an old one put back.
//! - A [`Store`] is a folder of blobs, each named by the digest of its bytes, and of names.
//! - [`pull`] brings a model from a registry into the store. It tells each [`Event`] to an observer.
//! - [`resolve`] finds a model that can be run, in the store or in a registry that is a folder,
//!   without network, and hashes every byte of it; [`available`] lists what it can be asked for.
//! - [`verify`], [`export`], [`LockFile`], [`publish`] and [`Server`] are the other commands' work.
//!
//! The library does not print, does not read the environment, and ends no process. `rddm-zoo` is
//! the command around it.

#![forbid(unsafe_code)]

mod bundle;
mod carried;
mod download;
mod error;
mod event;
mod http;
mod key;
mod lockfile;
mod place;
mod publish;
mod pull;
mod registry;
mod resolve;
mod search;
mod serve;
mod settings;
mod signals;
mod store;
mod trust;
mod verify;

use std::time::SystemTime;

use rddm_manifest::{Timestamp, Version};

pub use bundle::export;
pub use error::{Error, ErrorKind};
pub use event::{Event, Observer};
pub use http::{Http, HttpOptions, Proxy, Token};
pub use key::{KeyPair, SigningKey};
pub use lockfile::{LockFile, LockedModel, LockedNetwork};
pub use place::Place;
pub use publish::{PublishOptions, Published, publish};
pub use pull::{PullOptions, Pulled, pull, pull_back};
pub use registry::{Access, Registry};
pub use resolve::{Origin, ResolveOptions, ResolvedModel, ResolvedNetwork, available, resolve};
pub use search::search;
pub use serve::Server;
pub use settings::Settings;
pub use signals::keep_ignored_signals;
pub use store::{Collected, ModelUsage, Record, Store, Usage, discard_unfinished};
pub use trust::Trust;
pub use verify::{Checked, verify, verify_folder};

/// The version of the runtime that this crate is built with; a model may need a newer one.
pub fn runtime_version() -> Version {
    const PARTS: [&str; 3] = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    let [major, minor, patch] = PARTS.map(|part| part.parse().unwrap_or_default());
    Version::new(major, minor, patch)
}

/// The system's time; 1970 if its clock is before that.
pub fn now() -> Timestamp {
    Timestamp::from_unix(
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    )
}
