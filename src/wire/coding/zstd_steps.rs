//! Decompresses zstd (RFC 8878) as it arrives, one block at a time.

use std::io;

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::error::{CodingError, broken};
use super::zstd::LEAST_WINDOW;

/// The first bytes of a frame (RFC 8878, section 3.1.1).
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// The checksum behind the last block.
const CHECKSUM: usize = 4;
/// A block that repeats one byte.
const REPEATED: u32 = 1;

/// Frames that arrive piece by piece. The decoder holds back up to a window of output until a frame is over.
#[derive(Default)]
pub(super) struct Frames {
    decoder: FrameDecoder,
    /// What has come and has not been unpacked.
    pending: Vec<u8>,
    is_inside: bool,
    has_checksum: bool,
}

impl Frames {
    /// Takes the input, unless it has enough, and unpacks at most one block, which yields up to 128 KiB, and what was held back.
    pub(super) fn step(&mut self, packed: &[u8]) -> Result<(usize, Vec<u8>), CodingError> {
        let mut taken = 0;
        if self.next_part()?.is_none() {
            self.pending.extend_from_slice(packed);
            taken = packed.len();
        }
        let mut out = Vec::new();
        let Some(length) = self.next_part()? else {
            return Ok((taken, out));
        };
        let mut part = &self.pending[..length];
        if self.is_inside {
            let one = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder
                .decode_blocks(&mut part, one)
                .map_err(damaged)?;
        } else {
            self.decoder.set_max_window_size(LEAST_WINDOW as u64);
            self.decoder.reset(&mut part).map_err(damaged)?;
            self.is_inside = true;
        }
        self.pending.drain(..length);
        let wrong = |error| CodingError::Broken("zstd", error);
        self.decoder.collect_to_writer(&mut out).map_err(wrong)?;
        if self.decoder.is_finished() {
            self.is_inside = false;
            let checksum = self.decoder.get_checksum_from_data();
            if checksum.is_some() && checksum != self.decoder.get_calculated_checksum() {
                return Err(broken("zstd", "its checksum is another one"));
            }
        }
        Ok((taken, out))
    }

    /// Whether there is more to unpack without further input.
    pub(super) fn has_more(&mut self) -> bool {
        !matches!(self.next_part(), Ok(None))
    }

    pub(super) fn finish(&self) -> Result<(), CodingError> {
        match self.is_inside || !self.pending.is_empty() {
            true => Err(broken("zstd", "it is cut off")),
            false => Ok(()),
        }
    }

    /// The length of the next header or block, if it has come whole.
    fn next_part(&mut self) -> Result<Option<usize>, CodingError> {
        let length = match self.is_inside {
            true => self.block(),
            false => self.header()?,
        };
        Ok(length.filter(|length| self.pending.len() >= *length))
    }

    /// RFC 8878, section 3.1.1.1.
    fn header(&mut self) -> Result<Option<usize>, CodingError> {
        let Some((magic, rest)) = self.pending.split_first_chunk::<4>() else {
            return Ok(None);
        };
        if *magic != MAGIC {
            return Err(broken("zstd", "no frame begins where one should"));
        }
        let Some(descriptor) = rest.first() else {
            return Ok(None);
        };
        self.has_checksum = descriptor & 4 != 0;
        let is_single_segment = descriptor & 32 != 0;
        let window = usize::from(!is_single_segment);
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content_size = match descriptor >> 6 {
            0 => usize::from(is_single_segment),
            power => 1 << power,
        };
        Ok(Some(MAGIC.len() + 1 + window + dictionary + content_size))
    }

    /// RFC 8878, section 3.1.1.2.
    fn block(&self) -> Option<usize> {
        let [low, middle, high, ..] = *self.pending.as_slice() else {
            return None;
        };
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let is_last = header & 1 != 0;
        let content = match header >> 1 & 3 {
            REPEATED => 1,
            _ => (header >> 3) as usize,
        };
        let checksum = if is_last && self.has_checksum {
            CHECKSUM
        } else {
            0
        };
        Some(3 + content + checksum)
    }
}

fn damaged(error: FrameDecoderError) -> CodingError {
    CodingError::Broken("zstd", io::Error::other(error))
}
