//! A text that stands in a file, such as a secret of Docker or Kubernetes.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The longest text that is read, in bytes.
const LONGEST: u64 = 64 << 10;

/// The text of a file, without white space around it: editors and `echo` end a file with a line break. An error says why
/// there is none, without anything that stands in the file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    // A pipe could be read only once, or never end.
    let found = fs::metadata(path).map_err(unreadable)?;
    if !found.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let reading = file.take(LONGEST + 1).read_to_end(&mut bytes);
    reading.map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err("is longer than 64 KiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    match text.trim() {
        "" => Err("is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, fs, read};

    #[test]
    fn a_text_is_what_stands_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        for (written, text) in [
            (b"sk-1\n".as_slice(), Ok("sk-1")),
            (b" sk-1\r\n", Ok("sk-1")),
            (b"two words\n\n", Ok("two words")),
            (b"", Err("is empty")),
            (b"\n", Err("is empty")),
            (b"sk-\xff", Err("is not UTF-8")),
        ] {
            fs::write(&file, written).unwrap();
            let expected = text.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read(&file), expected, "{written:?}");
        }
        fs::write(&file, vec![b'k'; LONGEST as usize + 1]).unwrap();
        assert_eq!(read(&file).unwrap_err(), "is longer than 64 KiB");
        assert_eq!(read(folder.path()).unwrap_err(), "is no regular file");
        let missing = read(&folder.path().join("missing")).unwrap_err();
        assert!(missing.starts_with("cannot be read: "), "{missing}");
    }
}
