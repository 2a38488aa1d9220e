//! What a model may call.

use std::collections::HashSet;

use serde_json::Value;

use super::fields::{Object, kind_of, object, take_object, take_text, take_texts};

/// The tools of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tools {
    /// Functions and custom tools, in the client's order.
    pub list: Vec<Tool>,
    /// The provider's own web search.
    pub search: Option<Search>,
    /// Which of them is to be called.
    pub choice: Choice,
    /// Whether several may be called at once; `None` leaves that to the API.
    pub parallel: Option<bool>,
}

impl Tools {
    /// Leaves out the tools that later ones with the same names replace.
    pub fn replace(&mut self) {
        let mut names = HashSet::new();
        let mut list = std::mem::take(&mut self.list);
        list.reverse();
        list.retain(|tool| names.insert((tool.namespace.clone(), tool.name.clone())));
        list.reverse();
        self.list = list;
    }
}

/// A tool that the client runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// The client's name for it.
    pub name: String,
    /// The group that it belongs to, where names are grouped (Responses).
    pub namespace: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it takes.
    pub kind: ToolKind,
    /// A caching mark behind it, in Anthropic's words.
    pub cache: Option<Value>,
}

/// What a tool takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// A JSON object.
    Function {
        /// Its JSON schema; null if the client gives none.
        schema: Value,
        /// Whether the arguments must keep to it; `None` leaves that to the API.
        strict: Option<bool>,
    },
    /// A text.
    Custom {
        /// Its grammar, as the Responses API writes it flat; null if any text is taken.
        format: Value,
    },
}

/// A tool by its name, as answers and choices mention it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ToolName {
    /// The client's name.
    pub name: String,
    /// Its group.
    pub namespace: Option<String>,
    /// Whether it takes a text instead of JSON.
    pub is_custom: bool,
}

impl ToolName {
    /// Reads the name that a choice of `OpenAI`'s gives: flat, or nested as in a tool; `None`: it gives none.
    pub fn read(mut named: Object) -> Option<Self> {
        let is_custom = kind_of(&named) == "custom";
        let mut nested = take_object(&mut named, if is_custom { "custom" } else { "function" });
        let name = take_text(&mut nested, "name").or_else(|| take_text(&mut named, "name"))?;
        Some(Self {
            name,
            namespace: take_text(&mut named, "namespace"),
            is_custom,
        })
    }
}

/// Which tool is to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The client does not say.
    #[default]
    Unsaid,
    /// The model decides.
    Auto,
    /// None.
    Never,
    /// Any, but one.
    Any,
    /// This one.
    One(ToolName),
    /// The provider's own web search.
    Search,
    /// One of these (`allowed_tools`).
    Among {
        /// The tools.
        names: Vec<ToolName>,
        /// Whether one must be called.
        must: bool,
    },
}

impl Choice {
    /// Tells whether a tool may be called. A name without a group is meant whatever the group is.
    pub fn allows(&self) -> impl Fn(&Tool) -> bool {
        fn named(name: &ToolName) -> (Option<&str>, &str) {
            (name.namespace.as_deref(), &name.name)
        }
        let among: Option<HashSet<(Option<&str>, &str)>> = match self {
            Self::Among { names, .. } => Some(names.iter().map(named).collect()),
            _ => None,
        };
        move |tool| {
            let is_named = |group| {
                among
                    .as_ref()
                    .is_none_or(|names| names.contains(&(group, &tool.name)))
            };
            is_named(None) || is_named(tool.namespace.as_deref())
        }
    }

    /// Whether some tool must be called.
    pub fn is_forced(&self) -> bool {
        match self {
            Self::Any | Self::One(_) | Self::Search | Self::Among { must: true, .. } => true,
            Self::Unsaid | Self::Auto | Self::Never | Self::Among { must: false, .. } => false,
        }
    }
}

/// The provider's own search of the web.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// The only domains that are searched.
    pub allowed_domains: Vec<String>,
    /// Where the user is: `{"city": …, "country": …, "region": …, "timezone": …}`; null if it is not said.
    pub location: Value,
    /// `low`, `medium`, `high`
    pub context_size: Option<String>,
}

impl Search {
    /// Reads where it searches and for whom. The domains may be among filters, and a place may be nested.
    pub fn read(mut options: Object) -> Self {
        let mut filters = take_object(&mut options, "filters");
        let mut place = take_object(&mut options, "user_location");
        let nested = take_object(&mut place, "approximate");
        if !nested.is_empty() {
            place = nested;
        }
        let known = ["city", "country", "region", "timezone"];
        place.retain(|field, value| known.contains(&field.as_str()) && value.is_string());
        let domains = if filters.is_empty() {
            &mut options
        } else {
            &mut filters
        };
        Self {
            allowed_domains: take_texts(domains, "allowed_domains"),
            location: match place.is_empty() {
                true => Value::Null,
                false => place.into(),
            },
            context_size: take_text(&mut options, "search_context_size"),
        }
    }

    /// Where the user is, as the providers' own searches take it; `None`: it is not said.
    pub fn located(location: Value) -> Option<Value> {
        let mut place = object(location);
        place.insert("type".to_owned(), "approximate".into());
        (place.len() > 1).then_some(place.into())
    }
}
