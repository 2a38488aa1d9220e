//! Who asks what: chats, messages and responses, whole and streamed, forms, large ones, slow readers, and those who leave.

use std::time::Duration;

use crate::board::Kind;
use crate::client::Habit;
use crate::dialect::Dialect;

const CHAT: Habit = Habit {
    name: "chat",
    model: "mixed",
    dialect: Dialect::Chat,
    streams: false,
    words: 20,
    history: 500,
    kind: Kind::Patient,
    reads_every: Duration::ZERO,
    is_http2: false,
};
const STREAM: Habit = Habit {
    name: "stream",
    streams: true,
    words: 60,
    ..CHAT
};

/// All habits, each with the number of clients that have it.
pub(crate) const CROWD: [(usize, Habit); 15] = [
    (6, CHAT),
    (6, STREAM),
    (
        4,
        Habit {
            name: "chat over HTTP/2",
            is_http2: true,
            ..CHAT
        },
    ),
    (
        4,
        Habit {
            name: "stream over HTTP/2",
            is_http2: true,
            ..STREAM
        },
    ),
    (
        4,
        Habit {
            name: "message",
            dialect: Dialect::Messages,
            ..CHAT
        },
    ),
    (
        4,
        Habit {
            name: "message stream",
            dialect: Dialect::Messages,
            model: "claude",
            ..STREAM
        },
    ),
    (
        4,
        Habit {
            name: "response",
            dialect: Dialect::Responses,
            model: "claude",
            ..CHAT
        },
    ),
    (
        4,
        Habit {
            name: "response stream",
            dialect: Dialect::Responses,
            ..STREAM
        },
    ),
    (
        2,
        Habit {
            name: "form",
            dialect: Dialect::Transcription,
            history: 200 << 10,
            ..CHAT
        },
    ),
    (
        2,
        Habit {
            name: "long history",
            history: 700 << 10,
            ..CHAT
        },
    ),
    (
        2,
        Habit {
            name: "long answer",
            words: 100_000,
            ..CHAT
        },
    ),
    (
        2,
        Habit {
            name: "slow reader",
            words: 600,
            reads_every: Duration::from_millis(5),
            ..STREAM
        },
    ),
    (
        4,
        Habit {
            name: "leaves early",
            kind: Kind::LeavesEarly,
            ..CHAT
        },
    ),
    (
        4,
        Habit {
            name: "leaves halfway",
            kind: Kind::LeavesHalfway,
            ..STREAM
        },
    ),
    (
        3,
        Habit {
            name: "no fallback",
            model: "alone",
            ..STREAM
        },
    ),
];

/// The configurations between which reloads change: the second one has an upstream more.
pub(crate) fn configs(address: impl Fn(&str) -> String) -> [String; 2] {
    let chats = |name: &str| {
        let address = address(name);
        format!(
            "  {name}: {{provider: openai-compatible, base_url: \"http://{address}/v1\", api_key: key-{name}, responses: false}}\n"
        )
    };
    let claude = address("claude");
    let base = format!(
        "timeouts: {{connect: 1s, first_token: 3s, answer: 4s, idle: 3s, wait: 1s, keepalive: 1s}}\n\
         check_models: false\nreload: on_request\nupstreams:\n{}{}\
         \x20 claude: {{provider: anthropic, base_url: \"http://{claude}/v1\", api_key: key-claude}}\n",
        chats("steady"),
        chats("moody"),
    );
    let routes = |more: &str| {
        format!(
            "routes:\n  - {{models: [mixed], candidates: [{{upstream: moody, tier: 0}}, {more}{{upstream: claude, tier: 1}}, \
             {{upstream: steady, tier: 2}}]}}\n\
             \x20 - {{models: [claude], candidates: [{{upstream: claude}}, {{upstream: steady}}]}}\n\
             \x20 - {{models: [alone], candidates: [{{upstream: moody}}]}}\n"
        )
    };
    [
        format!("{base}{}", routes("")),
        format!(
            "{base}{}{}",
            chats("spare"),
            routes("{upstream: spare, tier: 0}, ")
        ),
    ]
}
