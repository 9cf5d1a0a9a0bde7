//! Trains restoration networks for RDDM, from a recipe to the weights that are exported.
//!
//! - [`recipe`]: everything that is needed to train a network again.
//! - [`data`] and [`degrade`]: examples, from pairs of pictures or made from clean ones.
//! - [`train`]: the training; [`run`] is the folder that it writes and goes on from, [`log`] what it measured.
//! - [`select`]: the automatic choice of the objective, before a training.
//! - [`loss`], [`aosa`], [`rate`], [`ema`], [`validate`]: its parts.

pub mod aosa;
pub mod data;
pub mod degrade;
pub mod ema;
mod error;
pub mod evaluate;
mod examples;
mod feed;
mod jpeg;
pub mod log;
pub mod loss;
mod published;
pub mod rate;
pub mod recipe;
mod replicas;
pub mod run;
pub mod select;
mod text;
mod trainer;
pub mod validate;

pub use error::{Error, Kind};
pub use published::Published;
pub use recipe::Recipe;
pub use trainer::{Event, train};
