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
                let hint = did_you_mean(name, names()).unwrap_or_else(|| {
                    format!("known are {}", names().collect::<Vec<_>>().join(", "))
                });
                E::custom(format!("no provider is called `{name}`; {hint}"))
            })
    }
}
