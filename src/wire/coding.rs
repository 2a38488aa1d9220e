//! Unpacking bodies that come compressed (RFC 9110, section 8.4): gzip, deflate and zstd, within a bound of size.

use std::io::Read;

use bytes::Bytes;
use thiserror::Error;

/// Why a body could not be unpacked.
#[derive(Debug, Error)]
pub enum CodingError {
    /// A coding that is not known.
    #[error("`{0}` is not understood; gzip, deflate and zstd are")]
    Unknown(String),
    /// It is not what its header says.
    #[error("the body is no {0} data: {1}")]
    Broken(String, std::io::Error),
    /// Unpacked, it is longer than allowed.
    #[error("unpacked, the body is larger than {0} bytes")]
    TooLarge(usize),
}

/// The body as it was before codings were applied, in the order in which `content-encoding` lists them.
pub fn unpack(codings: &str, body: Bytes, limit: usize) -> Result<Bytes, CodingError> {
    codings
        .split(',')
        .rev()
        .map(str::trim)
        .try_fold(body, |body, coding| unpack_one(coding, body, limit))
}

fn unpack_one(coding: &str, body: Bytes, limit: usize) -> Result<Bytes, CodingError> {
    let broken = |error| CodingError::Broken(coding.to_owned(), error);
    match coding.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(&*body), coding, limit),
        "deflate" => read(flate2::read::ZlibDecoder::new(&*body), coding, limit),
        "zstd" => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&*body);
            let decoder = decoder.map_err(|error| broken(std::io::Error::other(error)))?;
            read(decoder, coding, limit)
        }
        _ => Err(CodingError::Unknown(coding.to_owned())),
    }
}

fn read(packed: impl Read, coding: &str, limit: usize) -> Result<Bytes, CodingError> {
    let mut body = Vec::new();
    packed
        .take(limit as u64 + 1)
        .read_to_end(&mut body)
        .map_err(|error| CodingError::Broken(coding.to_owned(), error))?;
    if body.len() > limit {
        return Err(CodingError::TooLarge(limit));
    }
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::{CodingError, unpack};

    fn gzip(data: &[u8]) -> Bytes {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(data).unwrap();
        packer.finish().unwrap().into()
    }

    #[test]
    fn what_was_packed_comes_out_again() {
        let text = "Hello, hello, hello. ".repeat(500);
        let mut deflate = ZlibEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(text.as_bytes()).unwrap();
        let zstd = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        for (coding, body) in [
            ("gzip", gzip(text.as_bytes())),
            ("deflate", deflate.finish().unwrap().into()),
            ("ZSTD", zstd.clone().into()),
            ("zstd, gzip", gzip(&zstd)),
            ("identity", Bytes::from(text.clone())),
        ] {
            assert_eq!(unpack(coding, body, 1 << 20).unwrap(), text, "{coding}");
        }
    }

    #[test]
    fn bombs_lies_and_unknown_codings_are_refused() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert!(bomb.len() < 2000);
        assert!(matches!(
            unpack("gzip", bomb, 4096),
            Err(CodingError::TooLarge(4096))
        ));
        let lie = Bytes::from_static(b"{}");
        for coding in ["gzip", "deflate", "zstd"] {
            assert!(matches!(
                unpack(coding, lie.clone(), 99),
                Err(CodingError::Broken(..))
            ));
        }
        assert!(matches!(
            unpack("br", lie, 99),
            Err(CodingError::Unknown(_))
        ));
    }
}
