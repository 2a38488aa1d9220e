//! Reading a key from a file, or from what a command writes.

use std::io::{self, Read};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::{KeySource, Secret};

/// The longest key that is read.
const LONGEST: u64 = 64 << 10;
/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A token lasts no longer; some say that theirs lasts for as long as a number can tell.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a key could not be read. It never has the key in it, nor what a command wrote.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The command cannot be started.
    #[error("the command cannot be started: {0}")]
    NotStarted(io::Error),
    /// The command failed.
    #[error("the command failed: {0}")]
    Failed(ExitStatus),
    /// The command took too long.
    #[error("the command took longer than 10 s")]
    TooLate,
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// There is too much for a key.
    #[error("it is longer than 64 KiB")]
    TooLong,
    /// It is JSON, but names no token.
    #[error("it is JSON without `token` or `access_token`")]
    NoToken,
    /// It cannot be sent.
    #[error("it has characters that cannot be sent in an HTTP header, perhaps a line break")]
    Unsendable,
}

/// A key, and how long it is good.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: Secret,
    pub(super) lifetime: Option<Duration>,
}

/// Reads a key from its source.
pub(super) async fn read(source: &KeySource) -> Result<Found, KeyError> {
    match source {
        KeySource::File(path) => {
            let path = path.clone();
            let reading = spawn_blocking(move || contents(&path)).await;
            plain(&reading.map_err(io::Error::other)??)
        }
        KeySource::Command { argv, .. } => {
            let written = timeout(PATIENCE, run(argv)).await;
            let written = written.map_err(|_| KeyError::TooLate)??;
            match serde_json::from_slice(&written) {
                Ok(Value::Object(fields)) => token(&fields, Timestamp::now()),
                Ok(_) | Err(_) => plain(&written),
            }
        }
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, KeyError> {
    let mut contents = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(LONGEST + 1).read_to_end(&mut contents)?;
    bounded(contents)
}

/// What a command writes to its standard output. What it writes elsewhere is thrown away: it may be a secret, too.
async fn run(argv: &[String]) -> Result<Vec<u8>, KeyError> {
    let (program, arguments) = argv.split_first().ok_or(KeyError::Empty)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(KeyError::NotStarted)?;
    let mut written = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(LONGEST + 1).read_to_end(&mut written).await?;
    }
    let written = bounded(written)?;
    match child.wait().await? {
        status if status.success() => Ok(written),
        status => Err(KeyError::Failed(status)),
    }
}

fn bounded(bytes: Vec<u8>) -> Result<Vec<u8>, KeyError> {
    if bytes.len() as u64 > LONGEST {
        return Err(KeyError::TooLong);
    }
    Ok(bytes)
}

fn plain(text: &[u8]) -> Result<Found, KeyError> {
    let text = std::str::from_utf8(text).map_err(|_| KeyError::Unsendable)?;
    let key = text.trim();
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    Ok(Found {
        key: Secret::from(key.to_owned()),
        lifetime: None,
    })
}

/// The token of a JSON object: `token` and `expiry` or `expires_at` as `gcloud` and others write them, `access_token` and
/// `expires_in` of OAuth (RFC 6749, 5.1), `accessToken` and `expires_on` of `az`.
fn token(fields: &Map<String, Value>, now: Timestamp) -> Result<Found, KeyError> {
    let names = ["token", "access_token", "accessToken"];
    let mut tokens = names.iter().filter_map(|name| fields.get(*name)?.as_str());
    let key = tokens.next().ok_or(KeyError::NoToken)?;
    let lasts = fields.get("expires_in").and_then(seconds);
    let ends = ["expiry", "expires_at", "expires_on"];
    let ends = ends.iter().find_map(|name| {
        let value = fields.get(*name)?;
        let written = || value.as_str()?.parse::<Timestamp>().ok();
        let end = seconds(value).or_else(|| Some(written()?.as_second()))?;
        Some(end.saturating_sub(now.as_second()))
    });
    let lifetime = lasts
        .or(ends)
        .and_then(|seconds| u64::try_from(seconds).ok());
    let lifetime = lifetime.map(|seconds| Duration::from_secs(seconds).min(FOR_EVER));
    Ok(Found {
        lifetime,
        ..plain(key.as_bytes())?
    })
}

/// A number of seconds, written as a number or as a text.
fn seconds(value: &Value) -> Option<i64> {
    let number = value.as_f64().map(|number| number as i64);
    number.or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::{KeyError, read, token};
    use crate::config::KeySource;

    fn command(script: &str) -> KeySource {
        KeySource::Command {
            argv: ["sh", "-c", script].map(str::to_owned).into(),
            ttl: None,
        }
    }

    #[tokio::test]
    async fn a_command_tells_its_key_in_plain_text_or_in_json() {
        let found_by = |script: &'static str| async move {
            let found = read(&command(script)).await.unwrap();
            (found.key.expose().to_owned(), found.lifetime)
        };
        assert_eq!(
            found_by("echo; echo ' sk-1 '").await,
            ("sk-1".to_owned(), None)
        );
        let json = r#"echo '{"access_token": "sk-2", "expires_in": 3600}'"#;
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(found_by(json).await, ("sk-2".to_owned(), hour));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_said_without_what_was_written() {
        for (script, expected) in [
            (
                "echo sk-secret >&2; echo sk-secret; exit 3",
                "the command failed: exit status: 3",
            ),
            ("true", "it is empty"),
            ("head -c 70000 /dev/zero", "it is longer than 64 KiB"),
            (
                "echo '{\"key\": \"sk-secret\"}'",
                "it is JSON without `token` or `access_token`",
            ),
        ] {
            let error = read(&command(script)).await.unwrap_err();
            assert_eq!(error.to_string(), expected, "{script}");
        }
        let missing = KeySource::Command {
            argv: vec!["/no/such/program".to_owned()],
            ttl: None,
        };
        let error = read(&missing).await.unwrap_err();
        assert!(matches!(error, KeyError::NotStarted(_)), "{error}");
        let missing = KeySource::File("/no/such/file".into());
        let error = read(&missing).await.unwrap_err();
        assert!(matches!(error, KeyError::Unreadable(_)), "{error}");
    }

    #[test]
    fn all_usual_ways_to_tell_an_end_are_understood() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let lifetime = |value: Value| {
            let found = token(value.as_object().unwrap(), now).unwrap();
            assert_eq!(found.key.expose(), "t");
            found.lifetime.map(|lifetime| lifetime.as_secs())
        };
        assert_eq!(lifetime(json!({"token": "t"})), None);
        assert_eq!(
            lifetime(json!({"access_token": "t", "expires_in": "59"})),
            Some(59)
        );
        assert_eq!(
            lifetime(json!({"token": "t", "expiry": "2023-11-14T22:14:20Z"})),
            Some(60)
        );
        assert_eq!(
            lifetime(json!({"accessToken": "t", "expires_on": 1_700_000_061})),
            Some(61)
        );
        assert_eq!(lifetime(json!({"token": "t", "expires_at": 1})), None);
        let year = Some(365 * 24 * 3600);
        for never in [json!(i64::MAX), json!(1e300), json!(i64::MAX.to_string())] {
            assert_eq!(lifetime(json!({"token": "t", "expires_in": never})), year);
            assert_eq!(lifetime(json!({"token": "t", "expires_at": never})), year);
        }
        assert_eq!(
            lifetime(json!({"token": "t", "expires_at": i64::MIN})),
            None
        );
    }
}
