//! How the events of an endpoint are read, and how a stream of it is gone on with.

use serde_json::Value;

use super::completion;
use crate::dialect::conversation::{
    Api, Asked, Echo, Names, Place, ReadEvents, Reading, WriteEvents,
};
use crate::request::Endpoint;

/// The API in whose words an endpoint's events are read: some servers answer chats in the words of plain completions, so
/// that whoever reads a chat reads those, too.
fn words_of(endpoint: Endpoint) -> Api {
    Api::of(endpoint).unwrap_or(Api::Chat)
}

/// Reads events as a client of the endpoint gets them.
pub(super) fn reader(endpoint: Endpoint) -> Box<dyn ReadEvents> {
    let names = Names::of(&[], LONGEST_NAME, &[]);
    (words_of(endpoint).form().reader)(&Reading::of(names))
}

/// Writes the rest of a stream whose client is at this place.
pub(super) fn writer(endpoint: Endpoint, request: &Value, place: &Place) -> Box<dyn WriteEvents> {
    let asked = asked(endpoint, request);
    match Api::of(endpoint) {
        Some(api) => (api.form().resume)(asked, place),
        None => Box::new(completion::Writer::resume(asked, place)),
    }
}

/// Notes what an event changes about the place of its client.
pub(super) fn look(endpoint: Endpoint, place: &mut Place, event: &Value) {
    (words_of(endpoint).form().look)(place, event);
}

/// The client's tools by their names; a request that is not read as a conversation has none that need that.
pub(super) fn names(endpoint: Endpoint, request: Value) -> Names {
    let read = Api::of(endpoint).and_then(|api| (api.form().read_request)(request).ok());
    let tools = read.map(|conversation| conversation.tools.list);
    Names::of(&tools.unwrap_or_default(), LONGEST_NAME, &[])
}

/// Names stay as they are.
const LONGEST_NAME: usize = 1 << 10;

/// What the request says about the form of its answer.
fn asked(endpoint: Endpoint, request: &Value) -> Asked {
    let api = words_of(endpoint);
    let mut fields = Value::Null;
    if api == Api::Responses {
        fields = request.clone();
        fields["input"] = Value::Null;
    }
    Asked {
        api,
        model: request["model"].as_str().unwrap_or_default().to_owned(),
        with_usage: request["stream_options"]["include_usage"] == true,
        // The rest has none.
        shows_thoughts: false,
        echo: Echo {
            fields,
            is_older: request["functions"].is_array() && !request["tools"].is_array(),
        },
    }
}
