//! Situations in which more than one thing is wrong: an answer whenever one can be had, at a bounded price.
//!
//! These are small versions of what `cargo bench --bench situations` plays with the real program and its bounds.

mod away;
mod dead;
mod flaky;
mod limited;
mod patience;
mod sdk;

use std::time::Duration;

use backstop::event::Event;
use backstop::simulator::{Script, Simulator};
use futures_util::{StreamExt, stream};
use http::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Answered, Setup, TestGateway, chat_text, stream_text};

const CHAT: &str = "/v1/chat/completions";
/// So many clients ask at a time.
const AT_A_TIME: usize = 4;
const NAMES: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// Simulators with these scripts, in the order of their names.
async fn upstreams(scripts: &[Script]) -> Vec<Simulator> {
    let mut simulators = Vec::new();
    for (name, script) in NAMES.into_iter().zip(scripts) {
        simulators.push(Simulator::start(name, script.clone()).await.unwrap());
    }
    simulators
}

/// A gateway with its defaults before these upstreams, which are asked in their order.
async fn before(simulators: &[Simulator]) -> TestGateway {
    let mut setup = Setup::new();
    for simulator in simulators {
        setup = setup.upstream(simulator);
    }
    setup.start().await
}

/// How many calls of a model have arrived at all of them.
fn calls(simulators: &[Simulator]) -> usize {
    let received = simulators.iter().flat_map(Simulator::received);
    received.filter(|request| request.path == CHAT).count()
}

/// Waits until an attempt at an upstream has failed.
async fn failure(gateway: &TestGateway, simulator: &Simulator) {
    let has_failed = |event: &Event| match event {
        Event::AttemptFinished { report, .. } => {
            let is_there = report.upstream.as_ref() == simulator.name();
            (is_there && report.outcome.label() != "ok").then_some(())
        }
        _ => None,
    };
    gateway.events.wait_for(has_failed).await;
}

/// What clients ask for, and how long they wait.
#[derive(Clone, Default)]
struct Clients {
    is_streamed: bool,
    /// A header that tells how long they wait, and its value.
    tell: Option<(&'static str, String)>,
    /// When they go away without an answer.
    leave_after: Option<Duration>,
}

impl Clients {
    fn streamed(mut self, is_streamed: bool) -> Self {
        self.is_streamed = is_streamed;
        self
    }

    /// They go away after so long, and say so in this header, in seconds.
    fn telling(self, header: &'static str, patience: Duration) -> Self {
        Self {
            tell: Some((header, patience.as_secs_f64().to_string())),
            ..self.leaving_after(patience)
        }
    }

    fn leaving_after(mut self, patience: Duration) -> Self {
        self.leave_after = Some(patience);
        self
    }

    /// Asks, with so many clients at a time. Returns what each request got, in the order in which they began; `None`: its
    /// client has left.
    async fn ask_at_a_time(
        &self,
        clients: usize,
        gateway: &TestGateway,
        requests: usize,
    ) -> Vec<Option<Answered>> {
        let asking = stream::iter(0..requests)
            .map(|number| async move { (number, self.ask_once(gateway, number).await) })
            .buffer_unordered(clients);
        let mut answers: Vec<_> = asking.collect().await;
        answers.sort_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn ask(&self, gateway: &TestGateway, requests: usize) -> Vec<Option<Answered>> {
        self.ask_at_a_time(AT_A_TIME, gateway, requests).await
    }

    /// No two bodies are alike.
    async fn ask_once(&self, gateway: &TestGateway, number: usize) -> Option<Answered> {
        let body = json!({
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": format!("question {number}")}],
            "stream": self.is_streamed,
        });
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(
            self.tell
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let asking = gateway.send(Method::POST, CHAT, &headers, body.to_string());
        match self.leave_after {
            Some(patience) => timeout(patience, asking).await.ok(),
            None => Some(asking.await),
        }
    }

    /// How many of the requests were answered well and whole.
    fn answered(&self, answers: &[Option<Answered>]) -> usize {
        let is_answered = |answer: &&Option<Answered>| {
            answer
                .as_ref()
                .is_some_and(|answered| self.is_whole(answered))
        };
        answers.iter().filter(is_answered).count()
    }

    fn is_whole(&self, answered: &Answered) -> bool {
        if answered.status != 200 {
            return false;
        }
        let expected = format!("Hello from {}.", answered.upstream());
        if self.is_streamed {
            stream_text(&answered.text()) == (expected, true)
        } else {
            chat_text(answered) == expected
        }
    }

    /// Asks, and makes sure that every request is answered.
    async fn are_all_answered(&self, gateway: &TestGateway, requests: usize) -> Vec<Answered> {
        let answers = self.ask(gateway, requests).await;
        assert_eq!(self.answered(&answers), requests, "{}", told(&answers));
        answers.into_iter().flatten().collect()
    }
}

/// What clients got, in short.
fn told(answers: &[Option<Answered>]) -> String {
    let lines = answers.iter().map(|answer| match answer {
        Some(answered) => format!("{} {:?}\n", answered.status, answered.trail()),
        None => "left\n".to_owned(),
    });
    lines.collect()
}
