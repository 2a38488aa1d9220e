//! The sources as modules: which file each one is, and which other files it imports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// All modules of the crate, by their paths: `["failover", "plan"]`.
pub(super) struct Sources {
    modules: BTreeMap<Vec<String>, Module>,
}

/// One file.
pub(super) struct Module {
    /// The path below `src`.
    pub(super) file: PathBuf,
    /// The text as it is.
    pub(super) text: String,
    /// Every path in it that leads to another module, from the root of the crate.
    paths: Vec<Vec<String>>,
    /// Its re-exports: `pub use plan::Target` makes `Target` lead to `plan`.
    reexports: BTreeMap<String, Vec<String>>,
}

impl Sources {
    /// Reads every file below `src`, tests left out.
    pub(super) fn read() -> Self {
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
        Self::of(files)
    }

    /// The modules in these files.
    pub(super) fn of(files: Vec<(PathBuf, String)>) -> Self {
        let names: BTreeSet<Vec<String>> =
            files.iter().map(|(file, _)| module_path(file)).collect();
        let modules = files.into_iter().map(|(file, text)| {
            let name = module_path(&file);
            let code = without_comments_and_strings(without_tests(&text));
            let (paths, reexports) = paths_in(&code, &name, &names);
            let module = Module {
                file,
                text,
                paths,
                reexports,
            };
            (name, module)
        });
        Self {
            modules: modules.collect(),
        }
    }

    /// Every file.
    pub(super) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.values()
    }

    /// Which files each file imports, tests aside. A re-exported name counts as imported from where it is defined.
    pub(super) fn imports(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let production = self.modules.iter().filter(|(name, _)| !is_test(name));
        production
            .map(|(_, module)| {
                let imported = module.paths.iter().filter_map(|path| self.home_of(path));
                let imported = imported.filter(|file| *file != module.file);
                (module.file.as_path(), imported.collect())
            })
            .collect()
    }

    /// The file that defines what a path leads to.
    fn home_of(&self, path: &[String]) -> Option<&Path> {
        let mut path = path.to_vec();
        // No chain of re-exports is longer.
        for _ in 0..8 {
            let length = (0..=path.len())
                .rev()
                .find(|length| self.modules.contains_key(&path[..*length]))?;
            let module = &self.modules[&path[..length]];
            let Some(target) = path.get(length).and_then(|name| module.reexports.get(name)) else {
                return Some(&module.file);
            };
            let rest = path.split_off(length + 1);
            path = [target.clone(), rest].concat();
        }
        None
    }
}

/// `api/read.rs` is `["api", "read"]`, `api/mod.rs` is `["api"]`, `lib.rs` is the root.
fn module_path(file: &Path) -> Vec<String> {
    let text = file.to_str().unwrap().trim_end_matches(".rs");
    let parts = text
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib"));
    parts.map(str::to_owned).collect()
}

fn is_test(name: &[String]) -> bool {
    name.iter()
        .any(|part| part == "tests" || part == "interleavings")
}

/// Unit tests stand at the end of their file.
pub(super) fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
}

pub(super) fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let mut is_quoted = false;
        let mut last = ' ';
        for (at, letter) in line.char_indices() {
            match letter {
                '/' if !is_quoted && line[at..].starts_with("//") => break,
                '"' if last != '\\' && last != '\'' => is_quoted = !is_quoted,
                _ if is_quoted => {}
                _ => code.push(letter),
            }
            last = letter;
        }
        code.push('\n');
    }
    code
}

type Paths = (Vec<Vec<String>>, BTreeMap<String, Vec<String>>);

/// The paths in the code of a module that lead to modules, and its re-exports.
fn paths_in(code: &str, of: &[String], names: &BTreeSet<Vec<String>>) -> Paths {
    let mut paths = Vec::new();
    let mut reexports = BTreeMap::new();
    let mut rest = String::new();
    // A statement ends with a semicolon or a brace; only `use` has braces of its own.
    let mut left = code;
    while let Some(at) = find_use(left) {
        rest.push_str(&left[..at]);
        let end = at + left[at..].find(';').unwrap_or(left.len() - at);
        let before = left[..at]
            .trim_end()
            .rsplit('\n')
            .next()
            .unwrap_or_default();
        let is_public = before.trim_start().starts_with("pub");
        let tree = left[at + "use ".len()..end]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for (path, name) in expand(&tree) {
            let Some(path) = from_root(&path, of, names) else {
                continue;
            };
            if is_public {
                reexports.insert(name, path.clone());
            }
            paths.push(path);
        }
        left = &left[end..];
    }
    rest.push_str(left);
    // Visibility is no import.
    let rest = rest.replace("pub(in crate::", "");
    for path in inline_paths(&rest) {
        paths.extend(from_root(&path, of, names));
    }
    (paths, reexports)
}

fn find_use(code: &str) -> Option<usize> {
    code.match_indices("use ").map(|(at, _)| at).find(|at| {
        code[..*at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace)
    })
}

/// `a::{b, c::d as e}` leads to `a::b` and `a::c::d`; each with the name that it has here.
fn expand(tree: &str) -> Vec<(Vec<String>, String)> {
    let Some((before, inside)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path: Vec<String> = path.trim().split("::").map(str::to_owned).collect();
        let name = match name {
            "" => path.last().cloned().unwrap_or_default(),
            name => name.to_owned(),
        };
        return vec![(path, name)];
    };
    let inside = &inside[..inside.rfind('}').unwrap_or(inside.len())];
    let mut depth = 0;
    let parts = inside.split(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        letter == ',' && depth == 0
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts
        .flat_map(|part| expand(&format!("{before}{part}")))
        .map(|(mut path, name)| {
            // `a::{self, b}`
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            (path, name)
        })
        .collect()
}

/// Everything that looks like `a::b` outside of `use`.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':');
    code.split(|letter| !is_part(letter))
        .filter(|word| word.contains("::") && !word.starts_with(':'))
        .map(|word| {
            let parts = word.split("::").filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        })
        .collect()
}

/// The path from the root of the crate, if it leads to a module of ours.
fn from_root(path: &[String], of: &[String], names: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let first = path.first()?.as_str();
    let mut base = of.to_vec();
    let mut rest = path;
    match first {
        "crate" => {
            base.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        // A child that is named as it is.
        _ => {
            let child = [of, &path[..1]].concat();
            if !names.contains(&child) {
                return None;
            }
        }
    }
    Some([base.as_slice(), rest].concat())
}
