//! Unpacks a body as it arrives, piece by piece.
//!
//! Every step takes little and yields little, so that it holds up no other request, however much comes in the end. The
//! output is bounded in proportion to the input, and the input that yields nothing is, as those of whole bodies are; its length
//! is the reader's business.

use std::fmt;
use std::io::{self, Write};
use std::mem;

use bytes::{Buf, Bytes};
use flate2::write::{MultiGzDecoder, ZlibDecoder};

use super::brotli::Brotli;
use super::error::{CodingError, broken};
use super::meter::{Credit, most_output};
use super::zstd::LEAST_WINDOW;
use super::zstd_steps::Frames;

/// How much of the input one step takes.
const STEP: usize = 1 << 10;

/// A body that is being unpacked.
pub struct Unpacking {
    coding: Coding,
    /// What has come and has not been unpacked yet.
    packed: Bytes,
    came: usize,
    went: usize,
    credit: Credit,
}

enum Coding {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
    Brotli(Box<Brotli>),
    /// It yields nothing before a window is full or the frame is over: the decoder holds it back.
    Zstd(Box<Frames>),
}

impl Unpacking {
    /// The value of `content-encoding`; `None` if it is no coding that we know, or several.
    pub fn of(codings: &str) -> Option<Self> {
        let mut held_back = 0;
        let coding = match codings.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Coding::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            "br" => Coding::Brotli(Box::default()),
            "zstd" => {
                held_back = LEAST_WINDOW;
                Coding::Zstd(Box::default())
            }
            _ => return None,
        };
        Some(Self {
            coding,
            packed: Bytes::new(),
            came: 0,
            went: 0,
            credit: Credit::new(held_back),
        })
    }

    /// Takes what has come. Everything before it has been unpacked: `piece` said so.
    pub fn put(&mut self, packed: Bytes) {
        self.came += packed.len();
        self.packed = packed;
    }

    /// The next unpacked piece; `None` if more has to come first.
    pub fn piece(&mut self) -> Result<Option<Bytes>, CodingError> {
        while !self.packed.is_empty() || self.coding.has_more() {
            let step = &self.packed[..self.packed.len().min(STEP)];
            let (taken, out) = self.coding.step(step)?;
            self.packed.advance(taken);
            self.credit.went_in(taken);
            self.credit.came_out(out.len());
            if self.credit.is_spent() {
                return Err(CodingError::Padded);
            }
            if !out.is_empty() {
                self.went += out.len();
                most_output(self.came, self.went)?;
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }

    /// Nothing more comes. Fails if the end is missing.
    pub fn finish(mut self) -> Result<(), CodingError> {
        if self.came == 0 {
            return Ok(());
        }
        self.coding.finish()
    }
}

impl Coding {
    /// Unpacks the beginning of the input: how much of it, and what it yields.
    fn step(&mut self, packed: &[u8]) -> Result<(usize, Vec<u8>), CodingError> {
        match self {
            Self::Gzip(decoder) => {
                let taken = written("gzip", decoder.as_mut(), packed)?;
                Ok((taken, mem::take(decoder.get_mut())))
            }
            Self::Deflate(decoder) => {
                let taken = written("deflate", decoder.as_mut(), packed)?;
                Ok((taken, mem::take(decoder.get_mut())))
            }
            Self::Brotli(brotli) => brotli.step(packed),
            Self::Zstd(frames) => frames.step(packed),
        }
    }

    /// Whether it yields more without further input.
    fn has_more(&mut self) -> bool {
        match self {
            Self::Gzip(_) | Self::Deflate(_) => false,
            Self::Brotli(brotli) => brotli.has_more,
            Self::Zstd(frames) => frames.has_more(),
        }
    }

    fn finish(&mut self) -> Result<(), CodingError> {
        let cut_off = |coding| move |error| CodingError::Broken(coding, error);
        match self {
            Self::Gzip(decoder) => decoder.try_finish().map_err(cut_off("gzip")),
            Self::Deflate(decoder) => decoder.try_finish().map_err(cut_off("deflate")),
            Self::Brotli(brotli) => brotli.finish(),
            Self::Zstd(frames) => frames.finish(),
        }
    }
}

fn written(
    coding: &'static str,
    decoder: &mut impl Write,
    packed: &[u8],
) -> Result<usize, CodingError> {
    let wrong = |error: io::Error| CodingError::Broken(coding, error);
    let taken = decoder.write(packed).map_err(wrong)?;
    // What has been unpacked must not wait for more.
    decoder.flush().map_err(wrong)?;
    match taken {
        0 => Err(broken(coding, "there is more behind its end")),
        taken => Ok(taken),
    }
}

impl fmt::Debug for Unpacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacking").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::{CodingError, Unpacking};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// A stream of uncompressed meta-blocks (RFC 7932, section 9.2).
    fn brotli(text: &[u8]) -> Vec<u8> {
        // A window of 16 bits; not the last block; a length in four digits of four bits; uncompressed.
        let mut packed = Vec::new();
        let mut is_first = true;
        for piece in text.chunks(1 << 16) {
            let length = (piece.len() - 1) as u32;
            let header = (length << 3) | (1 << 19);
            let header = if is_first { header << 1 } else { header };
            packed.extend_from_slice(&header.to_le_bytes()[..3]);
            packed.extend_from_slice(piece);
            is_first = false;
        }
        packed.push(3);
        packed
    }

    fn unpacked(coding: &str, packed: &[u8], step: usize) -> Result<Vec<u8>, CodingError> {
        let mut unpacking = Unpacking::of(coding).unwrap();
        let mut out = Vec::new();
        for piece in packed.chunks(step) {
            unpacking.put(Bytes::copy_from_slice(piece));
            while let Some(piece) = unpacking.piece()? {
                out.extend_from_slice(&piece);
            }
        }
        unpacking.finish()?;
        Ok(out)
    }

    #[test]
    fn every_coding_is_unpacked_however_it_is_cut() {
        let text = "data: {\"choices\":[]}\n\n".repeat(9000);
        let text = text.as_bytes();
        let packings: [(&str, Vec<u8>); 4] = [
            ("gzip", gzip(text)),
            ("deflate", zlib(text)),
            ("zstd", zstd(text)),
            ("br", brotli(text)),
        ];
        for (coding, packed) in packings {
            for step in [1, 7, 1000, packed.len()] {
                let out = unpacked(coding, &packed, step);
                assert!(out.unwrap() == text, "{coding} in pieces of {step}");
            }
            let cut = &packed[..packed.len() - 1];
            assert!(unpacked(coding, cut, 1000).is_err(), "{coding}");
            assert!(
                unpacked(coding, b"{\"error\":\"plain\"}", 1000).is_err(),
                "{coding}"
            );
            assert_eq!(unpacked(coding, b"", 1).unwrap(), b"");
        }
        assert!(Unpacking::of("gzip, br").is_none());
        assert!(Unpacking::of("identity").is_none());
    }

    #[test]
    fn an_event_does_not_wait_for_the_next_one() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let mut unpacking = Unpacking::of("gzip").unwrap();
        for count in 0..3 {
            let event = format!("data: {count}\n\n");
            encoder.write_all(event.as_bytes()).unwrap();
            encoder.flush().unwrap();
            unpacking.put(std::mem::take(encoder.get_mut()).into());
            let mut out = Vec::new();
            while let Some(piece) = unpacking.piece().unwrap() {
                out.extend_from_slice(&piece);
            }
            assert_eq!(out, event.as_bytes());
        }
    }

    #[test]
    fn empty_parts_are_stopped_and_small_ones_are_not() {
        let empty_blocks = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0x58][..], &[0; 17 << 20]].concat();
        for (coding, packed) in [
            ("gzip", gzip(b"").repeat(10_000)),
            (
                "deflate",
                [&zlib(b"")[..2], &b"\0\0\0\xff\xff".repeat(20_000)].concat(),
            ),
            ("zstd", empty_blocks),
        ] {
            let out = unpacked(coding, &packed, 10_000);
            assert!(matches!(out, Err(CodingError::Padded)), "{coding}: {out:?}");
        }
        let small = gzip(b"data: 1\n\n").repeat(10_000);
        let out = unpacked("gzip", &small, small.len()).unwrap();
        assert_eq!(out.len(), 90_000);
    }

    #[test]
    fn a_bomb_is_stopped_before_it_is_unpacked() {
        let zeros = vec![0; 8 << 20];
        for (coding, packed) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
            let out = unpacked(coding, &packed, packed.len());
            assert!(
                matches!(out, Err(CodingError::Bomb(_))),
                "{coding}: {out:?}"
            );
        }
    }
}
