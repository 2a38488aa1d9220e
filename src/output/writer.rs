//! The thread behind a queue: it writes whole lines, survives every error, and reports lost lines.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use super::queue::Queue;

/// The most bytes that a pipe takes in one piece, never mixed with lines of other processes (`PIPE_BUF`).
const IN_ONE_PIECE: usize = 4096;
/// When to retry if a nonblocking pipe or terminal is full.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes lines to a file.
#[derive(Debug)]
pub(super) struct Writer<W> {
    file: W,
    /// Whether the last write ended within a line.
    is_torn: bool,
    /// Whether the last write succeeded.
    works: bool,
    /// How many of the lost lines have been reported.
    announced: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(file: W) -> Self {
        Self {
            file,
            is_torn: false,
            works: true,
            announced: 0,
        }
    }

    /// Writes for as long as the process lives.
    pub(super) fn run(&mut self, queue: &Queue, announce: fn(u64)) {
        let mut batch = Vec::new();
        loop {
            self.turn(queue, announce, &mut batch);
        }
    }

    fn turn(&mut self, queue: &Queue, announce: fn(u64), batch: &mut Vec<u8>) {
        let lost = queue.lost() - self.announced;
        let has_news = self.works && lost > 0;
        queue.take(batch, !has_news);
        if has_news {
            // The queue is empty now, so there is room for the report, right after the place of the lost lines.
            self.announced += lost;
            announce(lost);
        }
        self.write(batch, queue);
    }

    fn write(&mut self, mut lines: &[u8], queue: &Queue) {
        while !lines.is_empty() {
            let (piece, others) = lines.split_at(piece(lines));
            lines = others;
            self.is_torn = self.is_torn && self.write_piece(b"\n") == 0;
            let written = self.write_piece(piece);
            let (written, unwritten) = piece.split_at(written);
            self.works = unwritten.is_empty();
            if let Some(last) = written.last() {
                self.is_torn = *last != b'\n';
            }
            queue.lose(memchr::memchr_iter(b'\n', unwritten).count() as u64);
        }
    }

    /// Writes a piece; returns how many bytes could be written.
    fn write_piece(&mut self, piece: &[u8]) -> usize {
        let mut written = 0;
        while written < piece.len() {
            match self.file.write(&piece[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::park_timeout(PAUSE),
                Err(_) => break,
            }
        }
        written
    }
}

/// The end of the first piece: as many whole lines as can be written in one piece, or one line that is longer.
fn piece(lines: &[u8]) -> usize {
    if lines.len() <= IN_ONE_PIECE {
        return lines.len();
    }
    let (first, rest) = lines.split_at(IN_ONE_PIECE);
    memchr::memrchr(b'\n', first)
        .or_else(|| memchr::memchr(b'\n', rest).map(|end| IN_ONE_PIECE + end))
        .map_or(lines.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{self, ErrorKind, Write};

    use super::{IN_ONE_PIECE, Writer, piece};
    use crate::output::queue::Queue;

    /// A disk with this many bytes left.
    struct Disk {
        written: Vec<u8>,
        left: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.left);
            if count == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.left -= count;
            self.written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    thread_local! {
        static ANNOUNCED: Cell<u64> = const { Cell::new(0) };
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted_and_announced_when_there_is_room() {
        let disk = Disk {
            written: Vec::new(),
            left: 9,
        };
        let (mut writer, queue) = (Writer::new(disk), Queue::new());
        let mut batch = Vec::new();
        let mut turn = |writer: &mut Writer<Disk>, line: &[u8]| {
            queue.push(line);
            writer.turn(&queue, |lines| ANNOUNCED.set(lines), &mut batch);
            (queue.lost(), ANNOUNCED.get())
        };
        assert_eq!(turn(&mut writer, b"first\n"), (0, 0));
        assert_eq!(turn(&mut writer, b"second\n"), (1, 0));
        assert_eq!(turn(&mut writer, b"third\n"), (2, 0));
        writer.file.left = 1000;
        assert_eq!(turn(&mut writer, b"fourth\n"), (2, 0));
        assert_eq!(turn(&mut writer, b"fifth\n"), (2, 2));
        assert_eq!(writer.file.written, b"first\nsec\nfourth\nfifth\n");
    }

    #[test]
    fn what_is_written_in_one_piece_ends_with_a_line() {
        let line = [[b'x'; 999].as_slice(), b"\n"].concat();
        assert_eq!(piece(&line.repeat(3)), 3000);
        assert_eq!(piece(&line.repeat(9)), 4000);
        let long = [vec![b'x'; 2 * IN_ONE_PIECE], b"\nshort\n".to_vec()].concat();
        assert_eq!(piece(&long), 2 * IN_ONE_PIECE + 1);
        assert_eq!(piece(&long[..5000]), 5000);
    }
}
