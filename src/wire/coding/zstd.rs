//! Decompresses zstd (RFC 8878).

use std::io;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::error::{CodingError, MOST_PARTS, broken};
use super::meter::Output;

/// The window size that every decoder should support (RFC 8878, section 3.1.1.1.2), 8 MiB.
pub(super) const LEAST_WINDOW: usize = 8 << 20;
/// A block yields up to 128 KiB; senders that flush small pieces make smaller blocks. A block that is long and yields
/// little is impossible, so limiting the number of blocks limits the work.
const LEAST_PER_BLOCK: usize = 512;

/// Decompresses all frames. A decoder may hold back output up to the window size, so that is limited as well.
pub(super) fn unpack(mut packed: &[u8], out: &mut Output<'_>) -> Result<(), CodingError> {
    let mut frame = FrameDecoder::new();
    frame.set_max_window_size(out.limit().max(LEAST_WINDOW) as u64);
    let mut blocks = 0;
    for _ in 0..MOST_PARTS {
        match frame.init(&mut packed) {
            Ok(()) => one_frame(&mut frame, &mut packed, out, &mut blocks)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let rest = packed.get(length as usize..);
                packed = rest.ok_or_else(|| broken("zstd", "it is cut off"))?;
            }
            Err(error) => return Err(CodingError::Broken("zstd", io::Error::other(error))),
        }
        if packed.is_empty() {
            return Ok(());
        }
    }
    Err(CodingError::Padded)
}

/// `blocks`: the number of blocks in earlier frames.
fn one_frame(
    frame: &mut FrameDecoder,
    packed: &mut &[u8],
    out: &mut Output<'_>,
    blocks: &mut usize,
) -> Result<(), CodingError> {
    let mut piece = Vec::new();
    while !frame.is_finished() {
        frame
            .decode_blocks(&mut *packed, BlockDecodingStrategy::UptoBlocks(1))
            .map_err(|error| CodingError::Broken("zstd", io::Error::other(error)))?;
        piece.clear();
        frame
            .collect_to_writer(&mut piece)
            .map_err(|error| CodingError::Broken("zstd", error))?;
        out.push(&piece)?;
        *blocks += 1;
        // A full window of output may be held back.
        let unpacked = out.len() + LEAST_WINDOW;
        if *blocks > MOST_PARTS + unpacked / LEAST_PER_BLOCK {
            return Err(CodingError::Padded);
        }
    }
    let checksum = frame.get_checksum_from_data();
    if checksum.is_some() && checksum != frame.get_calculated_checksum() {
        return Err(broken("zstd", "its checksum is another one"));
    }
    Ok(())
}
