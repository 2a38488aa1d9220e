//! The `backstop` program: runs the command line and turns its result into an exit code.

use std::process::ExitCode;

/// The system's allocator keeps most of the memory that a crowd of connections has taken; this one gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    backstop::cli::main()
}
