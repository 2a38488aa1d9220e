//! Completions for shells, and manual pages: both follow from the arguments.

use std::process::ExitCode;

use anyhow::Context;
use clap::Command;

use super::arguments::{CompletionsArgs, ManArgs};
use super::print::print;

/// The program's name.
const NAME: &str = "backstop";

/// Prints what a shell has to load.
pub(super) fn completions(
    args: &CompletionsArgs,
    mut program: Command,
) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, NAME, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for the program, and one for each command.
pub(super) fn pages(args: &ManArgs, program: Command) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(program, folder))
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
