//! The command line: its arguments, and what each command prints.

mod answer;
mod arguments;
mod ask;
mod check;
mod demo;
mod explain;
mod failure;
mod hash_key;
mod healthcheck;
mod import;
mod incidents;
mod live;
mod log_filter;
mod logging;
mod manual;
mod operators;
mod print;
mod report;
mod report_clients;
mod runtimes;
mod serve;
mod settings;
mod sockets;
mod status;
mod status_table;
mod stop;
mod supervisor;
mod watch;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

use self::arguments::{
    CheckArgs, CompletionsArgs, DemoArgs, ExplainArgs, ImportArgs, IncidentsArgs, ManArgs,
    ProxyArgs, ReportArgs, ServeArgs, StatusArgs,
};
use self::failure::Failure;
use self::log_filter::LogFilter;
use self::logging::LogFormat;
use crate::gateway::{Host, Sockets};
use crate::output::{STDERR, STDOUT};

/// The exit code for an invalid or missing configuration (`EX_CONFIG` of sysexits.h).
const BAD_CONFIG: u8 = 78;
/// How long the exit waits for the last lines to be written, and for work on other threads.
const GOODBYE: Duration = Duration::from_secs(1);

/// A failover proxy for LLM APIs: one OpenAI-compatible endpoint in front of every provider you have.
///
/// Point OPENAI_BASE_URL at it. When a provider fails, the next one answers the same request, before the client notices.
#[derive(Debug, Parser)]
#[command(name = "backstop", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    serve: ServeArgs,

    /// What to log: a level, or levels by module as in `warn,backstop=debug`
    #[arg(
        long,
        global = true,
        env = "BACKSTOP_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    log: LogFilter,

    /// How to write it: short lines, JSON objects, or what fits: text on a terminal, else json
    #[arg(
        long,
        global = true,
        env = "BACKSTOP_LOG_FORMAT",
        default_value = "auto",
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve clients; this is the default command. SIGHUP reloads the configuration, SIGTERM drains
    Serve(ServeArgs),
    /// Check the configuration: print every mistake with a fix, or the routes as they will be tried
    Check(CheckArgs),
    /// Press a key to break or heal a simulated provider, and see who answers; needs no API key and no configuration
    Demo(DemoArgs),
    /// Ask a running proxy which candidates it would try for a model now, and why
    Explain(ExplainArgs),
    /// Ask a running proxy whether anything is wrong: exit code 0 if all is well, 1 if not, 2 if it cannot be asked
    Status(StatusArgs),
    /// Ask a running proxy whether it is ready: exit code 0 or 1
    Healthcheck(ProxyArgs),
    /// Ask a running proxy how many requests of clients were answered, and how upstreams and models did, over 1 minute to 90 days
    Report(ReportArgs),
    /// Ask a running proxy for its incidents: what was out, when, why, and how many requests of clients failed
    Incidents(IncidentsArgs),
    /// Read a client's key from standard input and print its digest, for `key_sha256` in the configuration
    HashKey,
    /// Turn another program's configuration into ours: the result goes to standard output, what was left out to standard error
    Import(ImportArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder
    Man(ManArgs),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let code = match run(CommandLine::parse()) {
        Ok(code) => code,
        Err(failure) => {
            print::push(&STDERR, &failure);
            ExitCode::from(match failure {
                Failure::Config(_) | Failure::NoConfig(_) => BAD_CONFIG,
                Failure::Other(_) => 1,
            })
        }
    };
    STDOUT.flush(GOODBYE);
    STDERR.flush(GOODBYE);
    code
}

fn run(line: CommandLine) -> Result<ExitCode, Failure> {
    let sockets = match line.command {
        Some(Command::Serve(_)) | None => sockets::passed(),
        Some(_) => Ok(Sockets::default()),
    };
    if let Err(error) = open() {
        // Nobody writes what is pushed.
        let _ = writeln!(io::stderr(), "{error:#}");
        return Ok(ExitCode::FAILURE);
    }
    let sockets = sockets?;
    let command = match line.command {
        // What logs nothing.
        Some(Command::Check(args)) => {
            runtimes::one()?.block_on(check::run(&args))?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::HashKey) => return Ok(hash_key::run().map(|()| ExitCode::SUCCESS)?),
        Some(Command::Import(args)) => return import::run(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Completions(args)) => {
            return Ok(manual::completions(&args, CommandLine::command())?);
        }
        Some(Command::Man(args)) => return Ok(manual::pages(&args, CommandLine::command())?),
        other => other.unwrap_or(Command::Serve(line.serve)),
    };
    let runtime = runtimes::one()?;
    if let Command::Serve(_) = command {
        serve::outlive_signals(&runtime).context("cannot listen for signals")?;
    }
    logging::start(&filter(&command, &line.log)?, line.log_format)?;
    let for_clients = match &command {
        Command::Serve(_) => runtimes::for_clients()?,
        _ => Vec::new(),
    };
    let handles = for_clients.iter().map(|runtime| runtime.handle().clone());
    let host = Host {
        sockets,
        runtimes: handles.collect(),
    };
    let result = runtime.block_on(async {
        match command {
            Command::Status(args) => return Ok(status::run(&args).await?),
            Command::Demo(args) => demo::run(&args).await?,
            Command::Explain(args) => explain::run(&args).await?,
            // Docker knows 0 and 1.
            Command::Healthcheck(args) => {
                healthcheck::run(&args).await.map_err(Failure::Other)?;
            }
            Command::Report(args) => report::run(&args).await?,
            Command::Incidents(args) => incidents::run(&args).await?,
            Command::Serve(args) => serve::run(&args, host).await?,
            Command::Check(_)
            | Command::HashKey
            | Command::Import(_)
            | Command::Completions(_)
            | Command::Man(_) => {}
        }
        Ok(ExitCode::SUCCESS)
    });
    // A DNS lookup in progress would delay the exit for as long as the resolver takes.
    runtimes::end(for_clients.into_iter().chain([runtime]), GOODBYE);
    result
}

/// Opens standard error for what is logged, if there is room for the few threads of a command.
fn open() -> anyhow::Result<()> {
    runtimes::room_for(3)?;
    logging::open().context("cannot write to standard error")
}

/// What is logged: nothing where the demo's table is drawn, because they would draw over each other.
fn filter(command: &Command, asked: &LogFilter) -> anyhow::Result<LogFilter> {
    match command {
        Command::Demo(args) if demo::is_by_keys(args) && io::stderr().is_terminal() => {
            Ok("off".parse()?)
        }
        _ => Ok(asked.clone()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::CommandLine;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }
}
