//! The house rules that a machine can check: who may import whom, which words are used, and the shape of files.

mod sources;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::sources::{Sources, without_tests};

/// What each module may import of ours, besides itself. This table is the ladder.
const LADDER: &[(&str, &[&str])] = &[
    (
        "admin",
        &[
            "browser", "config", "event", "failover", "health", "history", "metrics", "outcome",
            "request", "routing", "shared", "wire",
        ],
    ),
    (
        "api",
        &[
            "browser",
            "catalogue",
            "clients",
            "config",
            "event",
            "failover",
            "outcome",
            "request",
            "routing",
            "wire",
        ],
    ),
    ("browser", &["config"]),
    (
        "cli",
        &[
            "catalogue",
            "config",
            "gateway",
            "log",
            "output",
            "simulator",
            "state",
            "upstream",
            "wire",
        ],
    ),
    ("catalogue", &[]),
    ("clients", &["config", "event", "routing"]),
    ("config", &["catalogue"]),
    (
        "dialect",
        &["catalogue", "config", "event", "outcome", "request", "wire"],
    ),
    ("event", &["config", "outcome", "request"]),
    (
        "failover",
        &[
            "affinity",
            "catalogue",
            "config",
            "dialect",
            "event",
            "health",
            "outcome",
            "request",
            "routing",
            "upstream",
            "wire",
        ],
    ),
    (
        "gateway",
        &[
            "catalogue",
            "admin",
            "api",
            "browser",
            "clients",
            "config",
            "dialect",
            "event",
            "failover",
            "health",
            "history",
            "log",
            "metrics",
            "outcome",
            "affinity",
            "routing",
            "server",
            "shared",
            "traces",
            "upstream",
            "webhook",
            "wire",
        ],
    ),
    ("guide", &[]),
    ("health", &["config", "event", "outcome", "wire"]),
    (
        "history",
        &["config", "event", "outcome", "request", "state", "wire"],
    ),
    ("lib", &[]),
    ("log", &["config", "event", "outcome", "request"]),
    ("main", &[]),
    (
        "metrics",
        &[
            "config", "event", "health", "outcome", "output", "request", "wire",
        ],
    ),
    ("outcome", &[]),
    ("output", &[]),
    ("affinity", &["config", "request", "state", "wire"]),
    ("request", &["catalogue", "config", "wire"]),
    (
        "routing",
        &[
            "catalogue",
            "config",
            "dialect",
            "health",
            "upstream",
            "wire",
        ],
    ),
    ("server", &["wire"]),
    (
        "shared",
        &[
            "affinity", "clients", "config", "event", "health", "outcome", "upstream", "wire",
        ],
    ),
    ("simulator", &[]),
    ("state", &[]),
    (
        "traces",
        &["config", "event", "outcome", "request", "upstream", "wire"],
    ),
    (
        "upstream",
        &["catalogue", "config", "dialect", "outcome", "wire"],
    ),
    (
        "webhook",
        &["config", "event", "outcome", "upstream", "wire"],
    ),
    ("wire", &[]),
];

/// Longer files hold more than one subject.
const LONGEST_FILE: usize = 400;

#[test]
fn modules_import_only_downwards() {
    let ladder: BTreeMap<_, _> = LADDER.iter().copied().collect();
    let sources = Sources::read();
    let mut offences = Vec::new();
    for (file, imported) in sources.imports() {
        let module = top_of(file);
        let allowed = ladder
            .get(module)
            .unwrap_or_else(|| panic!("{module} is not in the table of {}", file!()));
        for other in imported.into_iter().map(top_of) {
            if other != module && !allowed.contains(&other) {
                offences.push(format!("{} imports {other}", file.display()));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn the_ladder_has_no_circle() {
    let ladder = LADDER.iter().map(|(name, below)| {
        let below = below.iter().map(Path::new).collect();
        (Path::new(*name), below)
    });
    assert_eq!(circle_in(&ladder.collect()), None);
}

#[test]
fn no_two_files_need_each_other() {
    let sources = Sources::read();
    let circles = circles_in(&sources.imports());
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn circles_are_found_however_files_import_each_other() {
    let file = |name: &str, text: &str| (PathBuf::from(name), text.to_owned());
    let imports = [
        "use crate::{other, a::{self, down::Down}};",
        "use super::down::Down;",
        "use super::{Handed as _, x};",
        "fn f() { super::down::g() }",
        "fn f() -> crate::a::Handed {}",
    ];
    for import in imports {
        let sources = Sources::of(vec![
            file("lib.rs", "pub mod a;"),
            file("a/mod.rs", "mod up;\nmod down;\npub use down::Handed;"),
            file("a/up.rs", import),
            file(
                "a/down.rs",
                "use super::up::Up; // crate::b\n const B: &str = \"crate::b::C\";",
            ),
            file("b.rs", "use crate::a::Handed;"),
        ]);
        let circles = circles_in(&sources.imports());
        assert_eq!(circles, [["a/down.rs", "a/up.rs"]], "{import}");
    }
    let clean = Sources::of(vec![
        file("lib.rs", "pub mod a;"),
        file(
            "a/mod.rs",
            "mod up; mod down; use up::Up; fn f() { down::g() }",
        ),
        file("a/up.rs", "use super::down::Down;"),
        file("a/down.rs", ""),
    ]);
    assert!(circles_in(&clean.imports()).is_empty());
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let mut offences = Vec::new();
    for module in Sources::read().modules() {
        let file = module.file.display();
        if !module.text.starts_with("//! ") {
            offences.push(format!("{file} does not begin with `//! `"));
        }
        let code = without_tests(&module.text).lines();
        let lines = code.filter(|line| !line.trim().is_empty()).count();
        if lines > LONGEST_FILE {
            offences.push(format!("{file} has {lines} lines"));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

type Imports<'a> = BTreeMap<&'a Path, BTreeSet<&'a Path>>;

/// Groups of files that lead to each other, each in the order of their names.
fn circles_in(imports: &Imports<'_>) -> Vec<Vec<String>> {
    let mut imports = imports.clone();
    let mut circles = Vec::new();
    while let Some(circle) = circle_in(&imports) {
        let mut names: Vec<String> = circle
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        names.sort();
        circles.push(names);
        // Opened at one place, so that the next one is found.
        if let Some(of_first) = imports.get_mut(circle[0]) {
            of_first.remove(circle[1 % circle.len()]);
        }
    }
    circles
}

/// The shortest way from some file back to itself.
fn circle_in<'a>(imports: &Imports<'a>) -> Option<Vec<&'a Path>> {
    let circles = imports
        .keys()
        .filter_map(|start| way_back_to(start, imports));
    circles.min_by_key(Vec::len)
}

fn way_back_to<'a>(start: &'a Path, imports: &Imports<'a>) -> Option<Vec<&'a Path>> {
    let mut ways = std::collections::VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in imports.get(way[way.len() - 1]).into_iter().flatten() {
            if *next == start {
                return Some(way);
            }
            if seen.insert(*next) {
                ways.push_back([way.as_slice(), &[next]].concat());
            }
        }
    }
    None
}

/// `api/read.rs` belongs to `api`, `log.rs` to `log`.
fn top_of(file: &Path) -> &str {
    let first = file.components().next().unwrap().as_os_str();
    first.to_str().unwrap().trim_end_matches(".rs")
}
