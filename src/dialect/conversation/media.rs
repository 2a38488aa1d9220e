//! Images and files as `OpenAI` writes them: data are URLs with their media type.

use super::request::Media;

const DATA: &str = "data:";
const BASE64: &str = ";base64,";

/// The endings of files that `OpenAI` takes, and their media types.
const KINDS: [(&str, &str); 6] = [
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("json", "application/json"),
];

impl Media {
    /// What is at a URL, or in it.
    pub fn of_url(mut url: String) -> Self {
        let rest = url.strip_prefix(DATA);
        let Some((head, _)) = rest.and_then(|rest| rest.split_once(BASE64)) else {
            return Self::Url(url);
        };
        let kind = head.split(';').next().unwrap_or(head).to_owned();
        // In place: the data may be long.
        url.drain(..DATA.len() + head.len() + BASE64.len());
        Self::Inline { kind, data: url }
    }

    /// The data of a file: a URL, or the data alone, whose type its name says.
    pub fn of_data(data: String, name: Option<&str>) -> Self {
        match data.contains(':') {
            true => Self::of_url(data),
            false => Self::Inline {
                kind: kind_of_name(name).to_owned(),
                data,
            },
        }
    }
}

/// The URL of data; in place, since they may be long.
pub fn data_url(kind: &str, mut data: String) -> String {
    data.insert_str(0, &format!("{DATA}{kind}{BASE64}"));
    data
}

/// The media type of a file by its name; most are PDFs.
fn kind_of_name(name: Option<&str>) -> &'static str {
    let ending = name.and_then(|name| Some(name.rsplit_once('.')?.1));
    let is_known = |known: &str| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known));
    let known = KINDS.iter().find(|(known, _)| is_known(known));
    known.map_or("application/pdf", |(_, kind)| kind)
}

/// A name for a file without one: `OpenAI` asks for it.
pub fn name_of_kind(kind: &str) -> String {
    let known = KINDS.iter().find(|(_, known)| *known == kind);
    let usual = if kind.starts_with("text/") {
        "txt"
    } else {
        "pdf"
    };
    format!("document.{}", known.map_or(usual, |(ending, _)| ending))
}
