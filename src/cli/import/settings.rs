//! What the file says besides its models: fallbacks, aliases, timeouts, the key of clients, alerts.

use serde_yaml::Value;

use super::notes::Notes;
use super::values::{entries, list, number, text, variable};

const BY_HEALTH: &str = "backstop learns from failures whom to ask again, and when";

/// How candidates of a tier share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Strategy {
    #[default]
    Weighted,
    Latency,
}

/// The settings that have a counterpart.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// By the name of a model, or `*`: whom to ask then.
    pub(super) fallbacks: Vec<(String, Vec<String>)>,
    pub(super) default_fallbacks: Vec<String>,
    pub(super) context_window_fallbacks: Vec<(String, Vec<String>)>,
    pub(super) content_policy_fallbacks: Vec<(String, Vec<String>)>,
    /// Further names of models, each with the name that it stands for.
    pub(super) aliases: Vec<(String, String)>,
    pub(super) strategy: Strategy,
    /// In seconds.
    pub(super) timeout: Option<f64>,
    pub(super) stream_timeout: Option<f64>,
    /// How many requests may be served at a time.
    pub(super) requests: Option<u64>,
    /// The key that clients send.
    pub(super) master_key: Option<String>,
    /// The URL of Slack's webhook.
    pub(super) slack: Option<String>,
}

impl Settings {
    /// Reads all sections but `model_list`, and notes what has no counterpart.
    pub(super) fn read(file: &Value, notes: &mut Notes) -> Self {
        let mut settings = Self::default();
        // The router's own settings count before those of the library.
        for section in ["litellm_settings", "router_settings"] {
            for (key, value) in file.get(section).into_iter().flat_map(entries) {
                if !settings.routing(key, value, notes) {
                    notes.left_out(format!("{section}.{key}"), reason(key));
                }
            }
        }
        for (key, value) in file.get("general_settings").into_iter().flat_map(entries) {
            if !settings.general(key, value, notes) {
                notes.left_out(format!("general_settings.{key}"), reason(key));
            }
        }
        for (key, value) in entries(file) {
            let why = match key {
                "model_list" | "litellm_settings" | "router_settings" | "general_settings"
                | "credential_list" => {
                    continue;
                }
                "environment_variables" => {
                    let names: Vec<&str> = entries(value).map(|(name, _)| name).collect();
                    format!("export them where backstop starts: {}", names.join(", "))
                }
                "include" => "import these files as well, and put the results together".to_owned(),
                _ => "backstop has nothing like it".to_owned(),
            };
            notes.left_out(key, why);
        }
        settings.tell(notes);
        settings
    }

    /// Reads a setting of the router or the library; returns whether it has a counterpart.
    fn routing(&mut self, key: &str, value: &Value, notes: &mut Notes) -> bool {
        match key {
            "fallbacks" => self.fallbacks.extend(lists(key, value, notes)),
            "context_window_fallbacks" => {
                self.context_window_fallbacks
                    .extend(lists(key, value, notes));
            }
            "content_policy_fallbacks" => {
                self.content_policy_fallbacks
                    .extend(lists(key, value, notes));
            }
            "default_fallbacks" => self.default_fallbacks = names(key, value, notes),
            "model_group_alias" => self.aliases.extend(aliases(value)),
            "timeout" | "request_timeout" => self.timeout = number(value).or(self.timeout),
            "stream_timeout" => self.stream_timeout = number(value),
            "routing_strategy" => self.strategy(value, notes),
            // It is always so.
            "enable_pre_call_checks" => {}
            _ => return false,
        }
        true
    }

    fn strategy(&mut self, value: &Value, notes: &mut Notes) {
        match value.as_str() {
            Some("simple-shuffle") => {}
            Some("latency-based-routing" | "least-busy") => self.strategy = Strategy::Latency,
            _ => notes.left_out(
                "router_settings.routing_strategy",
                "backstop shares by weight (from weight, rpm or tpm), or by latency and load (strategy: latency)",
            ),
        }
    }

    fn general(&mut self, key: &str, value: &Value, notes: &mut Notes) -> bool {
        match key {
            "master_key" => self.master_key = text(value),
            "global_max_parallel_requests" => {
                self.requests = value.as_u64().filter(|requests| *requests > 0);
            }
            "alerting" => {
                for kind in list(value).into_iter().filter_map(Value::as_str) {
                    match kind {
                        "slack" => self.slack = Some(variable("SLACK_WEBHOOK_URL")),
                        _ => notes.left_out(
                            format!("general_settings.alerting ({kind})"),
                            "backstop tells webhooks",
                        ),
                    }
                }
            }
            _ => return false,
        }
        true
    }

    fn tell(&self, notes: &mut Notes) {
        if !self.context_window_fallbacks.is_empty() || !self.content_policy_fallbacks.is_empty() {
            notes.tell(
                "backstop has one list of candidates for a model: the fallbacks for long prompts and for refused content come last in it, and are asked when all before them fail, too",
            );
        }
        if self.master_key.is_some() {
            notes.tell("the master key is the key of one client; keys that LiteLLM made itself are in its database: list those clients under `clients`");
        }
    }
}

/// `[{model: [fallback, ...]}, ...]`, or one mapping of the same.
fn lists(key: &str, value: &Value, notes: &mut Notes) -> Vec<(String, Vec<String>)> {
    let all = list(value).into_iter().flat_map(entries);
    all.map(|(name, fallbacks)| (name.to_owned(), names(key, fallbacks, notes)))
        .collect()
}

/// Names of models; a mapping names its own under `model`, with what is to be asked of it.
fn names(key: &str, value: &Value, notes: &mut Notes) -> Vec<String> {
    let name = |entry: &Value| match entry.get("model") {
        Some(model) => {
            notes.left_out(
                format!("{key}: what else a fallback is asked"),
                "backstop asks it what the client asks",
            );
            model.as_str().map(str::to_owned)
        }
        None => entry.as_str().map(str::to_owned),
    };
    list(value).into_iter().filter_map(name).collect()
}

/// `{alias: model}` or `{alias: {model: ..., hidden: true}}`.
fn aliases(value: &Value) -> Vec<(String, String)> {
    let target = |value: &Value| {
        let named = value.as_str().or_else(|| value.get("model")?.as_str());
        named.map(str::to_owned)
    };
    entries(value)
        .filter_map(|(alias, value)| Some((alias.to_owned(), target(value)?)))
        .collect()
}

/// Why a setting is left out.
fn reason(key: &str) -> &'static str {
    match key {
        "num_retries"
        | "max_retries"
        | "retry_after"
        | "retry_policy"
        | "model_group_retry_policy"
        | "allowed_fails"
        | "allowed_fails_policy"
        | "cooldown_time"
        | "disable_cooldowns"
        | "max_fallbacks"
        | "background_health_checks"
        | "health_check_interval" => BY_HEALTH,
        "drop_params" | "modify_params" => {
            "where backstop translates, it leaves out what an upstream does not support; else it sends what the client writes"
        }
        "callbacks" | "success_callback" | "failure_callback" | "service_callback"
        | "service_callbacks" => {
            "backstop has metrics at the operators' address (/metrics), and traces for OpenTelemetry (`traces`); it sends prompts to nobody"
        }
        "cache" | "cache_params" => "backstop does not keep answers",
        "set_verbose" | "json_logs" => "backstop --log LEVEL --log-format json",
        "database_url" | "store_model_in_db" => {
            "backstop has no database: its configuration is one file"
        }
        "redis_host" | "redis_port" | "redis_password" | "redis_url" => {
            "`shared` lets replicas share what they learn, and the counts of their limits"
        }
        "alerting_threshold" | "alerting_args" | "alert_types" | "alert_to_webhook_url" => {
            "`notify` says who is told of what"
        }
        _ => "backstop has nothing like it",
    }
}
