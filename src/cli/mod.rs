//! The command line: what was typed, and what each command prints.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to the terminal"
)]

mod ask;
mod check;
mod demo;
mod explain;
mod healthcheck;
mod logging;
mod serve;
mod settings;
mod stop;

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::config::Problems;

/// The exit code for a configuration that is wrong or missing (`EX_CONFIG` of sysexits.h).
const BAD_CONFIG: u8 = 78;

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
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve clients; this is the default command. SIGHUP reloads the configuration, SIGTERM drains
    Serve(ServeArgs),
    /// Check the configuration: print every mistake with a fix, or the routes as they will be tried
    Check(ConfigArgs),
    /// Show a failover with simulated providers; needs no key and no configuration
    Demo(DemoArgs),
    /// Ask a running proxy which candidates it would try for a model now, and why
    Explain(ExplainArgs),
    /// Ask a running proxy whether it is ready: exit code 0 or 1
    Healthcheck(HealthcheckArgs),
}

#[derive(Args, Debug)]
struct ConfigArgs {
    /// The configuration file [default: ./backstop.yaml, else made from the provider keys in the environment]
    #[arg(long, env = "BACKSTOP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,

    /// The address for clients; overrides the configuration
    #[arg(long, env = "BACKSTOP_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// The address for operators (metrics, health); overrides the configuration
    #[arg(long, env = "BACKSTOP_ADMIN_LISTEN", value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,

    /// Where to keep the owners of files, batches and stored responses; overrides the configuration [default:
    /// `$STATE_DIRECTORY`, `$XDG_STATE_HOME/backstop` or `~/.local/state/backstop`]
    #[arg(long, env = "BACKSTOP_STATE_DIR", value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct DemoArgs {
    /// The address for clients
    #[arg(long, default_value = "127.0.0.1:4000", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// The address for operators
    #[arg(long, default_value = "127.0.0.1:4001", value_name = "ADDRESS")]
    admin_listen: SocketAddr,
}

#[derive(Args, Debug)]
struct ExplainArgs {
    /// The model that a client would name
    #[arg(long)]
    model: String,

    #[command(flatten)]
    proxy: HealthcheckArgs,
}

#[derive(Args, Debug)]
struct HealthcheckArgs {
    /// The operators' address of the proxy; 0.0.0.0 means this machine
    #[arg(
        long,
        env = "BACKSTOP_ADMIN_LISTEN",
        default_value = "127.0.0.1:4001",
        value_name = "ADDRESS"
    )]
    admin_listen: SocketAddr,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// There is no configuration.
    #[error("{}", settings::NO_CONFIGURATION)]
    NoConfig,
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// Runs the program.
pub fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(match failure {
                Failure::Config(_) | Failure::NoConfig => BAD_CONFIG,
                Failure::Other(_) => 1,
            })
        }
    }
}

fn run(line: CommandLine) -> Result<(), Failure> {
    if let Some(Command::Check(args)) = &line.command {
        return check::run(args);
    }
    logging::start(&line.log)?;
    runtime()?.block_on(async {
        match line.command {
            Some(Command::Demo(args)) => Ok(demo::run(&args).await?),
            Some(Command::Explain(args)) => Ok(explain::run(&args).await?),
            Some(Command::Healthcheck(args)) => Ok(healthcheck::run(&args).await?),
            Some(Command::Serve(args)) => serve::run(&args).await,
            Some(Command::Check(_)) | None => serve::run(&line.serve).await,
        }
    })
}

/// One thread for every two processors: a request is little work, and moving it between threads costs more than it gains.
fn runtime() -> anyhow::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = Builder::new_multi_thread()
        .worker_threads(processors.div_ceil(2))
        .enable_all()
        .build()?;
    Ok(runtime)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::CommandLine::command().debug_assert();
    }
}
