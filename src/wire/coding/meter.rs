//! Limits how much input a decoder consumes in proportion to its output.

use std::io::{self, BufRead, Read};

use bytes::Bytes;

use super::error::CodingError;
use crate::wire::memory::Share;

/// How much input may yield no output, for headers and tables.
const SLACK: usize = 64 << 10;
/// How much input is allowed for each byte of output: incompressible data takes hardly more than one byte, small
/// flushed pieces take a few.
const MOST_PER_BYTE: usize = 8;
/// Text seldom compresses to less than a fiftieth.
const MOST_RATIO: usize = 256;
/// Below this size, the ratio is not checked.
const SMALL_OUTPUT: usize = 1 << 20;

/// How much more input may be read before there has to be output.
#[derive(Debug)]
pub(super) struct Credit {
    most: usize,
    left: usize,
}

impl Credit {
    /// `held_back`: how much output the decoder keeps for a while.
    pub(super) fn new(held_back: usize) -> Self {
        let most = SLACK + 2 * held_back;
        Self { most, left: most }
    }

    pub(super) fn went_in(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    pub(super) fn came_out(&mut self, bytes: usize) {
        self.left = self.most.min(self.left + MOST_PER_BYTE * bytes);
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }
}

/// Compressed data that can be read as long as there is output.
#[derive(Debug)]
pub(super) struct Meter<'a> {
    packed: &'a [u8],
    credit: Credit,
}

impl<'a> Meter<'a> {
    pub(super) fn new(packed: &'a [u8]) -> Self {
        Self {
            packed,
            credit: Credit::new(0),
        }
    }

    pub(super) fn came_out(&mut self, bytes: usize) {
        self.credit.came_out(bytes);
    }

    pub(super) fn is_spent(&self) -> bool {
        self.credit.is_spent()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.packed.is_empty()
    }
}

impl BufRead for Meter<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.is_spent() {
            return Err(io::Error::other("too many empty parts"));
        }
        // In small pieces: a decoder consumes all the input that it is given.
        Ok(&self.packed[..self.packed.len().min(4096)])
    }

    fn consume(&mut self, count: usize) {
        self.packed = &self.packed[count..];
        self.credit.went_in(count);
    }
}

impl Read for Meter<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(to)?;
        self.consume(count);
        Ok(count)
    }
}

/// Fails if that much output is more than that much input may yield.
pub(super) fn most_output(packed: usize, unpacked: usize) -> Result<(), CodingError> {
    match unpacked > packed.saturating_mul(MOST_RATIO).max(SMALL_OUTPUT) {
        true => Err(CodingError::Bomb(MOST_RATIO)),
        false => Ok(()),
    }
}

/// The output so far, within its limits.
pub(super) struct Output<'a> {
    body: Vec<u8>,
    limit: usize,
    /// The largest output for this much compressed data.
    most: usize,
    share: &'a mut Share,
}

impl<'a> Output<'a> {
    pub(super) fn new(packed: usize, limit: usize, share: &'a mut Share) -> Self {
        Self {
            body: Vec::new(),
            limit,
            most: packed.saturating_mul(MOST_RATIO).max(SMALL_OUTPUT),
            share,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), CodingError> {
        let length = self.body.len() + piece.len();
        if length > self.limit {
            return Err(CodingError::TooLarge(self.limit));
        }
        if length > self.most {
            return Err(CodingError::Bomb(MOST_RATIO));
        }
        if length > self.body.capacity() {
            let room = (2 * length).min(self.limit.max(length));
            self.share.grow_to(room)?;
            self.body.reserve_exact(room - self.body.len());
        }
        self.body.extend_from_slice(piece);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Bytes {
        self.body.shrink_to_fit();
        self.share.shrink_to(self.body.len());
        self.body.into()
    }
}
