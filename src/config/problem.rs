//! What is wrong with a configuration: all of it, each problem with its place and a fix.

use std::fmt;
use std::path::PathBuf;

use super::locate::locate;
use super::path::Path;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the structure, as in `routes[2].candidates[0].upstream`.
    pub path: String,
    /// The line in the text, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
}

/// Everything that is wrong with one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The name of the file, or of another source.
    pub source: String,
    /// At least one problem, in the order of the text.
    pub list: Vec<Problem>,
    /// The files that texts of the configuration refer to: one of them may be what is wrong.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.list.len() == 1 { "" } else { "s" };
        let count = self.list.len();
        write!(
            f,
            "{}: {count} problem{plural}\n{}",
            self.source,
            self.lines()
        )
    }
}

impl Problems {
    /// The list, with the line of each problem in front.
    pub fn lines(&self) -> String {
        let lines = self.list.iter().map(|problem| {
            let line = problem.line.map(|line| format!("line {line}"));
            format!("  {:<8} {problem}", line.unwrap_or_default())
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Its place, what is wrong, and the fix; without the line.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problems {}

/// Problems as they are found, before anybody knows their lines.
#[derive(Debug, Default)]
pub(super) struct Found {
    noted: Vec<(Path, String, Option<String>)>,
    /// Places that are wrong only because of a problem that is noted already.
    excused: Vec<Path>,
    /// Texts with references, as they were written.
    written: Vec<(Path, String)>,
    /// The files that texts refer to.
    files: Vec<PathBuf>,
}

impl Found {
    /// Notes a problem, unless one is noted for the same place or for a place around it: one cause, one problem.
    pub(super) fn note(&mut self, path: Path, message: impl Into<String>, hint: Option<String>) {
        if !self.is_spoilt(&path) {
            self.noted.push((path, message.into(), hint));
        }
    }

    /// Suppresses problems at a place: whatever is wrong there follows from another problem.
    pub(super) fn excuse(&mut self, path: Path) {
        self.excused.push(path);
    }

    /// Whether there is a problem with this place, or with a place around it.
    pub(super) fn is_spoilt(&self, path: &Path) -> bool {
        let noted = self.noted.iter().map(|(spoilt, ..)| spoilt);
        noted.chain(&self.excused).any(|spoilt| spoilt.holds(path))
    }

    /// Remembers what was written where references were expanded.
    pub(super) fn note_written(&mut self, path: Path, written: String) {
        self.written.push((path, written));
    }

    /// Remembers which files texts refer to, whether they are there or not.
    pub(super) fn note_files(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        for file in files {
            if !self.files.contains(&file) {
                self.files.push(file);
            }
        }
    }

    /// The files that texts refer to.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What messages show of a text: never what a reference stands for, but the reference.
    pub(super) fn shown<'a>(&'a self, path: &Path, text: &'a str) -> &'a str {
        let written = self.written.iter().find(|(place, _)| place == path);
        written.map_or(text, |(_, written)| written)
    }

    /// Whether a reference was expanded at a place.
    pub(super) fn is_expanded(&self, path: &Path) -> bool {
        self.written.iter().any(|(place, _)| place == path)
    }

    /// Whether nothing is noted.
    pub(super) fn is_empty(&self) -> bool {
        self.noted.is_empty()
    }

    /// The problems with their lines, in the order of the text.
    pub(super) fn located(self, text: &str) -> Vec<Problem> {
        let noted = self.noted.into_iter();
        let mut list: Vec<Problem> = noted
            .map(|(path, message, hint)| Problem {
                line: locate(text, &path),
                path: path.to_string(),
                message,
                hint,
            })
            .collect();
        list.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        list
    }
}

/// The known name that is most similar to a wrong one.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// The known name that is most similar to a wrong one, as a question.
pub fn did_you_mean<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(wrong, known).map(|name| format!("did you mean `{name}`?"))
}
