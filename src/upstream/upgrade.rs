//! An exchange after which the connection uses another protocol, if the upstream agrees.

use http::{HeaderMap, StatusCode};
use hyper::upgrade::Upgraded;

use super::network::PooledBody;
use super::send::failure;
use super::{Outbound, Reply, SendError, Upstream};
use crate::outcome::Outcome;

/// An upstream's reply to an upgrade request.
#[derive(Debug)]
pub enum Upgrade {
    /// It accepts.
    Agreed {
        /// The headers of its 101.
        headers: HeaderMap,
        /// The connection, starting after those headers.
        connection: Upgraded,
    },
    /// It replies with another status.
    Refused(Reply),
}

impl Upstream {
    /// Requests an upgrade with the headers of the request, and waits for the reply. Dropping the future cancels the
    /// exchange at once.
    pub async fn upgrade(&self, key: usize, outbound: Outbound) -> Result<Upgrade, SendError> {
        let request = self.request(key, outbound)?;
        let mut response = self.client.upgrade(request).await.map_err(failure)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let mut reply = Reply::new(response.map(PooledBody::alone));
            self.hide_key(key, &mut reply.headers);
            return Ok(Upgrade::Refused(reply));
        }
        let connection = hyper::upgrade::on(&mut response).await;
        let connection = connection.map_err(|error| SendError {
            outcome: Outcome::ConnectionLost,
            detail: error.to_string(),
        })?;
        let mut headers = std::mem::take(response.headers_mut());
        self.hide_key(key, &mut headers);
        Ok(Upgrade::Agreed {
            headers,
            connection,
        })
    }
}
