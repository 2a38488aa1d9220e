//! Bodies that are decompressed, and bodies that are rejected.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::{CodingError, unpack};
use crate::wire::memory::{Memory, NoMemory};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    compress_to_vec(data, CompressionLevel::Fastest)
}

/// Decompresses within 1 MiB.
fn unpacked(coding: &str, body: impl Into<Bytes>) -> Result<Bytes, CodingError> {
    let memory = Memory::new(16 << 20);
    let mut share = memory.share();
    let unpacked = unpack(coding, body.into(), 1 << 20, &mut share);
    drop(share);
    assert_eq!(memory.used(), 0);
    unpacked
}

/// A skippable frame.
const SKIPPED: [u8; 10] = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
/// The header of a zstd frame with a window of 8 MiB.
const FRAME: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3];

/// Empty deflate blocks in a zlib stream.
fn empty_blocks(count: usize) -> Vec<u8> {
    [vec![0x78, 0x9c], [0, 0, 0, 0xff, 0xff].repeat(count)].concat()
}

#[test]
fn what_was_packed_comes_out_again() {
    let text = "Hello, hello, hello. ".repeat(500);
    let text = text.as_bytes();
    let (first, second) = text.split_at(text.len() / 2);
    for (coding, body) in [
        ("gzip", gzip(text)),
        ("x-gzip", [gzip(first), gzip(b""), gzip(second)].concat()),
        ("deflate", deflate(text)),
        ("ZSTD", zstd(text)),
        (
            "zstd",
            [zstd(first), SKIPPED.to_vec(), zstd(second)].concat(),
        ),
        ("identity, gzip,", gzip(text)),
        ("identity", text.to_vec()),
        ("", text.to_vec()),
    ] {
        assert_eq!(unpacked(coding, body).unwrap(), text, "{coding}");
    }
}

#[test]
fn small_pieces_that_are_flushed_come_out_too() {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    for number in 0..20_000 {
        write!(packer, "{}", number % 97).unwrap();
        packer.flush().unwrap();
    }
    assert!(unpacked("deflate", packer.finish().unwrap()).is_ok());
    // A window that is full before any output.
    let mut noise = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (noise >> 56) as u8
    })
    .take(900_000)
    .collect();
    for (coding, body) in [("zstd", zstd(&noise)), ("gzip", gzip(&noise))] {
        assert_eq!(unpacked(coding, body).unwrap(), noise);
    }
}

#[test]
fn what_comes_out_is_bounded() {
    let zeros = vec![0; 1 << 20];
    for (coding, body) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        assert!(body.len() < 2000);
        let (memory, body) = (Memory::new(1 << 20), Bytes::from(body));
        let result = unpack(coding, body, 4096, &mut memory.share());
        assert!(matches!(result, Err(CodingError::TooLarge(4096))));
    }
    let zeros = vec![0; 3 << 20];
    let (memory, body) = (Memory::new(16 << 20), Bytes::from(gzip(&zeros)));
    let result = unpack("gzip", body, 16 << 20, &mut memory.share());
    assert!(matches!(result, Err(CodingError::Bomb(256))), "{result:?}");
    let (memory, body) = (Memory::new(1 << 20), Bytes::from(gzip(&zeros[..1 << 20])));
    let mut others = memory.share();
    others.grow_to(1 << 19).unwrap();
    let result = unpack("gzip", body, 16 << 20, &mut memory.share());
    assert!(matches!(result, Err(CodingError::NoMemory(NoMemory::Now))));
}

/// Runs of zeros, 128 KiB each, that are held back until 128 MiB are full.
#[test]
fn a_window_is_no_larger_than_a_body() {
    let bomb = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3],
        &*[0x02, 0x00, 0x10, 0].repeat(1100),
    ];
    assert!(matches!(
        unpacked("zstd", bomb.concat()),
        Err(CodingError::Broken(..))
    ));
}

#[test]
fn what_goes_in_for_nothing_is_bounded() {
    let gzip_blocks = |count| {
        let head = gzip(b"")[..10].to_vec();
        [head, [0, 0, 0, 0xff, 0xff].repeat(count)].concat()
    };
    for (coding, body) in [
        ("gzip", gzip(b"").repeat(5_000)),
        ("gzip", [&gzip(b"{}"), &*gzip(b"").repeat(5_000)].concat()),
        ("gzip", gzip_blocks(50_000)),
        ("deflate", empty_blocks(50_000)),
        ("zstd", SKIPPED.repeat(5_000)),
        ("zstd", zstd(b"").repeat(5_000)),
        ("zstd", [&FRAME, &*[0, 0, 0].repeat(50_000)].concat()),
        ("zstd", [&FRAME, &*[2, 0, 0, 0].repeat(50_000)].concat()),
    ] {
        let result = unpacked(coding, body);
        assert!(matches!(result, Err(CodingError::Padded)), "{result:?}");
    }
}

#[test]
fn one_coding_is_enough() {
    let text = b"hello";
    for codings in ["gzip, gzip", "zstd, gzip", "gzip,identity,deflate"] {
        let result = unpacked(codings, gzip(&gzip(text)));
        assert!(matches!(result, Err(CodingError::Several(_))), "{codings}");
    }
    let result = unpacked("br", &text[..]);
    assert!(matches!(result, Err(CodingError::Unknown(_))));
}

#[test]
fn lies_and_what_is_cut_off_or_goes_on_are_refused() {
    let text = "Hello, hello, hello. ".repeat(50);
    for (coding, whole) in [
        ("gzip", gzip(text.as_bytes())),
        ("deflate", deflate(text.as_bytes())),
        ("zstd", zstd(text.as_bytes())),
    ] {
        let mut wrong = vec![
            b"{}".to_vec(),
            Vec::new(),
            [&whole, &b"{}"[..]].concat(),
            [&whole, &[0; 16][..]].concat(),
        ];
        wrong.extend((1..whole.len()).map(|end| whole[..end].to_vec()));
        for body in wrong {
            let result = unpacked(coding, body);
            assert!(
                matches!(result, Err(CodingError::Broken(..))),
                "{coding}: {result:?}"
            );
        }
    }
    let cut = [&SKIPPED[..4], &[9, 0, 0, 0]].concat();
    assert!(matches!(
        unpacked("zstd", cut),
        Err(CodingError::Broken(..))
    ));
}
