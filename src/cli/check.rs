//! `backstop check`: every problem of the configuration, or the routes as they will be tried, with what deserves a warning.

use super::arguments::CheckArgs;
use super::failure::Failure;
use super::print::print;
use super::{live, settings};
use crate::config::{
    CandidateConfig, Config, CredentialFrom, KeySource, NotifyConfig, NotifyFormat, NotifyOn,
    Problem, Problems, RouteConfig, Secret, UpstreamConfig, UpstreamId,
};
use crate::gateway::{StartError, check_certificates, check_expiry, check_models};

/// Prints the routes, warnings, and what there is to say about models and live upstreams; problems are returned as the error.
pub(super) async fn run(args: &CheckArgs) -> Result<(), Failure> {
    let found = settings::find(&args.config)?;
    let expiring = check_expiry(&found.config);
    let warnings = Problems {
        source: found.source.clone(),
        list: [found.config.warnings.clone(), expiring].concat(),
        files: Vec::new(),
    };
    if args.strict && !warnings.list.is_empty() {
        return Err(Failure::Config(warnings));
    }
    let unusable = check_certificates(&found.config);
    if !unusable.is_empty() {
        return Err(Failure::Config(Problems {
            list: unusable.iter().map(unlocated).collect(),
            ..warnings
        }));
    }
    let made = found.made.map(|made| made + "\n").unwrap_or_default();
    let mut text = made + &describe(&found.source, &found.config);
    let findings = check_models(&found.config);
    if !findings.is_empty() {
        text += "\nmodels\n";
    }
    for finding in findings {
        text += &format!("  {finding}\n");
    }
    if !warnings.list.is_empty() {
        text += &format!("\nwarnings\n{}\n", warnings.lines());
    }
    print(&text)?;
    match args.live {
        true => live::run(&found.config).await,
        false => Ok(()),
    }
}

/// What names its place itself.
fn unlocated(error: &StartError) -> Problem {
    Problem {
        path: String::new(),
        line: None,
        message: error.to_string(),
        hint: None,
    }
}

fn describe(source: &str, config: &Config) -> String {
    let mut text = format!("{source} is good\n\n");
    text += &format!("clients    {}://{}/v1", config.scheme(), config.listen);
    if config.clients.is_empty() {
        text += ", no key needed\n";
    } else {
        let names: Vec<&str> = config
            .clients
            .iter()
            .map(|client| client.name.as_str())
            .collect();
        text += &format!(", with the key of: {}\n", names.join(", "));
    }
    text += &format!(
        "operators  http://{}/metrics\n\nupstreams\n",
        config.admin.listen
    );
    for (id, upstream) in &config.upstreams {
        text += &upstream_line(id, upstream);
    }
    text += "\nroutes, candidates in the order in which they are tried\n";
    for route in &config.routes {
        text += &route_lines(route);
    }
    if !config.notify.is_empty() {
        text += "\nwebhooks\n";
    }
    for (index, hook) in config.notify.iter().enumerate() {
        text += &hook_line(index, hook);
    }
    if let Some(collector) = config.collector() {
        text += &format!("\ntraces     {}\n", collector.shown_url());
    }
    text
}

/// Without the URL: whoever knows it may post there.
fn hook_line(index: usize, hook: &NotifyConfig) -> String {
    let on = NotifyOn::ALL.into_iter().filter(|what| hook.is_on(*what));
    let on: Vec<&str> = on.map(NotifyOn::label).collect();
    let format = match hook.format {
        NotifyFormat::Json => "json",
        NotifyFormat::Slack => "slack",
    };
    format!("  notify[{index}]    {format:<6} on {}\n", on.join(", "))
}

fn upstream_line(id: &UpstreamId, upstream: &UpstreamConfig) -> String {
    let keys = upstream.keys();
    let keys = match keys.as_slice() {
        [] => match upstream.key_source() {
            Some(KeySource::File(path)) => format!("key from {}", path.display()),
            Some(KeySource::Command { argv, .. }) => format!("key from {}", argv[0]),
            None if upstream.credential == CredentialFrom::Client => "the client's key".to_owned(),
            None => "no key".to_owned(),
        },
        keys => format!(
            "key {}",
            keys.iter()
                .map(Secret::masked)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    format!(
        "  {:<12} {:<44} {keys}\n",
        id.as_ref(),
        upstream.shown_url()
    )
}

fn route_lines(route: &RouteConfig) -> String {
    let mut text = format!("  {}\n", route.models.join(", "));
    for (tier, candidate) in in_order(route) {
        let model = candidate
            .model
            .as_deref()
            .unwrap_or("(the model asked for)");
        let weight = match candidate.weight {
            Some(weight) if weight != 1 => format!(", weight {weight}"),
            _ => String::new(),
        };
        text += &format!(
            "    {tier}. {:<12} {model}{weight}\n",
            candidate.upstream.as_ref()
        );
    }
    text
}

/// Candidates by tier; a candidate without a tier takes its position.
fn in_order(route: &RouteConfig) -> Vec<(u32, &CandidateConfig)> {
    let mut ordered: Vec<_> = (1u32..)
        .zip(&route.candidates)
        .map(|(position, candidate)| (candidate.tier.unwrap_or(position), candidate))
        .collect();
    ordered.sort_by_key(|(tier, _)| *tier);
    ordered
}
