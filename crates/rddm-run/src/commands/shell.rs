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

pub(crate) fn man(terminal: &mut Terminal) -> Result<u8, Failure> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Args::command()).render(&mut out)?;
    terminal.raw(&out)?;
    Ok(0)
}
