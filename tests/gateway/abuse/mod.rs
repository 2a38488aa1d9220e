//! Malicious requests and replies. They must not affect any other client.

mod http2;
mod replies;
mod requests;

use backstop::simulator::{Script, Simulator};

use crate::harness::{TestGateway, chat, chat_text};

const CHAT: &str = "/v1/chat/completions";
/// A path that occurs only in a smuggled request.
const HIDDEN: &str = "/v1/hidden";

/// A gateway with short connections, and its upstream.
struct Stage {
    gateway: TestGateway,
    upstream: Simulator,
}

impl Stage {
    async fn start() -> Self {
        let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
        let yaml = format!(
            "upstreams: {{only: {{provider: openai-compatible, base_url: \"{}\"}}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: only}}]}}]\n\
             limits: {{idle_connection: 700ms, write: 700ms, headers: 16KiB, body: 1MiB}}\n\
             timeouts: {{idle: 700ms}}\n",
            upstream.base_url()
        );
        Self {
            gateway: TestGateway::start(&yaml).await,
            upstream,
        }
    }

    /// Well-behaved clients are served as before, and the upstream is not blamed.
    async fn is_unharmed(&self) {
        for _ in 0..3 {
            let answered = self.gateway.post(CHAT, &chat()).await;
            assert_eq!(chat_text(&answered), "Hello from only.");
        }
        let told = self.gateway.admin("/api/upstreams").await.json();
        for scope in told["scopes"].as_array().unwrap() {
            assert_eq!(scope["state"], "closed", "{told}");
        }
    }

    /// The upstream has received this many requests, all well-formed.
    fn upstream_has_got(&self, count: usize) {
        let received = self.upstream.received();
        for request in &received {
            let is_chat = request.path == CHAT;
            let is_known = is_chat || [HIDDEN, "/v1/*"].contains(&request.path.as_str());
            assert!(is_known, "{request:?}");
            if is_chat {
                let body: Result<serde_json::Value, _> = serde_json::from_slice(&request.body);
                assert!(body.is_ok(), "{request:?}");
            }
            assert_eq!(request.header("transfer-encoding"), None, "{request:?}");
        }
        assert_eq!(received.len(), count, "{received:#?}");
    }
}
