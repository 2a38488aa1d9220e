//! The arguments of the commands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::parse_address;

#[derive(Args, Clone, Debug)]
pub(super) struct ConfigArgs {
    /// The configuration; without it ./backstop.yaml, else one made from the provider keys in the environment
    #[arg(long, env = "BACKSTOP_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,

    /// Ask every upstream, too: whether it is reached, accepts its keys and has its models; that costs nothing
    #[arg(long, alias = "models")]
    pub(super) live: bool,

    /// Treat warnings as errors
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,

    /// Serve clients here, whatever the configuration says: IP and port, or a port of this machine
    #[arg(long, env = "BACKSTOP_LISTEN", value_name = "ADDRESS", value_parser = parse_address)]
    pub(super) listen: Option<SocketAddr>,

    /// Serve operators (metrics, health) here, whatever the configuration says
    #[arg(long, env = "BACKSTOP_ADMIN_LISTEN", value_name = "ADDRESS", value_parser = parse_address)]
    pub(super) admin_listen: Option<SocketAddr>,

    #[command(flatten)]
    pub(super) hosts: HostsArg,

    /// Keep here the history, and which upstream created what (files, batches, stored responses), whatever the configuration
    /// says; without either, in `$STATE_DIRECTORY`, `$XDG_STATE_HOME/backstop` or `~/.local/state/backstop`
    #[arg(long, env = "BACKSTOP_STATE_DIR", value_name = "FOLDER")]
    pub(super) state_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct HostsArg {
    /// Further names by which the proxy may be called, with commas between them, besides those under `hosts` in the
    /// configuration
    #[arg(
        long,
        env = "BACKSTOP_HOSTS",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    hosts: Vec<String>,
}

impl HostsArg {
    /// The names, without what is left empty.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let names = self.hosts.iter().map(|name| name.trim());
        names.filter(|name| !name.is_empty()).map(str::to_owned)
    }
}

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// Serve clients here
    #[arg(long, default_value = "127.0.0.1:4000", value_name = "ADDRESS", value_parser = parse_address)]
    pub(super) listen: SocketAddr,

    /// Serve operators here
    #[arg(long, default_value = "127.0.0.1:4001", value_name = "ADDRESS", value_parser = parse_address)]
    pub(super) admin_listen: SocketAddr,

    #[command(flatten)]
    pub(super) hosts: HostsArg,

    /// Play a story unattended instead of waiting for keys, and print lines; that happens without a terminal, too
    #[arg(long)]
    pub(super) script: bool,
}

#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// The model that a client would name
    #[arg(long)]
    pub(super) model: String,

    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
}

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// Draw it anew each second, until Ctrl-C
    #[arg(long)]
    pub(super) watch: bool,

    /// What the proxy says, as one line of JSON
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
}

/// Which running proxy is asked.
#[derive(Args, Debug)]
pub(super) struct ProxyArgs {
    /// The operators' address of the proxy, where 0.0.0.0 stands for this machine; without it the one in the configuration
    #[arg(long, env = "BACKSTOP_ADMIN_LISTEN", value_name = "ADDRESS", value_parser = parse_address)]
    pub(super) admin_listen: Option<SocketAddr>,

    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// How far back: 1m, 5m, 1h, 24h, 7d, 30d or 90d
    #[arg(long, default_value = "90d", value_name = "SPAN")]
    pub(super) since: String,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// A table of 80 columns
    Text,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

#[derive(Args, Debug)]
pub(super) struct IncidentsArgs {
    /// How far back: 24h, 7d, 90d or any other time
    #[arg(long, default_value = "30d", value_name = "TIME")]
    pub(super) since: String,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
}

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    pub(super) from: ImportFrom,
}

/// Whose configuration is imported.
#[derive(Subcommand, Debug)]
pub(super) enum ImportFrom {
    /// The config.yaml of LiteLLM's proxy
    Litellm {
        /// The file
        file: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// Where to put them: one page for each command
    #[arg(value_name = "FOLDER")]
    pub(super) folder: PathBuf,
}
