//! Names of tools: the client's, and those that are sent because an API does not accept the client's.

use std::collections::{HashMap, HashSet};

use super::ids::{is_fine, plain_id};
use super::tools::{Tool, ToolKind, ToolName};

/// The names that are sent, and the client's own.
#[derive(Clone, Debug)]
pub struct Names {
    /// The longest name that is accepted.
    longest: usize,
    /// The client's tools, by the names that were sent: those that differ, are grouped, or take a text.
    own: HashMap<String, ToolName>,
    /// The names that were sent, by group and name.
    sent: HashMap<(Option<String>, String), String>,
    /// The names of the declared tools, as they were sent.
    declared: Vec<String>,
    /// Names that are reserved for what is not the client's.
    reserved: &'static [&'static str],
}

impl Names {
    /// For an API that accepts names of up to so many letters, digits, `_` and `-`, as all do. A tool of a group goes out
    /// under its own name, unless another tool has it too.
    pub fn of(tools: &[Tool], longest: usize, reserved: &'static [&'static str]) -> Self {
        let mut names = Self {
            longest,
            own: HashMap::new(),
            sent: HashMap::new(),
            declared: Vec::with_capacity(tools.len()),
            reserved,
        };
        let mut groups: HashMap<&str, Option<&str>> = HashMap::new();
        let mut ambiguous: HashSet<&str> = HashSet::new();
        for tool in tools {
            let group = groups
                .entry(&tool.name)
                .or_insert(tool.namespace.as_deref());
            if *group != tool.namespace.as_deref() {
                ambiguous.insert(&tool.name);
            }
        }
        for tool in tools {
            let wanted = match &tool.namespace {
                Some(namespace) if ambiguous.contains(tool.name.as_str()) => {
                    format!("{namespace}__{}", tool.name)
                }
                _ => tool.name.clone(),
            };
            let own = ToolName {
                name: tool.name.clone(),
                namespace: tool.namespace.clone(),
                is_custom: matches!(tool.kind, ToolKind::Custom { .. }),
            };
            let sent = names.add(wanted, own);
            names.declared.push(sent);
        }
        names
    }

    /// Whether this is the beginning of the name of a declared tool, and not all of it.
    pub fn may_grow(&self, begin: &str) -> bool {
        let mut names = self.declared.iter();
        names.any(|name| name.len() > begin.len() && name.starts_with(begin))
    }

    /// The name to send for a tool, declared or not.
    pub fn sent(&mut self, name: &str, namespace: Option<&str>) -> String {
        // Most names are sent as they are.
        if !self.sent.is_empty() {
            let key = (namespace.map(str::to_owned), name.to_owned());
            if let Some(sent) = self.sent.get(&key) {
                return sent.clone();
            }
        }
        if self.is_accepted(name) {
            return name.to_owned();
        }
        let own = ToolName {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            is_custom: false,
        };
        self.add(name.to_owned(), own)
    }

    /// The client's tool for a name that was sent.
    pub fn own(&self, sent: &str) -> ToolName {
        self.own.get(sent).cloned().unwrap_or_else(|| ToolName {
            name: sent.to_owned(),
            ..ToolName::default()
        })
    }

    fn add(&mut self, wanted: String, own: ToolName) -> String {
        let is_plain = own.namespace.is_none() && !own.is_custom && wanted == own.name;
        if is_plain && self.is_accepted(&wanted) {
            return wanted;
        }
        let sent = if self.is_accepted(&wanted) && !self.own.contains_key(&wanted) {
            wanted
        } else {
            self.replacement(&wanted)
        };
        let key = (own.namespace.clone(), own.name.clone());
        self.sent.insert(key, sent.clone());
        self.own.insert(sent.clone(), own);
        sent
    }

    fn is_accepted(&self, name: &str) -> bool {
        let is_free = !self.reserved.contains(&name);
        is_free && !name.is_empty() && name.len() <= self.longest && name.chars().all(is_fine)
    }

    /// A readable name with a number.
    fn replacement(&self, name: &str) -> String {
        let plain = plain_id(name);
        // Leaves room for the number.
        let readable = &plain[..plain.len().min(self.longest - 10)];
        format!("t{}_{readable}", self.own.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tools::{Tool, ToolKind};
    use super::Names;

    fn tool(name: &str, namespace: Option<&str>) -> Tool {
        Tool {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            description: None,
            kind: ToolKind::Function {
                schema: Value::Null,
                strict: None,
            },
            cache: None,
        }
    }

    #[test]
    fn names_that_are_not_taken_have_others_in_their_place() {
        let mut names = Names::of(&[], 64, &["web_search"]);
        assert_eq!(names.sent("get_weather", None), "get_weather");
        let long = format!("mcp__{}", "x".repeat(80));
        for name in ["get weather!", "获取天气", "", &long, "web_search"] {
            let sent = names.sent(name, None);
            assert!(sent.len() <= 64 && sent != name, "{name}: {sent}");
            assert_eq!(names.sent(name, None), sent);
            assert_eq!(names.own(&sent).name, name);
        }
        assert_eq!(names.own("unheard-of").name, "unheard-of");
    }

    #[test]
    fn beginnings_of_names_are_known() {
        let names = Names::of(&[tool("edit", None), tool("edit_file", None)], 64, &[]);
        for (begin, may_grow) in [
            ("e", true),
            ("edit", true),
            ("edit_file", false),
            ("x", false),
        ] {
            assert_eq!(names.may_grow(begin), may_grow, "{begin}");
        }
    }

    #[test]
    fn tools_of_two_groups_are_told_apart() {
        let tools = [
            tool("open", Some("files")),
            tool("open", Some("mail")),
            tool("send", Some("mail")),
        ];
        let mut names = Names::of(&tools, 64, &[]);
        assert_eq!(names.sent("open", Some("files")), "files__open");
        assert_eq!(names.sent("send", Some("mail")), "send");
        let own = names.own("mail__open");
        assert_eq!(
            (own.name.as_str(), own.namespace.as_deref()),
            ("open", Some("mail"))
        );
        assert_eq!(names.own("send").namespace.as_deref(), Some("mail"));
    }
}
