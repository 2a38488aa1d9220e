//! The script in force and the record of what happened, shared by the handle and its connections.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::watch, time::Instant};

use super::{Fault, Received, Script};

#[derive(Debug)]
pub(super) struct Ledger {
    name: String,
    script: Mutex<Arc<Script>>,
    received: Mutex<Vec<Received>>,
    /// When the last request came that met no fault.
    last_well: Mutex<Option<Instant>>,
    received_count: watch::Sender<usize>,
    abandoned: watch::Sender<usize>,
    refusing: AtomicBool,
}

impl Ledger {
    pub(super) fn new(name: &str, script: Script) -> Self {
        Self {
            name: name.to_owned(),
            refusing: AtomicBool::new(script.refuses()),
            script: Mutex::new(Arc::new(script)),
            received: Mutex::default(),
            last_well: Mutex::default(),
            received_count: watch::Sender::new(0),
            abandoned: watch::Sender::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn play(&self, script: Script) {
        self.refusing.store(script.refuses(), Ordering::Release);
        *lock(&self.script) = Arc::new(script);
    }

    /// How many requests a connection of HTTP/2 that is opened now takes at a time.
    pub(super) fn streams(&self) -> Option<u32> {
        lock(&self.script).streams
    }

    /// Keeps a request; returns its number, from 1, and the script it is answered by.
    pub(super) fn record(&self, request: Received) -> (usize, Arc<Script>) {
        let script = Arc::clone(&lock(&self.script));
        let mut received = lock(&self.received);
        let number = received.len() + 1;
        let mut last_well = lock(&self.last_well);
        let since_last = last_well.map(|at| request.at.duration_since(at));
        let script = script.for_request(&request, number, since_last);
        if script.fault == Fault::None {
            *last_well = Some(request.at);
        }
        received.push(request);
        // Still under the lock, so that the count never runs backwards.
        self.received_count.send_replace(number);
        (number, script)
    }

    pub(super) fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    pub(super) fn received_count(&self) -> usize {
        *self.received_count.borrow()
    }

    pub(super) async fn wait_received(&self, count: usize) {
        reach(&self.received_count, count).await;
    }

    pub(super) fn abandoned(&self) -> usize {
        *self.abandoned.borrow()
    }

    pub(super) async fn wait_abandoned(&self, count: usize) {
        reach(&self.abandoned, count).await;
    }
}

/// Lives as long as an answer is under way; dropped before [`Caller::served`], the caller went away.
#[derive(Debug)]
pub(super) struct Caller {
    ledger: Option<Arc<Ledger>>,
}

impl Caller {
    pub(super) fn waiting(ledger: &Arc<Ledger>) -> Self {
        Self {
            ledger: Some(Arc::clone(ledger)),
        }
    }

    /// The answer ended by our own doing, whole or broken.
    pub(super) fn served(&mut self) {
        self.ledger = None;
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let Some(ledger) = self.ledger.take() else {
            return;
        };
        // While connections are refused it was us who hung up.
        if !ledger.refusing.load(Ordering::Acquire) {
            ledger.abandoned.send_modify(|count| *count += 1);
        }
    }
}

async fn reach(counter: &watch::Sender<usize>, goal: usize) {
    // The sender outlives this call, so waiting cannot fail.
    let _ = counter.subscribe().wait_for(|count| *count >= goal).await;
}

/// Nothing is left half-changed when a holder panics, so a poisoned lock is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
