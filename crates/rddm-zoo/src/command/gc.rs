use std::time::Duration;

use clap::Args;
use rddm_zoo::Error;

use super::Context;
use crate::output::{bytes, count};

/// Remove what no model in the store needs, and downloads that nobody went on with
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Days after which a download that has not ended is given up; 0 removes all
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    partial_days: u32,
    /// Also forget which indexes were seen: a registry that was set back is accepted again
    #[arg(long)]
    forget_registries: bool,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let age = Duration::from_secs(u64::from(arguments.partial_days) * 24 * 3600);
    let collected = store.collect(age, arguments.dry_run, &context.observer())?;
    if arguments.forget_registries && !arguments.dry_run {
        store.forget_registries()?;
    }
    let word = if arguments.dry_run { "would remove" } else { "removed" };
    context.output.result(
        &format!("{word} {}, {}", count(collected.files, "file"), bytes(collected.bytes)),
        &serde_json::json!({ "event": "removed", "files": collected.files, "bytes": collected.bytes, "dry_run": arguments.dry_run }),
    );
    Ok(())
}
