//! Decompresses bodies (RFC 9110, section 8.4): whole ones of requests, in gzip, deflate or zstd, within limits of size
//! and work; those of replies, also in Brotli, as they arrive.
//!
//! Only one coding is accepted: with two, a few bytes expand to gigabytes in between. The output is limited by a size
//! and in proportion to the input. Input that yields no output (empty members, empty blocks, skippable frames) is
//! limited as well. A body that is truncated, or has data after its end, is rejected: its meaning is unclear.

mod brotli;
mod error;
mod meter;
mod unpacking;
mod zstd;
mod zstd_steps;

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{GzDecoder, ZlibDecoder};

pub use error::CodingError;
pub use unpacking::Unpacking;

use self::error::{MOST_PARTS, broken};
use self::meter::{Meter, Output};
use super::memory::Share;

/// Whether a body can be unpacked from what `content-encoding` names.
pub fn is_known(codings: &str) -> bool {
    let known = ["identity", "gzip", "x-gzip", "deflate", "zstd"];
    known
        .iter()
        .any(|name| name.eq_ignore_ascii_case(codings.trim()))
}

/// Decompresses a body from the coding that `content-encoding` names, to `limit` bytes at most. Memory is taken from
/// `share` as the output grows.
pub fn unpack(
    codings: &str,
    body: Bytes,
    limit: usize,
    share: &mut Share,
) -> Result<Bytes, CodingError> {
    let names = codings.split(',').map(str::trim);
    let mut names = names.filter(|name| !matches!(*name, "" | "identity"));
    let Some(name) = names.next() else {
        return Ok(body);
    };
    if names.next().is_some() {
        return Err(CodingError::Several(codings.to_owned()));
    }
    let mut out = Output::new(body.len(), limit, share);
    match name.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => gzip(&body, &mut out)?,
        "deflate" => deflate(&body, &mut out)?,
        "zstd" => zstd::unpack(&body, &mut out)?,
        _ => return Err(CodingError::Unknown(name.to_owned())),
    }
    Ok(out.finish())
}

/// Decompresses all members, one after the other.
fn gzip(packed: &[u8], out: &mut Output<'_>) -> Result<(), CodingError> {
    let mut meter = Meter::new(packed);
    for _ in 0..MOST_PARTS {
        let mut member = GzDecoder::new(meter);
        drain("gzip", &mut member, GzDecoder::get_mut, out)?;
        meter = member.into_inner();
        if meter.is_at_end() {
            return Ok(());
        }
    }
    Err(CodingError::Padded)
}

fn deflate(packed: &[u8], out: &mut Output<'_>) -> Result<(), CodingError> {
    let mut stream = ZlibDecoder::new(Meter::new(packed));
    drain("deflate", &mut stream, ZlibDecoder::get_mut, out)?;
    match stream.get_ref().is_at_end() {
        true => Ok(()),
        false => Err(broken("deflate", "there is more behind its end")),
    }
}

/// Reads a decoder to its end.
fn drain<'a, D: Read>(
    coding: &'static str,
    decoder: &mut D,
    meter: impl Fn(&mut D) -> &mut Meter<'a>,
    out: &mut Output<'_>,
) -> Result<(), CodingError> {
    let mut piece = [0; 16 << 10];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                meter(decoder).came_out(count);
                out.push(&piece[..count])?;
            }
            Err(_) if meter(decoder).is_spent() => return Err(CodingError::Padded),
            Err(error) => return Err(CodingError::Broken(coding, error)),
        }
    }
}

#[cfg(test)]
mod tests;
