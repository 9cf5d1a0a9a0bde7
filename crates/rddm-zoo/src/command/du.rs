use clap::Args;
use rddm_zoo::Error;

use super::Context;
use crate::output::{bytes, table};

/// Show how much room the store takes
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &Context<'_>, _: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let usage = store.usage()?;
    let mut rows: Vec<Vec<String>> =
        usage.models.iter().map(|model| vec![model.id.to_string(), bytes(model.bytes)]).collect();
    rows.push(vec!["(all blobs)".to_owned(), bytes(usage.blobs)]);
    let unneeded = usage.unneeded.map_or_else(|| "not known".to_owned(), bytes);
    rows.push(vec!["(not needed)".to_owned(), unneeded]);
    rows.push(vec!["(not ended)".to_owned(), bytes(usage.partial)]);
    let text = format!("{}\n{}", store.root().display(), table(&["NAME", "SIZE"], &rows));
    context.output.result(&text, &usage);
    context.end_with(usage.failed)
}
