//! The manual's reference matches the sources: no code, header, metric or label is missing, and none is invented.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

type Names = BTreeSet<String>;

#[test]
fn every_error_code_is_in_the_reference() {
    let mut codes = Names::new();
    for (path, text) in sources() {
        // Where errors are built, every literal of lower-case words is a code, however it gets into the error, but for
        // the fields that errors are about.
        if path.starts_with("api") && text.contains("ErrorResponse::new(") {
            let fields = after(&text, ".about(\"");
            let may_be_code = |literal: &String| {
                literal.contains('_') && is_name(literal) && !fields.contains(literal)
            };
            codes.extend(literals(&text).filter(may_be_code));
            codes.extend(second_arguments(&text));
        }
        codes.extend(after(&text, "\"code\": \""));
        codes.extend(after(&text, "UNSOUND: &str = \""));
        for choice in text.split("let code = match ").skip(1) {
            let arms = choice.split("};").next().unwrap_or_default();
            codes.extend(after(arms, "=> \""));
        }
    }
    assert!(codes.len() > 20, "the codes were not found: {codes:?}");
    assert_eq!(table("Error codes"), codes);
}

#[test]
fn every_header_is_in_the_reference() {
    let mut headers = Names::new();
    for (_, text) in sources() {
        let all = literals(&text).filter(|literal| literal.starts_with("x-backstop-"));
        headers.extend(all);
    }
    assert!(headers.len() > 5, "the headers were not found: {headers:?}");
    assert_eq!(table("Headers"), headers);
}

#[test]
fn every_metric_is_in_the_reference() {
    let mut metrics = Names::new();
    for (path, text) in sources() {
        if path.starts_with("metrics") {
            let is_metric = |literal: &String| {
                literal.starts_with("backstop_") || literal.starts_with("process_")
            };
            metrics.extend(literals(&text).filter(is_metric));
        }
    }
    assert!(
        metrics.len() > 15,
        "the metrics were not found: {metrics:?}"
    );
    assert_eq!(table("Metrics"), metrics);
}

#[test]
fn every_outcome_is_in_the_reference() {
    let (_, text) = sources()
        .into_iter()
        .find(|(path, _)| path == Path::new("outcome.rs"))
        .unwrap();
    let outcomes = labels(&text);
    assert!(outcomes.len() > 30, "the labels were not found");
    assert_eq!(table("Outcomes"), outcomes);
}

#[test]
fn every_other_label_and_every_operators_path_is_in_the_reference() {
    let mut words = Names::new();
    let mut folders = ["event", "health", "request"].map(|folder| (folder, Names::new()));
    for (path, text) in sources() {
        for (folder, found) in &mut folders {
            if path.starts_with(folder) {
                found.extend(labels(&text));
            }
        }
        if path == Path::new("admin/mod.rs") {
            words.extend(literals(&text).filter(|literal| {
                literal.starts_with('/') && !literal.contains(char::is_whitespace)
            }));
        }
    }
    for (folder, found) in folders {
        assert!(!found.is_empty(), "no label was found in src/{folder}");
        words.extend(found);
    }
    assert!(words.len() > 25, "the labels were not found: {words:?}");
    let said: Names = code_spans(&reference()).map(str::to_owned).collect();
    let missing: Vec<_> = words.difference(&said).collect();
    assert!(missing.is_empty(), "not in the reference: {missing:?}");
}

fn reference() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/reference.md");
    fs::read_to_string(path).unwrap()
}

/// The first cells of the tables below a heading.
fn table(heading: &str) -> Names {
    let reference = reference();
    let (_, section) = reference
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("the reference has no section `{heading}`"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let names: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let all: Names = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(all.len(), names.len(), "a row of `{heading}` stands twice");
    all
}

fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The values of every function that is called `label`.
fn labels(text: &str) -> Names {
    let mut labels = Names::new();
    for function in text.split("fn label(").skip(1) {
        let body = function.split("\n    }\n").next().unwrap_or_default();
        labels.extend(after(body, "=> \""));
    }
    labels
}

/// The second arguments of `ErrorResponse::new` that are literals.
fn second_arguments(text: &str) -> Vec<String> {
    let calls = text.split("ErrorResponse::new(").skip(1);
    calls
        .filter_map(|call| call.split_once(',')?.1.trim_start().strip_prefix('"'))
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// What stands between `start` and the next quotation mark.
fn after(text: &str, start: &str) -> Vec<String> {
    let rests = text.split(start).skip(1);
    rests
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// The string literals of one line each. None of ours spans lines or holds a quotation mark where names are found.
fn literals(text: &str) -> impl Iterator<Item = String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned))
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The sources of the proxy, without tests and without the simulator, which imitates providers.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            if path.is_dir() {
                if name != "tests" && name != "simulator" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == "rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next();
                let code = code.unwrap_or_default().to_owned();
                files.push((path.strip_prefix(&root).unwrap().to_owned(), code));
            }
        }
    }
    assert!(files.len() > 100, "the sources were not found");
    files
}
