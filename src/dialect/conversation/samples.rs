//! Events of an answer, as tests of all APIs tell them.

use super::answer::{CallHead, Event, Usage};
use super::ends::End;
use super::tools::ToolName;

/// A call begins.
pub fn call(id: &str, name: &str, namespace: Option<&str>, is_custom: bool) -> Event<'static> {
    let tool = ToolName {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        is_custom,
    };
    let id = id.to_owned();
    Event::Call(CallHead { id, tool })
}

/// The answer ends, and costs a little.
pub fn ended(end: End) -> Event<'static> {
    let usage = Usage {
        input: 3,
        cached: 1,
        written: 0,
        output: 2,
        reasoning: 1,
    };
    Event::End {
        end,
        usage: Some(usage),
    }
}
