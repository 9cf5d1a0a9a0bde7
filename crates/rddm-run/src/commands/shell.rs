//! `rddm-run completions` and `rddm-run man`.

use clap::CommandFactory as _;

use crate::args::Args;
use crate::failure::Failure;
use crate::terminal::Terminal;

pub(crate) fn completions(
    shell: clap_complete::Shell,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "rddm-run", &mut out);
    terminal.raw(&out)?;
    Ok(0)
}

pub(crate) fn man(of: Option<&str>, terminal: &mut Terminal) -> Result<u8, Failure> {
    let mut whole = Args::command();
    whole.build();
    let page = match of {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::usage(format!("there is no command {name}"))
                .with_next("rddm-run --help lists them")
        })?,
    };
    let mut out = Vec::new();
    clap_mangen::Man::new(page).render(&mut out)?;
    terminal.raw(&out)?;
    Ok(0)
}
