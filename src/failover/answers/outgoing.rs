//! What is ready to go out to the client, in one piece.

use bytes::{Bytes, BytesMut};

/// Bytes that are ready to go out. What comes together goes out together: every piece has its cost.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The only piece, as it came.
    piece: Bytes,
    /// Several pieces, one behind the other.
    joined: BytesMut,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.piece.is_empty() && self.joined.is_empty()
    }

    /// Puts bytes behind what is there.
    pub(super) fn put(&mut self, bytes: Bytes) {
        if self.is_empty() {
            self.piece = bytes;
            return;
        }
        if self.joined.is_empty() {
            self.joined.reserve(2 * (self.piece.len() + bytes.len()));
            self.joined.extend_from_slice(&self.piece);
            self.piece = Bytes::new();
        }
        self.joined.extend_from_slice(&bytes);
    }

    /// Takes all that is there; `None` if nothing is.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let taken = match self.joined.is_empty() {
            true => std::mem::take(&mut self.piece),
            false => std::mem::take(&mut self.joined).freeze(),
        };
        (!taken.is_empty()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Outgoing;

    #[test]
    fn what_comes_alone_goes_out_as_it_came_and_several_pieces_go_out_as_one() {
        let mut outgoing = Outgoing::default();
        assert_eq!(outgoing.take(), None);
        let alone = Bytes::from(b"alone".to_vec());
        outgoing.put(alone.clone());
        assert_eq!(
            outgoing.take().map(|out| out.as_ptr()),
            Some(alone.as_ptr())
        );
        for piece in ["a", "", "bc", "d"] {
            outgoing.put(Bytes::from(piece));
        }
        assert!(!outgoing.is_empty());
        assert_eq!(outgoing.take(), Some(Bytes::from("abcd")));
        assert!(outgoing.is_empty());
    }
}
