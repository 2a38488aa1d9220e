//! Messages between replicas that nothing protects.

use super::Look;
use crate::config::path::Path;

impl Look<'_> {
    /// Warns where anybody who reaches the server can write messages that replicas believe.
    pub(super) fn shared(&mut self) {
        let shared = &self.config.shared;
        if !shared.is_on() || shared.signing_secret().is_some() {
            return;
        }
        let message = "there is neither a `secret` nor a password in the first URL: whoever reaches the server can speak for a \
             replica, and find out names and keys by trying";
        let hint = "set `secret`, the same for all replicas; `openssl rand -hex 24` makes one";
        let path = Path::default().key("shared");
        self.found.note(path, message, Some(hint.to_owned()));
    }
}
