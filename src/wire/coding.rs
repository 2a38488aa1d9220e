//! Unpacking bodies that come compressed (RFC 9110, section 8.4): gzip, deflate and zstd, within a bound of size.

use std::io::Read;

use bytes::Bytes;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use thiserror::Error;

/// Every decoder should have room for as much of what came before (RFC 8878, section 3.1.1.1.2), 8 MiB.
const LEAST_WINDOW: usize = 8 << 20;

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
    match coding.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(&*body), coding, limit),
        "deflate" => read(flate2::read::ZlibDecoder::new(&*body), coding, limit),
        "zstd" => unpack_zstd(&body, coding, limit),
        _ => Err(CodingError::Unknown(coding.to_owned())),
    }
}

/// All frames of it. A frame is held back up to the size of its window, so that is bounded, too.
fn unpack_zstd(mut packed: &[u8], coding: &str, limit: usize) -> Result<Bytes, CodingError> {
    let broken = |error| CodingError::Broken(coding.to_owned(), error);
    let mut body = Vec::new();
    let mut frame = FrameDecoder::new();
    frame.set_max_window_size(limit.max(LEAST_WINDOW) as u64);
    while !packed.is_empty() {
        match frame.init(&mut packed) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                packed = packed.get(length as usize..).unwrap_or_default();
                continue;
            }
            Err(error) => return Err(broken(std::io::Error::other(error))),
        }
        while !frame.is_finished() {
            frame
                .decode_blocks(&mut packed, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| broken(std::io::Error::other(error)))?;
            frame.collect_to_writer(&mut body).map_err(broken)?;
            if body.len() > limit {
                return Err(CodingError::TooLarge(limit));
            }
        }
    }
    Ok(body.into())
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

    /// Two frames of zstd, with one to skip between them.
    fn frames(data: &[u8]) -> Bytes {
        let (first, second) = data.split_at(data.len() / 2);
        let pack = |data| compress_to_vec(data, CompressionLevel::Fastest);
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
        [pack(first), skipped.to_vec(), pack(second)]
            .concat()
            .into()
    }

    /// A frame of runs of zeros, 128 KiB each, that are to be kept until 128 MiB are full.
    fn zstd_bomb() -> Bytes {
        let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3];
        for _ in 0..1100 {
            bomb.extend_from_slice(&[0x02, 0x00, 0x10, 0]);
        }
        bomb.into()
    }

    #[test]
    fn a_window_is_no_larger_than_a_body() {
        assert!(matches!(
            unpack("zstd", zstd_bomb(), 4096),
            Err(CodingError::Broken(..))
        ));
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
            ("zstd", frames(text.as_bytes())),
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
