//! An attempt's request as its upstream takes it.

use bytes::Bytes;

use super::attempt::Attempt;
use super::ending::Failure;
use crate::catalogue::{Prefill, Unwanted};
use crate::dialect::{self, Asking, Delivery, UpstreamApi, UpstreamRequest, adapt, continuation};
use crate::failover::decisions::fitness::prefill;
use crate::failover::decisions::routing_request::RoutingRequest;
use crate::failover::translation::{asking_by, reserve};
use crate::outcome::{Defect, Outcome};
use crate::wire::memory::{FREE, NoMemory};
use crate::wire::offload;

impl Attempt<'_> {
    /// The client's request, or the request for the rest of its answer.
    fn body(&self) -> Option<Bytes> {
        let model = self.target.candidate.model.as_deref();
        match self.transcript {
            None => Some(dialect::body(self.request, model)),
            Some(transcript) => continuation::body(self.request, model, transcript, self.prefill()),
        }
    }

    pub(super) async fn without_responses(&self) -> Result<UpstreamRequest, Failure> {
        let api = UpstreamApi {
            has_responses: false,
            ..self.asking.api
        };
        let request = RoutingRequest::of(self.request);
        let asking = asking_by(api, self.target.candidate, request);
        let translate = || self.translated_by(asking, self.body());
        // It has no `/responses` after all, so it is to be translated.
        self.prepare(true, translate).await?.map_err(Failure::from)
    }

    pub(super) async fn without_provider_state(&self) -> Option<UpstreamRequest> {
        let asking = self.asking;
        let translate = || {
            let (body, dropped) =
                adapt::strip_provider_state(self.request.endpoint, &self.body()?, asking.api)?;
            let before = self.translated_by(asking, self.body()).ok()?;
            let mut translated = self.translated_by(asking, Some(body)).ok()?;
            translated.dropped.extend(dropped);
            translated.is_rewritten = true;
            // One who stands in has been asked in this way already.
            (translated.body != before.body).then_some(Ok(translated))
        };
        let translate = || translate().unwrap_or(Err(Outcome::InvalidReply(Defect::NoSeam)));
        self.prepare(true, translate).await.ok()?.ok()
    }

    /// The request without fields that the upstream does not know; `None`: that changes nothing.
    pub(super) async fn doing_without(&self, unwanted: Unwanted) -> Option<UpstreamRequest> {
        let mut asking = self.asking;
        asking.api.quirks = asking.api.quirks.doing_without(unwanted);
        let translate = || {
            let before = self.translated_by(self.asking, self.body())?;
            let mut translated = self.written_by(asking, self.body(), self.as_fallback())?;
            translated.is_rewritten = true;
            match translated.body == before.body {
                true => Err(Outcome::InvalidReply(Defect::NoSeam)),
                false => Ok(translated),
            }
        };
        self.prepare(true, translate).await.ok()?.ok()
    }

    /// The request for an answer in one piece.
    pub(super) async fn in_one_piece(&self) -> Option<UpstreamRequest> {
        let translate = || {
            let translated = self.translated_by(self.asking, self.body())?;
            let whole = translated.in_one_piece();
            whole.ok_or(Outcome::InvalidReply(Defect::Unstreamed))
        };
        self.prepare(true, translate).await.ok()?.ok()
    }

    /// The request in the upstream's words.
    pub(in crate::failover) async fn translated(&self) -> Result<UpstreamRequest, Failure> {
        let is_read = self.delivery() != Delivery::Verbatim
            || self.transcript.is_some()
            || self.asking.translates();
        let translate = || self.translated_by(self.asking, self.body());
        match self.prepare(is_read, translate).await {
            // Nobody but the upstream can say whether it takes this, so nothing but the model's name is changed.
            Err(NoMemory::Ever) if self.transcript.is_none() => self.renamed(),
            translated => translated?.map_err(Failure::from),
        }
    }

    /// What is too large to be read, under the upstream's name for the model.
    fn renamed(&self) -> Result<UpstreamRequest, Failure> {
        let mut share = self.memory.share();
        share.grow_to(self.request.body.len())?;
        let body = self.body().map(|body| share.hold(body));
        body.filter(|_| !self.asking.translates())
            .and_then(|body| self.asking.translate(body, Delivery::Verbatim).ok())
            .ok_or_else(|| NoMemory::Ever.into())
    }

    /// Puts the request in other words, within the memory for bodies; `is_read`: whether that takes more than passing it on.
    async fn prepare(
        &self,
        is_read: bool,
        translate: impl FnOnce() -> Result<UpstreamRequest, Outcome>,
    ) -> Result<Result<UpstreamRequest, Outcome>, NoMemory> {
        let body = &self.request.body;
        if !is_read || body.len() <= FREE {
            return Ok(translate());
        }
        let translate = || {
            let mut share = reserve(body, self.memory)?;
            Ok(translate().map(|mut translated| {
                share.shrink_to(translated.body.len());
                translated.body = share.hold(translated.body);
                translated
            }))
        };
        offload::run(body.len(), translate).await
    }

    fn translated_by(
        &self,
        asking: Asking<'_>,
        body: Option<Bytes>,
    ) -> Result<UpstreamRequest, Outcome> {
        self.written_by(asking, body, self.delivery())
    }

    fn delivery(&self) -> Delivery<'_> {
        let candidate = self.target.candidate;
        let model = candidate.model_for(self.request.model_name());
        match self.may_do_without() && candidate.does_without.of(model).is_some() {
            true => self.as_fallback(),
            false => Delivery::of(candidate.model.as_deref()),
        }
    }

    /// For a model that the client has not written it for.
    fn as_fallback(&self) -> Delivery<'_> {
        let candidate = self.target.candidate;
        Delivery::Fallback {
            model: candidate.model_for(self.request.model_name()),
        }
    }

    fn written_by(
        &self,
        asking: Asking<'_>,
        body: Option<Bytes>,
        delivery: Delivery<'_>,
    ) -> Result<UpstreamRequest, Outcome> {
        let translated = body.and_then(|body| asking.translate(body, delivery).ok());
        translated.ok_or(Outcome::InvalidReply(Defect::NoSeam))
    }

    pub(super) fn prefill(&self) -> Prefill {
        prefill(self.target.candidate, self.request.model_name())
    }
}
