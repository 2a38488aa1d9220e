//! The names of providers in the configuration.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::problem::did_you_mean;
use crate::catalogue::Provider;

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Name)
    }
}

struct Name;

/// What people call providers by instead: their companies, their products.
const OTHER_NAMES: [(&str, &[&str]); 10] = [
    ("openai", &["gpt", "chatgpt"]),
    ("anthropic", &["claude"]),
    ("gemini", &["google", "google_ai_studio"]),
    ("ernie", &["baidu", "qianfan", "wenxin"]),
    ("xai", &["grok", "x.ai"]),
    ("qwen", &["alibaba", "dashscope", "tongyi"]),
    ("moonshot", &["kimi"]),
    ("zai", &["zhipu", "glm", "bigmodel"]),
    ("bedrock", &["aws", "amazon"]),
    ("volcengine", &["doubao", "ark", "bytedance"]),
];

fn meant_by(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let provider = match Provider::all().find(|provider| provider.name() == name) {
        Some(provider) => provider.name(),
        None => {
            OTHER_NAMES
                .iter()
                .find(|(_, others)| others.contains(&&*name))?
                .0
        }
    };
    Some(format!("did you mean `{provider}`?"))
}

impl Visitor<'_> for Name {
    type Value = Provider;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a provider")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Provider, E> {
        let names = || Provider::all().map(Provider::name);
        Provider::all()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| {
                let similar = || did_you_mean(name, names());
                let hint = meant_by(name).or_else(similar).unwrap_or_else(|| {
                    format!("known are {}", names().collect::<Vec<_>>().join(", "))
                });
                E::custom(format!("no provider is called `{name}`; {hint}"))
            })
    }
}
