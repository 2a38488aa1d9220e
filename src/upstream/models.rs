//! Lists the models of a provider account.

use std::time::Duration;

use http::header::HeaderValue;
use http::{HeaderMap, Method};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Outbound, SendError, Upstream};
use crate::catalogue::Dialect;
use crate::dialect::messages;
use crate::wire::body::{Patience, read_whole};

/// The timeout for a list.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest list that is read; the longest known lists have some hundred models with their descriptions.
const LARGEST: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Usual {
        data: Vec<Model>,
    },
    /// Together has no object around it.
    Bare(Vec<Model>),
}

#[derive(Deserialize)]
struct Model {
    id: String,
    /// `2027-01-14`, or null: when `OpenAI` ends it.
    #[serde(default)]
    shutdown_date: Value,
}

/// A model that an upstream lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// Its name, as the upstream writes it.
    pub name: String,
    /// The first day without it, if the upstream says so.
    pub retires: Option<Date>,
}

impl From<Model> for ListedModel {
    fn from(model: Model) -> Self {
        let date = model.shutdown_date.as_str();
        Self {
            name: model.id,
            retires: date.and_then(|date| date.parse().ok()),
        }
    }
}

/// Why an upstream returned no list of models.
#[derive(Debug)]
pub enum NoList {
    /// No reply came.
    NoReply(SendError),
    /// It took too long.
    TooLate,
    /// Its status is not 200.
    Status(u16),
    /// What came is no list of models.
    NotAList,
}

impl Upstream {
    /// The models that the upstream lists; `None` if it returns no list.
    pub async fn models(&self) -> Option<Vec<ListedModel>> {
        self.list_models(self.next_key(), PATIENCE).await.ok()
    }

    /// The models that the upstream lists to whoever has this key; with the number of no key, to anybody.
    pub async fn list_models(
        &self,
        key: usize,
        patience: Duration,
    ) -> Result<Vec<ListedModel>, NoList> {
        let until = Instant::now() + patience;
        let sending = timeout_at(until, self.send(key, self.question())).await;
        let mut reply = sending
            .map_err(|_| NoList::TooLate)?
            .map_err(NoList::NoReply)?;
        if reply.status != 200 {
            return Err(NoList::Status(reply.status));
        }
        let patience = Patience {
            idle: patience,
            until,
        };
        reply.unpack();
        let body = match read_whole(reply.body, LARGEST, patience).await {
            Ok(body) => body,
            Err(_) if Instant::now() >= until => return Err(NoList::TooLate),
            Err(_) => return Err(NoList::NotAList),
        };
        let list = match serde_json::from_slice(&body) {
            Ok(List::Usual { data }) => data,
            Ok(List::Bare(data)) => data,
            Err(_) => return Err(NoList::NotAList),
        };
        Ok(list.into_iter().map(ListedModel::from).collect())
    }

    fn question(&self) -> Outbound {
        let mut headers = HeaderMap::new();
        let path = match self.dialect() {
            Dialect::OpenAi => "/models",
            Dialect::Anthropic => {
                let version = HeaderValue::from_static(messages::VERSION);
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
