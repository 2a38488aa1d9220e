//! Why a body could not be decompressed.

use std::io;

use thiserror::Error;

use crate::wire::memory::NoMemory;

/// Block compressors make files of many members (`bgzip`: 64 KiB each).
pub(super) const MOST_PARTS: usize = 4096;

/// Why a body could not be decompressed.
#[derive(Debug, Error)]
pub enum CodingError {
    /// Its coding is unknown.
    #[error("`{0}` is not understood; gzip, deflate and zstd are")]
    Unknown(String),
    /// It has more than one coding.
    #[error("`{0}` is more than one coding; pack the body once")]
    Several(String),
    /// Its data does not match the header.
    #[error("the body is no {0} data: {1}")]
    Broken(&'static str, io::Error),
    /// It costs work without yielding data.
    #[error("the body has too many empty parts")]
    Padded,
    /// Decompressed, it is longer than allowed.
    #[error("unpacked, the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Its compression ratio is higher than that of any text.
    #[error("unpacked, the body is more than {0} times as large as it came")]
    Bomb(usize),
    /// There is no memory for it.
    #[error("the body cannot be unpacked: {0}")]
    NoMemory(#[from] NoMemory),
}

pub(super) fn broken(coding: &'static str, why: &str) -> CodingError {
    CodingError::Broken(coding, io::Error::other(why.to_owned()))
}
