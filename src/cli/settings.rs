//! Finding the configuration: a named file, `./backstop.yaml`, or the provider keys in the environment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::arguments::{ConfigArgs, ProxyArgs};
use super::failure::Failure;
use crate::config::{
    self, AdminConfig, Config, Problems, from_environment, keys_without_url, process_environment,
};

const FILE: &str = "backstop.yaml";
const MISNAMED: &str = "backstop.yml";
const ENVIRONMENT: &str = "the configuration made from the environment";

/// A configuration and its source.
pub(super) struct Found {
    pub(super) config: Config,
    pub(super) source: String,
    /// Its text, if it was generated from the environment.
    pub(super) made: Option<String>,
}

/// Finds, reads and checks the configuration.
pub(super) fn find(args: &ConfigArgs) -> Result<Found, Failure> {
    if let Some(path) = file(args) {
        return Ok(Found {
            config: Config::load(path)?,
            source: path.display().to_string(),
            made: None,
        });
    }
    let made =
        from_environment(&process_environment).ok_or_else(|| Failure::NoConfig(missing()))?;
    let mut config = Config::parse(ENVIRONMENT, &made, &process_environment)?;
    config.is_made = true;
    Ok(Found {
        config,
        source: ENVIRONMENT.to_owned(),
        made: Some(made),
    })
}

/// What is there, but is no configuration.
fn missing() -> Vec<String> {
    let misnamed = Path::new(MISNAMED).exists();
    let misnamed = misnamed.then(|| format!("{MISNAMED} is not looked for; rename it to {FILE}"));
    let mut notes = keys_without_url(&process_environment);
    notes.extend(misnamed);
    notes
}

/// The file that is named, or the one that would be found here.
pub(super) fn own_file(args: &ConfigArgs) -> PathBuf {
    let named = args.config.clone();
    named.unwrap_or_else(|| PathBuf::from(FILE))
}

/// The file that is named, or the one that lies here.
fn file(args: &ConfigArgs) -> Option<&Path> {
    let named = args.config.as_deref();
    named.or_else(|| Some(Path::new(FILE)).filter(|path| path.exists()))
}

/// Where a running proxy serves operators: as it is named, else as its configuration says, else the default.
pub(super) fn admin_address(args: &ProxyArgs) -> Result<SocketAddr, Problems> {
    let configured = match (args.admin_listen, file(&args.config)) {
        (Some(named), _) => Some(named),
        (None, Some(file)) => config::admin_address(file)?,
        (None, None) => None,
    };
    Ok(reachable(
        configured.unwrap_or_else(|| AdminConfig::default().listen),
    ))
}

/// The loopback address, for an address that means all interfaces of this machine.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
