//! The house rules that a machine can check: who may import whom, and the shape of files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import of ours, besides itself and the leaves that its row names. This table is the ladder.
const LADDER: &[(&str, &[&str])] = &[
    (
        "admin",
        &[
            "failover", "health", "metrics", "request", "routing", "wire",
        ],
    ),
    (
        "api",
        &[
            "config", "event", "failover", "outcome", "request", "routing", "wire",
        ],
    ),
    (
        "cli",
        &["config", "gateway", "simulator", "upstream", "wire"],
    ),
    ("config", &[]),
    ("dialect", &["config", "outcome", "request", "wire"]),
    ("event", &["config", "outcome", "request"]),
    (
        "failover",
        &[
            "config", "dialect", "event", "health", "outcome", "affinity", "request", "routing",
            "upstream", "wire",
        ],
    ),
    (
        "gateway",
        &[
            "admin", "api", "config", "dialect", "event", "failover", "health", "log", "metrics",
            "affinity", "routing", "server", "upstream", "wire",
        ],
    ),
    ("guide", &[]),
    ("health", &["config", "event", "outcome"]),
    ("lib", &[]),
    ("log", &["event"]),
    ("main", &[]),
    ("metrics", &["event", "health"]),
    ("outcome", &[]),
    ("affinity", &["config", "request", "wire"]),
    ("request", &["config", "wire"]),
    ("routing", &["config", "health", "upstream"]),
    ("server", &["wire"]),
    ("simulator", &[]),
    ("upstream", &["config", "dialect", "outcome", "wire"]),
    ("wire", &[]),
];

/// Longer files hold more than one subject.
const LONGEST_FILE: usize = 400;

#[test]
fn modules_import_only_downwards() {
    let ladder: BTreeMap<_, _> = LADDER.iter().copied().collect();
    let mut offences = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let allowed = ladder
            .get(module.as_str())
            .unwrap_or_else(|| panic!("{module} is not in the table of {}", file!()));
        for imported in text.split("crate::").skip(1).map(first_name) {
            let is_module = ladder.contains_key(imported);
            if is_module && imported != module && !allowed.contains(&imported) {
                offences.push(format!("{} imports {imported}", path.display()));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn the_ladder_has_no_circle() {
    let ladder: BTreeMap<_, _> = LADDER.iter().copied().collect();
    fn visit<'a>(name: &'a str, ladder: &BTreeMap<&'a str, &'a [&'a str]>, way: &mut Vec<&'a str>) {
        assert!(!way.contains(&name), "a circle: {way:?} -> {name}");
        way.push(name);
        for below in ladder[name] {
            visit(below, ladder, way);
        }
        way.pop();
    }
    for (name, _) in LADDER {
        visit(name, &ladder, &mut Vec::new());
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let mut offences = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            offences.push(format!("{} does not begin with `//! `", path.display()));
        }
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
        if lines > LONGEST_FILE {
            offences.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(files.len() > 30, "the sources were not found");
    files
}

/// `api/read.rs` belongs to `api`, `metrics.rs` to `metrics`.
fn module_of(path: &Path) -> String {
    let first = path
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn first_name(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}
