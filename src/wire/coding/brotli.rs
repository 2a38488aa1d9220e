//! Decompresses Brotli (RFC 7932) as it arrives.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::error::{CodingError, broken};

/// How much one step yields.
const PIECE: usize = 32 << 10;

/// A Brotli stream.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    is_over: bool,
    /// It yields more without further input.
    pub(super) has_more: bool,
}

impl Default for Brotli {
    fn default() -> Self {
        let alloc = StandardAlloc::default;
        Self {
            state: BrotliState::new(alloc(), alloc(), alloc()),
            is_over: false,
            has_more: false,
        }
    }
}

impl Brotli {
    /// Unpacks the beginning of the input: how much of it, and what it yields.
    pub(super) fn step(&mut self, packed: &[u8]) -> Result<(usize, Vec<u8>), CodingError> {
        if self.is_over {
            return Err(broken("br", "there is more behind its end"));
        }
        let mut out = vec![0; PIECE];
        let (mut left, mut taken) = (packed.len(), 0);
        let (mut room, mut went, mut total) = (PIECE, 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut taken,
            packed,
            &mut room,
            &mut went,
            &mut out,
            &mut total,
            &mut self.state,
        );
        self.has_more = matches!(result, BrotliResult::NeedsMoreOutput);
        match result {
            BrotliResult::ResultFailure => return Err(broken("br", "it is damaged")),
            BrotliResult::ResultSuccess => self.is_over = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        out.truncate(went);
        Ok((taken, out))
    }

    pub(super) fn finish(&mut self) -> Result<(), CodingError> {
        match self.is_over {
            true => Ok(()),
            false => Err(broken("br", "it is cut off")),
        }
    }
}
