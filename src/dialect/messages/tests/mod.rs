//! Requests and answers, read and written.

mod both_ways;
mod caches;
mod reads_answers;
mod reads_oddities;
mod reads_requests;
mod thinks;
mod threads;
mod writes_answers;
mod writes_requests;
mod writes_tools;

use serde_json::Value;

use super::{read_request, write_answer, write_request};
use crate::catalogue::Dialect;
use crate::dialect::conversation::{
    Api, Asked, Conversation, Dropped, Event, Target, Unsaid, Written,
};
use crate::dialect::upstream_api::UpstreamApi;

/// A conversation of a client of another API, written down in this one.
fn conversation(body: &Value) -> Conversation {
    let mut conversation = read_request(body.clone()).unwrap_or_else(|unsaid| panic!("{unsaid:?}"));
    conversation.origin = Api::Chat;
    conversation.dropped = Dropped::nothing(Api::Chat);
    conversation
}

/// The request for a model, and what was left out.
fn written(conversation: Conversation, model: &str) -> Result<(Value, Written), Unsaid> {
    let upstream = UpstreamApi {
        marks_cache: false,
        ..UpstreamApi::new(Dialect::Anthropic)
    };
    written_for(conversation, model, upstream)
}

fn written_for(
    conversation: Conversation,
    model: &str,
    upstream: UpstreamApi,
) -> Result<(Value, Written), Unsaid> {
    let target = Target {
        model,
        upstream: &upstream,
    };
    let written = write_request(conversation, &target)?;
    Ok((serde_json::from_slice(&written.body).unwrap(), written))
}

/// A whole answer for a client; `None`: it has failed, or does not end.
fn answered(asked: &Asked, events: Vec<Event<'_>>) -> Option<Value> {
    let answer = write_answer(asked, events)?;
    Some(serde_json::to_value(answer).unwrap())
}
