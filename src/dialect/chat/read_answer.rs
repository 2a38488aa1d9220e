//! Reads an answer of a chat, chunk by chunk or whole.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::calls::Calls;
use super::chunk::{Annotation, CallPart, Choice, Chunk, Delta, Extra, Function};
use super::read_content::{read_content, read_thought};
use super::sources::Sources;
use super::usage::usage;
use crate::dialect::conversation::lenient::{Loose, Object, TextOrJson};
use crate::dialect::conversation::{
    Api, Begin, Citation, End, Piece, ReadEvents, Reading, Signature, filled,
};

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// The texts at which the client wants the answer to end.
    stops: Vec<String>,
    has_begun: bool,
    calls: Calls,
    /// Whether a delta has come: a whole message behind it would repeat it.
    has_deltas: bool,
    sources: Sources,
    /// Whether the reason of the end has come.
    has_ended: bool,
}

impl Reader {
    /// For the answer to a request that was written with this.
    pub fn new(reading: &Reading) -> Self {
        Self {
            stops: reading.stops.clone(),
            ..Self::default()
        }
    }
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, name: Option<&[u8]>, data: &'a str, pieces: &mut Vec<Piece<'a>>) {
        if data.trim_ascii() == "[DONE]" {
            pieces.push(Piece::Over);
            return;
        }
        let before = pieces.len();
        if !self.try_read(name, data, pieces) {
            pieces.push(unreadable(name, data));
        }
        if pieces.len() == before {
            pieces.push(Piece::Alive);
        }
    }

    /// It changes nothing.
    fn said(&mut self, _text: &str) {}
}

impl Reader {
    /// Whether the data is a JSON object.
    fn try_read<'a>(
        &mut self,
        name: Option<&[u8]>,
        data: &'a str,
        pieces: &mut Vec<Piece<'a>>,
    ) -> bool {
        let Ok(Object(Some(mut chunk))) = serde_json::from_str::<Object<Chunk<'a>>>(data) else {
            return false;
        };
        let error = failure(&mut chunk, name == Some(b"error"), data.as_bytes());
        self.begin(&mut chunk, pieces);
        let mut failed = error;
        let mut end = None;
        for choice in chunk.choices.objects() {
            // Other answers than the first one are never asked for.
            if choice.index.as_count().unwrap_or(0) == 0 {
                self.choice(choice, &mut failed, &mut end, pieces);
            }
        }
        let of_groq = chunk.x_groq.0.and_then(|groq| groq.usage);
        pieces.extend(used(chunk.usage.or(of_groq)));
        self.sources.note(chunk.citations, chunk.search_results);
        self.has_ended |= end.is_some();
        if self.has_ended {
            self.sources.tell(pieces);
        }
        match (failed, end) {
            (Some(error), _) => pieces.push(Piece::Failed(error)),
            (None, Some(end)) => pieces.push(Piece::End(end)),
            (None, None) => {}
        }
        true
    }

    /// Azure's first chunk has no choice, no id and no model: the answer does not begin with it.
    fn begin(&mut self, chunk: &mut Chunk<'_>, pieces: &mut Vec<Piece<'_>>) {
        let is_empty = chunk.choices.is_empty() && chunk.id.as_text().is_empty();
        if is_empty || std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        pieces.push(Piece::Begin(Begin {
            id: chunk.id.as_text().to_owned(),
            model: chunk.model.as_text().to_owned(),
            created: chunk.created.as_count().filter(|created| *created > 0),
        }));
    }

    fn choice<'a>(
        &mut self,
        choice: Choice<'a>,
        failed: &mut Option<Value>,
        end: &mut Option<End>,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        if let Some(delta) = choice.delta.0 {
            self.has_deltas = true;
            self.delta(delta, pieces);
        } else if let Some(message) = choice.message.0
            && !self.has_deltas
        {
            self.has_deltas = true;
            self.delta(*message, pieces);
        } else {
            read_content(choice.text, pieces);
        }
        pieces.extend(used(choice.usage));
        if failed.is_none() {
            *failed = error_in(choice.error);
        }
        if end.is_none() {
            let ends = [&choice.stop_reason, &choice.matched_stop];
            *end = self.end_of(&choice.finish_reason, ends);
        }
    }

    /// Reads what a chunk adds. Reasoning comes before what it leads to.
    fn delta<'a>(&mut self, mut delta: Delta<'a>, pieces: &mut Vec<Piece<'a>>) {
        read_thought(&mut delta, pieces);
        let older = older(&mut delta);
        let before = pieces.len();
        read_content(delta.content, pieces);
        let is_text = |piece: &Piece<'_>| matches!(piece, Piece::Text(_));
        self.sources.has_text |= pieces[before..].iter().any(is_text);
        let refusal = filled(delta.refusal.into_text());
        pieces.extend(refusal.map(Piece::Refusal));
        let before = pieces.len();
        pieces.extend(delta.annotations.objects().filter_map(cited));
        self.sources.have_places |= pieces.len() > before;
        for (place, mut part) in delta.tool_calls.objects().enumerate() {
            let number = self.calls.number(&part, place == 0);
            let function = part.function.0.as_mut();
            if let Some(function) = function.filter(|function| !function.name.as_text().is_empty())
            {
                let name = self.calls.name(number).to_owned();
                function.name = Loose::Text(name.into());
            }
            call(number, part, pieces);
        }
        if let Some(function) = older {
            let number = self.calls.older();
            called(number, Cow::Borrowed(""), *function, pieces);
        }
    }

    /// Why an answer ends, and the text that ended it, if it is one of the client's: those of a model's template do, too.
    fn end_of(&self, reason: &Loose<'_>, ends: [&Loose<'_>; 2]) -> Option<End> {
        let end = End::of(reason.as_text())?;
        let ends = ends.map(Loose::as_text);
        let mut stops = self.stops.iter().filter(|stop| !stop.is_empty());
        match stops.find(|stop| ends.contains(&stop.as_str())) {
            Some(stop) if end == End::Whole => Some(End::Stop(stop.clone())),
            _ => Some(end),
        }
    }
}

/// Reads a whole completion; `None`: it is none.
pub fn read_answer<'a>(body: &'a [u8], reading: &Reading) -> Option<Vec<Piece<'a>>> {
    let Object(completion) = serde_json::from_slice::<Object<Chunk<'a>>>(body).ok()?;
    let mut completion = completion?;
    if completion.choices.is_empty() {
        return None;
    }
    let mut pieces = Vec::new();
    let mut reader = Reader::new(reading);
    let error = failure(&mut completion, false, body);
    reader.begin(&mut completion, &mut pieces);
    let mut choice = completion.choices.objects().next()?;
    let message = choice.message.0.take().map(|message| *message);
    let message = message.or_else(|| choice.delta.0.take());
    let message = message.or_else(|| match std::mem::take(&mut choice.text) {
        TextOrJson::Nothing => None,
        content => Some(Delta {
            content,
            ..Delta::default()
        }),
    })?;
    whole(&mut reader, message, &mut pieces);
    let sources = &mut reader.sources;
    sources.note(completion.citations, completion.search_results);
    sources.tell(&mut pieces);
    pieces.extend(used(completion.usage.or(choice.usage)));
    match error.or_else(|| error_in(choice.error)) {
        Some(error) => pieces.push(Piece::Failed(error)),
        // Some give no reason; there is no more of it, however.
        None => {
            let ends = [&choice.stop_reason, &choice.matched_stop];
            let end = reader.end_of(&choice.finish_reason, ends);
            pieces.push(Piece::End(end.unwrap_or(End::Whole)));
        }
    }
    pieces.push(Piece::Over);
    Some(pieces)
}

/// What it costs, as far as it says so.
fn used(costs: Option<&RawValue>) -> Option<Piece<'static>> {
    usage(costs?.get()).map(Piece::Usage)
}

/// Reads a whole message: each of its calls stands for itself.
fn whole<'a>(reader: &mut Reader, mut message: Delta<'a>, pieces: &mut Vec<Piece<'a>>) {
    let older = older(&mut message);
    let calls = std::mem::take(&mut message.tool_calls);
    reader.delta(message, pieces);
    for part in calls.objects() {
        call(reader.calls.next(), part, pieces);
    }
    if let Some(function) = older {
        called(reader.calls.older(), Cow::Borrowed(""), *function, pieces);
    }
}

/// The older `function_call`, unless it repeats a call: llama-cpp-python says each one in both ways.
fn older<'a>(delta: &mut Delta<'a>) -> Option<Box<Function<'a>>> {
    let function = delta.function_call.0.take();
    function.filter(|_| delta.tool_calls.is_empty())
}

/// The error that a chunk tells, under any of the usual names.
fn failure(chunk: &mut Chunk<'_>, is_named: bool, data: &[u8]) -> Option<Value> {
    if let Some(error) = error_in(std::mem::take(&mut chunk.error)) {
        return Some(error);
    }
    let has_message = !chunk.message.as_text().is_empty();
    let is_error = chunk.object.as_text() == "error" || chunk.kind.as_text() == "error";
    let has_code = !matches!(chunk.code, Loose::Nothing);
    let is_flat = chunk.choices.is_empty() && has_message && (is_error || has_code);
    if is_named || is_flat {
        return serde_json::from_slice(data).ok();
    }
    None
}

fn error_in(error: Loose<'_>) -> Option<Value> {
    match error {
        Loose::Nothing => None,
        Loose::Text(text) if text.is_empty() => None,
        Loose::Text(text) => Some(json!({ "message": text })),
        Loose::Other(error) => match *error {
            Value::Bool(false) => None,
            Value::Object(fields) if fields.is_empty() => None,
            error => Some(error),
        },
    }
}

fn unreadable<'a>(name: Option<&[u8]>, data: &str) -> Piece<'a> {
    if name == Some(b"error") {
        return Piece::Failed(json!({ "message": data }));
    }
    Piece::Unreadable
}

/// Google proves the thought with the call that it has led to.
fn proof(index: usize, extra: Extra<'_>) -> Option<Piece<'_>> {
    let data = extra.google.0?.thought_signature.into_text();
    let signature = Signature::of(Api::Chat, &data, false)?;
    Some(Piece::Proof { index, signature })
}

fn call<'a>(index: usize, part: CallPart<'a>, pieces: &mut Vec<Piece<'a>>) {
    let extra = part.extra_content.0;
    pieces.extend(extra.and_then(|extra| proof(index, *extra)));
    let id = part.id.into_text();
    let Some(custom) = part.custom.0 else {
        let function = part.function.0.unwrap_or_default();
        called(index, id, function, pieces);
        return;
    };
    pieces.push(Piece::Call {
        index,
        id,
        name: custom.name.into_text(),
        is_custom: true,
    });
    let text = filled(custom.input.into_text());
    pieces.extend(text.map(|text| Piece::Arguments { index, text }));
}

fn called<'a>(index: usize, id: Cow<'a, str>, function: Function<'a>, pieces: &mut Vec<Piece<'a>>) {
    let name = function.name.into_text();
    let text = function.arguments.into_text();
    // Most pieces are arguments alone.
    if text.is_empty() || !id.is_empty() || !name.is_empty() {
        pieces.push(Piece::Call {
            index,
            id,
            name,
            is_custom: false,
        });
    }
    pieces.extend(filled(text).map(|text| Piece::Arguments { index, text }));
}

/// The page that an annotation is about; there are other kinds of annotations.
fn cited(annotation: Annotation<'_>) -> Option<Piece<'_>> {
    if !matches!(annotation.kind.as_text(), "" | "url_citation") {
        return None;
    }
    let page = annotation.url_citation.0.unwrap_or(annotation.flat);
    if page.url.as_text().is_empty() {
        return None;
    }
    let place = |index: &Loose<'_>| {
        let index = index.as_count().unwrap_or(0);
        usize::try_from(index).unwrap_or(usize::MAX)
    };
    Some(Piece::Cited(Citation {
        start: place(&page.start_index),
        end: place(&page.end_index),
        url: page.url.into_text().into_owned(),
        title: page.title.into_text().into_owned(),
    }))
}
