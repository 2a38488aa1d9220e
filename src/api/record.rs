//! The request record: opened when a request arrives, closed exactly once, however the request ends.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Version};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::give_ups::{GiveUps, Program};
use super::revocation::Revocation;
use crate::clients::Taken;
use crate::config::UpstreamId;
use crate::event::{
    AttemptReport, ClientLimit, Event, Events, FailedAt, InPlaceOf, Refusal, RequestFailure,
    RequestReport, RequestResult, ScopeId, Tokens,
};
use crate::failover::{Answer, AnswerBody, Exhausted};
use crate::outcome::{Blame, Outcome};
use crate::request::{
    ClientApi, ClientCredential, ClientPatience, Endpoint, Progress, RequestId, Trace,
};
use crate::wire::upgrade::Shutdown;

/// The status that is recorded if the client disconnects before a response has started.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// If it is dropped before it is finished, the request counts as cancelled by the client.
#[derive(Debug)]
pub(super) struct RequestRecord {
    pub(super) id: RequestId,
    /// What it is part of, if it is traced.
    pub(super) trace: Option<Trace>,
    pub(super) client: Option<Arc<str>>,
    /// Its own credential, until the request takes it.
    pub(super) credential: Option<ClientCredential>,
    pub(super) endpoint: Endpoint,
    /// The API that the client uses; our errors have its format.
    pub(super) client_api: ClientApi,
    /// Whether the request came over HTTP/2.
    pub(super) is_http2: bool,
    /// What becomes known of it while it is served.
    pub(super) progress: Progress,
    pub(super) route: Option<Arc<str>>,
    served_by: Option<UpstreamId>,
    /// Why nobody answered.
    pub(super) failure: Option<Box<RequestFailure>>,
    /// The model that answered.
    model: Option<Arc<str>>,
    /// Who should have answered, if somebody else did.
    in_place_of: Option<InPlaceOf>,
    /// The upstreams to which it is due that the answer is none, or not whole.
    pub(super) failed_by: Vec<UpstreamId>,
    /// Where attempts failed.
    pub(super) failed_at: Vec<FailedAt>,
    /// The models that were passed over, as they are out of rotation.
    out_at: Vec<ScopeId>,
    /// Why we refuse it, if there is no room for it.
    pub(super) refusal: Option<Refusal>,
    /// When its client is admitted no more, for what may last.
    pub(super) revocation: Option<Revocation>,
    /// Which of its client's limits it has met.
    pub(super) limit: Option<ClientLimit>,
    /// What it has taken of its client's limits.
    pub(super) taken: Option<Box<Taken>>,
    /// What the answer costs.
    pub(super) tokens: Option<Tokens>,
    /// How many events with content have gone out.
    pub(super) content: usize,
    events: Events,
    started_at: Instant,
    status: u16,
    first_byte: Option<Duration>,
    first_token: Option<Duration>,
    added: Option<Duration>,
    slot: Option<OwnedSemaphorePermit>,
    /// Where it is noted how long clients wait, and the client.
    give_ups: Option<(Arc<GiveUps>, Program)>,
    is_finished: bool,
}

impl RequestRecord {
    /// Boxed, because it is handed on often.
    pub(super) fn start(events: Events, version: Version, shutdown: Shutdown) -> Box<Self> {
        events.emit(&Event::RequestStarted);
        Box::new(Self {
            id: RequestId::random(),
            trace: None,
            client: None,
            credential: None,
            endpoint: Endpoint::Other,
            client_api: ClientApi::default(),
            is_http2: version == Version::HTTP_2,
            progress: Progress::new(shutdown),
            route: None,
            served_by: None,
            failure: None,
            model: None,
            in_place_of: None,
            failed_by: Vec::new(),
            failed_at: Vec::new(),
            out_at: Vec::new(),
            refusal: None,
            revocation: None,
            limit: None,
            taken: None,
            tokens: None,
            content: 0,
            events,
            started_at: Instant::now(),
            status: CLIENT_CLOSED_REQUEST,
            first_byte: None,
            first_token: None,
            added: None,
            slot: None,
            give_ups: None,
            is_finished: false,
        })
    }

    /// Holds the request's slot among the requests in flight until the request is over.
    pub(super) fn hold(&mut self, slot: OwnedSemaphorePermit) {
        self.slot = Some(slot);
    }

    /// Notes how long the client waits.
    pub(super) fn watch_patience(&mut self, give_ups: &Arc<GiveUps>, headers: &HeaderMap) {
        let program = Program::of(self.client.clone(), headers);
        self.give_ups = Some((Arc::clone(give_ups), program));
    }

    /// How long the client is expected to wait, if it has given up before.
    pub(super) fn expected_patience(&self) -> Option<ClientPatience> {
        let (give_ups, program) = self.give_ups.as_ref()?;
        give_ups.expected(program).map(ClientPatience::Learnt)
    }

    /// When it arrived; once it has been read, when that was.
    pub(super) fn began(&self) -> Instant {
        self.started_at
    }

    /// The request has been read. Time from here on is spent by us and the upstreams.
    pub(super) fn read(&mut self, at: Instant) {
        self.started_at = at;
    }

    /// An upstream answers: with its first content, or with the whole answer.
    pub(super) fn answered_by(&mut self, answer: &Answer) {
        self.served_by = Some(answer.served_by.clone());
        self.in_place_of.clone_from(&answer.in_place_of);
        self.failed_at = AttemptReport::failed_at(&answer.attempts);
        let Some(attempt) = answer.attempt() else {
            return;
        };
        self.model.clone_from(&attempt.scope_model);
        self.tokens = attempt.tokens;
        match &answer.body {
            AnswerBody::Whole(_) | AnswerBody::Stream(_) if attempt.outcome == Outcome::Success => {
                self.first_token = Some(self.started_at.elapsed());
            }
            AnswerBody::Whole(_) | AnswerBody::Opaque(_)
                if attempt.outcome.blame() == Blame::Upstream =>
            {
                self.failed_by = vec![answer.served_by.clone()];
            }
            AnswerBody::Whole(_)
            | AnswerBody::Stream(_)
            | AnswerBody::Opaque(_)
            | AnswerBody::Relay(_) => {}
        }
    }

    /// No upstream has answered. `story`: who failed and how.
    pub(super) fn unanswered(&mut self, exhausted: &Exhausted, story: String) {
        self.failure = Some(Box::new(RequestFailure {
            cause: exhausted.cause(),
            story: Some(story),
        }));
        self.failed_by = exhausted.failed_by();
        self.failed_at = AttemptReport::failed_at(&exhausted.attempts);
        self.out_at = exhausted.out_at();
    }

    /// The response head is sent. `waited` is the time spent waiting for upstreams.
    pub(super) fn answering(&mut self, status: u16, waited: Option<Duration>) {
        let first_byte = self.started_at.elapsed();
        self.status = status;
        self.first_byte = Some(first_byte);
        if let Some((give_ups, program)) = &self.give_ups {
            give_ups.waited(program, first_byte);
        }
        self.added = waited.map(|waited| first_byte.saturating_sub(waited));
    }

    /// A bug of ours has broken the answer off, which is nobody else's failure.
    pub(super) fn panicked(mut self) {
        self.served_by = None;
        self.failed_by.clear();
        self.close(RequestResult::Broken);
    }

    /// The upstream that answers was lost.
    pub(super) fn lost(mut self) {
        self.failed_by.extend(self.served_by.clone());
        self.close(RequestResult::Broken);
    }

    /// The request is over.
    pub(super) fn finish(mut self, result: RequestResult) {
        self.close(result);
    }

    /// The request is over, and its record is dropped where it is.
    pub(super) fn close(&mut self, result: RequestResult) {
        self.is_finished = true;
        if let (RequestResult::ClientGone, None, Some((give_ups, program))) =
            (result, self.first_byte, &self.give_ups)
        {
            give_ups.gave_up(program, self.started_at.elapsed());
        }
        if let Some(taken) = self.taken.take() {
            let cost = self.cost(result, taken.prompt);
            taken.settle(cost);
        }
        self.events.emit(&Event::RequestFinished(RequestReport {
            id: self.id.clone(),
            trace: self.trace,
            client: self.client.take(),
            route: self.route.take(),
            endpoint: self.endpoint,
            status: self.status,
            result,
            attempts: self.progress.attempts(),
            served_by: self.served_by.take(),
            model: self.model.take(),
            in_place_of: self.in_place_of.take(),
            failed_by: std::mem::take(&mut self.failed_by),
            failed_at: std::mem::take(&mut self.failed_at),
            out_at: std::mem::take(&mut self.out_at),
            failure: self.failure.take(),
            refusal: self.refusal,
            limit: self.limit,
            first_byte: self.first_byte,
            first_token: self.first_token,
            total: self.started_at.elapsed(),
            tokens: self.tokens,
            added: self.added,
        }));
    }
}

impl RequestRecord {
    /// What it costs its client in tokens: what the upstream counts, if the answer is whole. Of an answer that is not, or
    /// that nobody counts, each event is a token, and the prompt has as many as it was taken for. `None`: nobody knows.
    fn cost(&self, result: RequestResult, prompt: u64) -> Option<u64> {
        let counted = self.tokens.unwrap_or_default();
        let sum = |input: u64, output: u64| Some(input.saturating_add(output));
        match result {
            RequestResult::Answered if self.tokens.is_some() => sum(counted.input, counted.output),
            RequestResult::Answered if self.content == 0 => None,
            // Nobody has answered.
            RequestResult::Rejected | RequestResult::Failed => sum(counted.input, counted.output),
            RequestResult::Answered | RequestResult::Broken | RequestResult::ClientGone => sum(
                counted.input.max(prompt),
                counted.output.max(self.content as u64),
            ),
        }
    }
}

/// The result that is recorded for a whole answer. A forwarded request may have passed on an upstream's failure.
pub(super) fn result_of(answer: &Answer) -> RequestResult {
    match answer.attempt().map(|attempt| attempt.outcome.blame()) {
        Some(Blame::Upstream) => RequestResult::Failed,
        Some(Blame::Client) => RequestResult::Rejected,
        Some(Blame::Nobody) | None => RequestResult::Answered,
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if !self.is_finished {
            self.close(RequestResult::ClientGone);
        }
    }
}
