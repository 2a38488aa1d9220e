//! June 2024 on a fast clock: what ninety days of a provider's average hide, and what clients had of it.

use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use http::Method;
use serde_json::Value;
use tokio::time::{Instant, advance};

use crate::harness::{Setup, TestGateway, chat};

const DAYS: u32 = 90;
/// A request comes each half hour, day and night.
const EVERY: u32 = 30;
const END: u32 = DAYS * 24 * 60;
/// Earlier outages of the ninety days, and the two phases of 3 and 4 June 2024 (23:49 to 04:10 and 07:14 to 10:07), the
/// second of which is not quite over: minutes before the end, and how many minutes each lasted.
const OUTAGES: [(u32, u32); 6] = [
    (70 * 1440, 60),
    (55 * 1440, 60),
    (40 * 1440, 60),
    (20 * 1440, 60),
    (610, 261),
    (170, 173),
];

fn is_down(minute: u32) -> bool {
    let is_in = |(before_end, lasts): (u32, u32)| {
        let from = END - before_end;
        (from..from + lasts).contains(&minute)
    };
    OUTAGES.into_iter().any(is_in)
}

async fn windows(gateway: &TestGateway) -> Value {
    let answered = gateway.admin("/api/availability").await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    answered.json()
}

#[tokio::test]
async fn june_2024_is_seen_at_every_time_scale_and_clients_do_not_feel_it() {
    let openai = Simulator::start("openai", Script::healthy()).await.unwrap();
    let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
    let gateway = Setup::new()
        .upstream(&openai)
        .upstream(&claude)
        .start()
        .await;
    let start = Instant::now();
    let mut was_down = false;
    let mut failed = 0;
    for minute in (0..END).step_by(EVERY as usize) {
        let due = start + Duration::from_secs(60) * minute;
        advance(due.saturating_duration_since(Instant::now())).await;
        if is_down(minute) != was_down {
            was_down = !was_down;
            let script = if was_down {
                Script::status(503)
            } else {
                Script::healthy()
            };
            openai.play(script).await;
        }
        // Half an hour later, a connection that was kept would be gone.
        let headers = [
            ("content-type", "application/json"),
            ("connection", "close"),
        ];
        let path = "/v1/chat/completions";
        let answered = gateway
            .send(Method::POST, path, &headers, chat().to_string())
            .await;
        failed += usize::from(answered.status != 200);
    }
    assert_eq!(failed, 0);

    let said = windows(&gateway).await;
    let provider = &said["upstreams"][0];
    assert_eq!(provider["name"], "openai");
    let by_time = |window: &str| provider["windows"][window]["by_time"].as_f64().unwrap();
    let ninety = by_time("90d");
    assert!((99.3..99.5).contains(&ninety), "{ninety}: {provider:#}");
    assert!(by_time("24h") < 75.0, "{provider:#}");
    assert!(by_time("1h") < 20.0, "{provider:#}");
    let clients = &said["clients"]["90d"];
    assert_eq!(clients["requests"], END / EVERY, "{clients:#}");
    assert_eq!(
        (&clients["failed"], &clients["by_time"]),
        (&0.into(), &100.0.into())
    );
    // Whoever was saved is counted, also where the provider was not even asked.
    let down = (0..END)
        .step_by(EVERY as usize)
        .filter(|minute| is_down(*minute))
        .count();
    let saved = clients["saved"].as_u64().unwrap();
    assert!(saved >= down as u64, "{saved} of {down}");
    let elsewhere = claude.received_count() as u64;
    assert_eq!(saved, elsewhere);
}
