//! The `backstop` program: runs the command line and turns its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    backstop::cli::main()
}
