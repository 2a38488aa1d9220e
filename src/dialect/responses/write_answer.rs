//! An answer, written event by event or whole.

use serde::Serialize;
use serde_json::{Value, json};

use super::numbered::Numbered;
use super::open_item::{Kind, OpenItem, item_id, reasoning};
use super::response::{Response, failure, usage};
use crate::dialect::conversation::{
    Api, Asked, Begin, Citation, End, Event, Place, Signature, Usage, WriteEvents, now, thoughts,
};
use crate::request::UNSTORED;

/// Writes the events of one answer.
#[derive(Debug)]
pub struct Writer {
    asked: Asked,
    /// What the ids of the response and of its items have in common.
    name: String,
    id: String,
    begun: Option<Begin>,
    numbered: Numbered,
    /// The items that are complete.
    output: Vec<Value>,
    open: Option<OpenItem>,
    /// How many characters the complete texts have.
    spoken: usize,
    end: Option<(End, Option<Usage>)>,
    has_failed: bool,
}

#[derive(Serialize)]
struct About<'a> {
    response: Response<'a>,
}

impl Writer {
    /// For the answer to a request.
    pub fn new(asked: Asked) -> Self {
        let name = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self {
            asked,
            id: format!("{UNSTORED}{name}"),
            name,
            begun: None,
            numbered: Numbered::default(),
            output: Vec::new(),
            open: None,
            spoken: 0,
            end: None,
            has_failed: false,
        }
    }

    /// For the rest of a stream whose client is at this place.
    pub fn resume(asked: Asked, place: &Place) -> Self {
        let id = place.begin.id.clone();
        let new = Self::new(asked);
        Self {
            name: id.rsplit('_').next().unwrap_or_default().to_owned(),
            id,
            begun: Some(place.begin.clone()),
            numbered: Numbered::from(place.number),
            output: place.output.clone(),
            open: place
                .open
                .as_ref()
                .map(|open| OpenItem::resume(open, place.index)),
            ..new
        }
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.end.is_some() || self.has_failed {
            return;
        }
        // Whether a call was cut is known when the answer ends.
        let is_complete = self.open.as_ref().is_some_and(|open| open.is_complete);
        if is_complete && !matches!(event, Event::End { .. }) {
            self.close("completed", out);
        }
        match event {
            Event::Begin(begin) => self.begin(begin, out),
            Event::Text(text) => self.say(Kind::Text, &text, out),
            Event::Refusal(text) => self.say(Kind::Refusal, &text, out),
            Event::Thought(text) if self.asked.shows_thoughts => {
                self.say(Kind::Thought, &text, out);
            }
            Event::Thought(_) => {}
            Event::Signature(signature) => self.sign(signature, out),
            Event::Cited(citation) => self.cite(citation, out),
            Event::Call(head) => {
                self.close("completed", out);
                self.open(Kind::Call(head), out);
            }
            Event::Arguments(text) => {
                if let Some(open) = self
                    .open
                    .as_mut()
                    .filter(|open| matches!(open.kind, Kind::Call(_)))
                {
                    open.say(&text, &mut self.numbered, out);
                }
            }
            Event::Called => {
                if let Some(open) = &mut self.open {
                    open.is_complete = true;
                }
            }
            Event::End {
                end: End::Failed, ..
            } => self.fail(&Value::Null, out),
            Event::End { end, usage } => self.end(end, usage, out),
            Event::Failed(error) => self.fail(&error, out),
            Event::Alive => {
                self.begin(Begin::default(), out);
                self.numbered.keep_alive(out);
            }
        }
    }
}

impl Writer {
    fn begin(&mut self, mut begin: Begin, out: &mut Vec<u8>) {
        if self.begun.is_some() {
            return;
        }
        begin.created = begin.created.or_else(|| Some(now()));
        begin.model = self.asked.answering(begin.model);
        self.begun = Some(begin);
        for kind in ["response.created", "response.in_progress"] {
            self.tell(kind, |writer| writer.response("in_progress"), out);
        }
    }

    /// Tells of the response, as it is now.
    fn tell(
        &mut self,
        kind: &str,
        response: impl FnOnce(&Self) -> Response<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut numbered = std::mem::take(&mut self.numbered);
        let response = response(self);
        numbered.tell(kind, &About { response }, out);
        self.numbered = numbered;
    }

    /// The response with what is complete of it.
    fn response(&self, status: &'static str) -> Response<'_> {
        let mut response = Response::of(&self.asked, &self.id, status);
        if let Some(begin) = &self.begun {
            response.created_at = begin.created.unwrap_or_default();
            response.model = &begin.model;
        }
        response.output = &self.output;
        response
    }

    fn say(&mut self, kind: Kind, text: &str, out: &mut Vec<u8>) {
        self.enter(kind, out);
        if let Some(open) = &mut self.open {
            open.say(text, &mut self.numbered, out);
        }
    }

    /// Goes on with an item of this kind, or begins one.
    fn enter(&mut self, kind: Kind, out: &mut Vec<u8>) {
        if !self.open.as_ref().is_some_and(|open| open.kind == kind) {
            self.close("completed", out);
            self.open(kind, out);
        }
    }

    fn open(&mut self, kind: Kind, out: &mut Vec<u8>) {
        self.begin(Begin::default(), out);
        let index = self.output.len();
        let open = OpenItem::begin(kind, &self.name, index, &mut self.numbered, out);
        self.open = Some(open);
    }

    /// The current item is complete.
    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            self.spoken += open.characters();
            let item = open.end(status, &mut self.numbered, out);
            self.output.push(item);
        }
    }

    /// What proves a thought ends its item. Clients get it only if they ask for it.
    fn sign(&mut self, signature: Signature, out: &mut Vec<u8>) {
        let mut included = self.asked.said("include").as_array().into_iter().flatten();
        let is_wanted = included.any(|field| field == thoughts::INCLUDED);
        let sealed = match signature.of {
            _ if !is_wanted => None,
            Api::Responses => Some(signature.data),
            Api::Chat | Api::Messages => Some(thoughts::seal(&signature)),
        };
        if let Some(thought) = self.open.as_mut().filter(|open| open.kind == Kind::Thought) {
            thought.encrypted = sealed;
            self.close("completed", out);
        } else if let Some(sealed) = sealed {
            self.close("completed", out);
            self.begin(Begin::default(), out);
            let index = self.output.len();
            let id = item_id(&Kind::Thought, &self.name, index);
            let item = reasoning(&id, Vec::new(), Some(&sealed));
            for kind in ["response.output_item.added", "response.output_item.done"] {
                self.numbered.tell_item(kind, index, &item, out);
            }
            self.output.push(item);
        }
    }

    /// A source may be told before its text. Places are those in the text of the item.
    fn cite(&mut self, citation: Citation, out: &mut Vec<u8>) {
        self.enter(Kind::Text, out);
        let annotation = json!({
            "type": "url_citation", "url": citation.url, "title": citation.title,
            "start_index": citation.start.saturating_sub(self.spoken),
            "end_index": citation.end.saturating_sub(self.spoken),
        });
        if let Some(open) = &mut self.open {
            open.cite(annotation, &mut self.numbered, out);
        }
    }

    fn end(&mut self, end: End, usage: Option<Usage>, out: &mut Vec<u8>) {
        self.begin(Begin::default(), out);
        let (status, kind) = if end.is_cut() {
            ("incomplete", "response.incomplete")
        } else {
            ("completed", "response.completed")
        };
        self.close(status, out);
        self.end = Some((end, usage));
        self.tell(kind, Self::ended, out);
    }

    /// The response, when it has ended.
    fn ended(&self) -> Response<'_> {
        let (end, used) = self
            .end
            .as_ref()
            .map_or((&End::Whole, None), |(end, used)| (end, *used));
        let reason = match end {
            End::Limit => Some("max_output_tokens"),
            End::Filtered => Some("content_filter"),
            End::Whole | End::Stop(_) | End::Calls | End::Failed => None,
        };
        let mut response = self.response(if reason.is_some() {
            "incomplete"
        } else {
            "completed"
        });
        response.incomplete_details = reason.map(|reason| json!({ "reason": reason }));
        response.usage = used.map(usage);
        response
    }

    /// Tells of a failure in all ways that clients know: flat, nested, and as the end of the response.
    fn fail(&mut self, error: &Value, out: &mut Vec<u8>) {
        self.begin(Begin::default(), out);
        self.has_failed = true;
        let failure = failure(error);
        let mut nested = error.clone();
        if !nested.is_object() {
            nested = json!({ "type": "server_error", "code": failure["code"], "message": failure["message"] });
        }
        let code = nested["code"].as_str();
        let flat = json!({
            "code": code, "message": failure["message"], "param": nested["param"].as_str(), "error": nested,
        });
        self.numbered.tell("error", &flat, out);
        self.tell(
            "response.failed",
            |writer| {
                let mut response = writer.response("failed");
                response.error = Some(failure);
                response
            },
            out,
        );
    }
}

/// Writes a whole answer; `None`: it has failed, or has not ended.
pub fn write_answer(asked: &Asked, events: Vec<Event<'_>>) -> Option<Value> {
    let mut writer = Writer::new(asked.clone());
    let mut unsent = Vec::new();
    for event in events {
        writer.write(event, &mut unsent);
        unsent.clear();
    }
    writer.end.as_ref()?;
    serde_json::to_value(writer.ended()).ok()
}
