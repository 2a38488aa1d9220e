//! Streams: the events of an answer, in order, changed by the fault and framed for the wire.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Fault, Framing, Script,
    events::{DONE, Events},
    openai::Asked,
    playback::Step,
};

/// The steps that play the stream asked for, fault included.
pub(super) fn steps(asked: &Asked, script: &Script) -> Vec<Step> {
    let events = asked.events(script);
    let player = Player { script, events };
    match &script.fault {
        Fault::Empty => Vec::new(),
        Fault::HangAfterHeaders => vec![Step::Hang],
        Fault::OnlyComments => vec![comments()],
        Fault::Garbage => player.whole_events(&[GARBAGE.to_owned()]),
        Fault::OnlyDone => player.whole_events(&[DONE.to_owned()]),
        Fault::ErrorInside { .. } => player.whole_events(&player.events.failure),
        Fault::NoChoices => player.whole_events(&player.events.empty_answer),
        Fault::Truncated | Fault::RoleThenCut => player.until(0, Some(Step::Abort)),
        Fault::RoleThenEnd => player.until(0, None),
        Fault::StallAfter(count) => player.until(*count, Some(Step::Hang)),
        Fault::CutAfter(count) => player.until(*count, Some(Step::Abort)),
        Fault::ResetAfter(count) => player.until(*count, Some(Step::Reset)),
        Fault::EndAfter(count) => player.until(*count, None),
        Fault::ErrorAfter(count) => {
            player.until(*count, player.whole_events(&player.events.failure))
        }
        Fault::GarbageAfter(count) => {
            player.until(*count, player.whole_events(&[BROKEN_EVENT.to_owned()]))
        }
        Fault::CommentsAfter(count) => player.until(*count, [comments()]),
        Fault::StallAtEnd => player.to_the_finish([Step::Hang]),
        Fault::ErrorAtEnd => player.to_the_finish(player.whole_events(&player.events.failure)),
        Fault::ResetAtEnd => player.to_the_finish([Step::Reset]),
        Fault::Raw(stream) => {
            let events = stream.split_inclusive("\n\n");
            let paced = |(position, event)| player.paced(position, event);
            events.enumerate().flat_map(paced).collect()
        }
        Fault::NoDone => player.to_the_finish([]),
        Fault::StallAfterAll => {
            let mut steps = player.all();
            steps.push(Step::Hang);
            steps
        }
        _ => player.all(),
    }
}

struct Player<'a> {
    script: &'a Script,
    events: Events,
}

impl Player<'_> {
    /// The opening and at most `count` tokens at the script's speed, then `ending`.
    fn until(&self, count: usize, ending: impl IntoIterator<Item = Step>) -> Vec<Step> {
        let mut steps = self.whole_events(&self.events.opening);
        for (position, token) in self.events.tokens.iter().take(count).enumerate() {
            steps.extend(self.paced(position, token));
        }
        steps.extend(ending);
        steps
    }

    fn all(&self) -> Vec<Step> {
        self.to_the_finish(self.whole_events(&self.events.done))
    }

    /// Everything up to the finish, then `ending`.
    fn to_the_finish(&self, ending: impl IntoIterator<Item = Step>) -> Vec<Step> {
        let mut closing = self.whole_events(&self.events.closing);
        closing.extend(ending);
        self.until(usize::MAX, closing)
    }

    /// A token after the wait before the first one or between two.
    fn paced(&self, position: usize, event: &str) -> Vec<Step> {
        let pause = if position == 0 {
            self.script.first_token_delay
        } else {
            self.script.token_delay
        };
        let wait = (pause > Duration::ZERO).then_some(Step::Wait(pause));
        wait.into_iter().chain(self.frame(event)).collect()
    }

    fn whole_events(&self, events: &[String]) -> Vec<Step> {
        events.iter().flat_map(|event| self.frame(event)).collect()
    }

    fn frame(&self, event: &str) -> Vec<Step> {
        match self.script.framing {
            Framing::Usual => vec![Step::Send(Bytes::copy_from_slice(event.as_bytes()))],
            Framing::CrLf => vec![Step::Send(event.replace('\n', "\r\n").into())],
            Framing::OneBytePerChunk => event
                .bytes()
                .map(|byte| Step::Send(Bytes::copy_from_slice(&[byte])))
                .collect(),
        }
    }
}

fn comments() -> Step {
    Step::Repeat(Bytes::from_static(COMMENT), COMMENT_PAUSE)
}

const COMMENT: &[u8] = b": ping\n\n";
const GARBAGE: &str = "<<< these are no events >>>\n\n";
const BROKEN_EVENT: &str = "data: {\"id\":\"broken\",\"choices\":[{\"delta\n\n";
/// The pause between two signs of life that carry no content.
pub(super) const COMMENT_PAUSE: Duration = Duration::from_millis(50);
