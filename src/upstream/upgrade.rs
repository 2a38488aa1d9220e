//! An exchange after which the connection speaks another protocol, if the upstream agrees.

use http::{HeaderMap, StatusCode};
use hyper::upgrade::Upgraded;

use super::send::failure;
use super::{Outbound, Reply, ReplyBody, SendError, Upstream};
use crate::outcome::Outcome;

/// What an upstream says to an upgrade.
#[derive(Debug)]
pub enum Upgrade {
    /// It agrees.
    Agreed {
        /// The headers of its 101.
        headers: HeaderMap,
        /// The connection, from the first byte behind those headers on.
        connection: Upgraded,
    },
    /// It answers something else.
    Refused(Reply),
}

impl Upstream {
    /// Asks to change the protocol, as the headers of the request say, and waits for what comes of it. Dropping the
    /// future ends the exchange at once.
    pub async fn upgrade(&self, key: usize, outbound: Outbound) -> Result<Upgrade, SendError> {
        let request = self.request(key, outbound)?;
        let mut response = self.client.upgrade(request).await.map_err(failure)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let reply = response.map(ReplyBody::from).into();
            return Ok(Upgrade::Refused(self.discreet(key, reply)));
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
