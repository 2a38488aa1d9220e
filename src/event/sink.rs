//! Who takes events.

use std::fmt;
use std::sync::Arc;

use super::fact::Event;

/// Takes events. It is called on the data path, so it must be quick and must not block.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn record(&self, event: &Event);
}

impl<S: Sink> Sink for Arc<S> {
    fn record(&self, event: &Event) {
        S::record(self, event);
    }
}

/// Where the data path reports: hands every event to all sinks, in order.
#[derive(Clone)]
pub struct Events(Arc<[Box<dyn Sink>]>);

impl Events {
    /// Reports to these sinks.
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self(sinks.into())
    }

    /// Reports one event.
    pub fn emit(&self, event: &Event) {
        for sink in self.0.iter() {
            sink.record(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({} sinks)", self.0.len())
    }
}
