use clap::Args;
use rddm_zoo::{Error, search};

use super::Context;
use crate::output::table;

/// Find models by words in their names, tasks and summaries
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Words, all of which must be there
    #[arg(value_name = "WORD", required = true)]
    words: Vec<String>,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store().ok();
    let registry = context.look_up(store.as_ref())?;
    let found = search(registry.index(), &arguments.words);
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|entry| {
            vec![
                entry.id.to_string(),
                entry.version.to_string(),
                entry.task.to_string(),
                entry.summary.to_string(),
            ]
        })
        .collect();
    let text = if rows.is_empty() {
        "nothing found".to_owned()
    } else {
        table(&["NAME", "VERSION", "TASK", "SUMMARY"], &rows)
    };
    context.output.result(&text, &serde_json::json!({ "models": found }));
    Ok(())
}
