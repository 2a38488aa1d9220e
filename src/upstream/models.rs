//! Lists the models of a provider account.

use std::time::Duration;

use http::header::HeaderValue;
use http::{HeaderMap, Method};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{Outbound, Upstream};
use crate::catalogue::Dialect;
use crate::dialect::anthropic;
use crate::wire::body::{Patience, read_whole};

/// The timeout for a list.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest list that is read; the longest known lists have some hundred models with their descriptions.
const LARGEST: usize = 4 << 20;

#[derive(Deserialize)]
struct List {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

impl Upstream {
    /// The names of the models that the upstream lists; `None` if it returns no list.
    pub async fn models(&self) -> Option<Vec<String>> {
        let until = Instant::now() + PATIENCE;
        let sending = self.send(self.next_key(), self.question());
        let reply = timeout_at(until, sending).await.ok()?.ok()?;
        if reply.status != 200 {
            return None;
        }
        let patience = Patience {
            idle: PATIENCE,
            until,
        };
        let body = read_whole(reply.unpacked().body, LARGEST, patience)
            .await
            .ok()?;
        let list: List = serde_json::from_slice(&body).ok()?;
        Some(list.data.into_iter().map(|model| model.id).collect())
    }

    fn question(&self) -> Outbound {
        let mut headers = HeaderMap::new();
        let path = match self.dialect() {
            Dialect::OpenAi => "/models",
            Dialect::Anthropic => {
                let version = HeaderValue::from_static(anthropic::VERSION);
                headers.insert("anthropic-version", version);
                // The default page size is 20, and 1000 is the largest.
                "/models?limit=1000"
            }
        };
        Outbound {
            method: Method::GET,
            path: path.to_owned(),
            headers,
            is_repeatable: true,
            ..Outbound::default()
        }
    }
}
