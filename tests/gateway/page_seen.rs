//! The operators' page in a real browser: before, in and after an outage, on a phone, by keyboard, without a connection.
//!
//! Pictures of it are left in `target/tmp/page`. Those of the manual are made by the same test where `BACKSTOP_PICTURES` is
//! set; they go to `.github/pictures`.

use std::path::{Path, PathBuf};

use backstop::config::Config;
use backstop::event::{Event, HealthChange};
use backstop::simulator::{Script, Simulator};
use serde_json::Value;

use crate::chromium::Tab;
use crate::harness::{Setup, TestGateway, chat};

const CHAT: &str = "/v1/chat/completions";
const TOKEN: &str = "the-token-of-the-operators";
const PHONE: u32 = 360;
const DESK: u32 = 1200;
/// Figures of ninety days, as the interface would give them.
const PAST: &str = include_str!("../browser/past.js");

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page/{name}.png"))
}

struct Scene {
    openai: Simulator,
    claude: Simulator,
    gateway: TestGateway,
    page: String,
}

impl Scene {
    async fn set() -> Self {
        let openai = Simulator::start("openai", Script::healthy()).await.unwrap();
        let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
        let yaml = Setup::new()
            .upstream(&openai)
            .upstream(&claude)
            .route(
                &["gpt-4o", "gpt-4o-mini"],
                &["openai", "claude, model: claude-sonnet-4-5"],
            )
            .route(&["claude-*"], &["claude"])
            .yaml();
        let yaml = format!(
            "listen: 127.0.0.1:0\nadmin: {{listen: \"127.0.0.1:0\", token: {TOKEN}}}\n{yaml}"
        );
        let config = Config::parse("test", &yaml, &|_| None);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let gateway = TestGateway::start_by(&config).await;
        let page = format!("http://{}/", gateway.gateway.admin_address());
        Self {
            openai,
            claude,
            gateway,
            page,
        }
    }

    async fn ask(&self, times: usize) {
        for _ in 0..times {
            assert_eq!(self.gateway.post(CHAT, &chat()).await.status, 200);
        }
    }

    async fn heal(&self) {
        self.openai.play(Script::healthy()).await;
        let is_healed =
            |event: &Event| matches!(event, Event::HealthChanged(HealthChange::Healed { .. }));
        for _ in 0..10_000 {
            self.ask(1).await;
            if self.gateway.events.all().iter().any(is_healed) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("it does not heal");
    }
}

#[tokio::test]
async fn the_page_through_an_outage() {
    let scene = Scene::set().await;
    let mut tab = Tab::start().await;
    tab.look(DESK, false).await;
    tab.open(&scene.page).await;
    tab.shows("All upstreams are well.").await;
    tab.shows("No requests in the last 5 minutes.").await;
    tab.shows("90 days").await;
    assert!(tab.text().await.contains("no data"));
    tab.picture(&file("no-data")).await;

    scene.ask(30).await;
    tab.shows("Clients felt nothing: 0 of 30 requests failed")
        .await;
    tab.picture(&file("healthy")).await;

    scene.openai.play(Script::status(503)).await;
    scene.gateway.ask_until_out(&chat()).await;
    scene.ask(5).await;
    tab.shows("(503 overloaded). claude answers instead.").await;
    tab.shows("Clients felt nothing: 0 of").await;
    assert_eq!(tab.value("document.title").await, "▲ backstop: covered");
    tab.picture(&file("outage")).await;
    tab.look(PHONE, false).await;
    tab.picture(&file("outage-phone")).await;
    let width = tab.value("document.documentElement.scrollWidth").await;
    assert_eq!(width, PHONE, "nothing sticks out");
    tab.look(DESK, true).await;
    tab.picture(&file("outage-dark")).await;

    scene.heal().await;
    tab.shows("is coming back").await;
    tab.look(DESK, false).await;
    tab.picture(&file("after")).await;
    assert!(tab.complaints().is_empty(), "{:#?}", tab.complaints());
}

#[tokio::test]
async fn an_upstream_is_taken_out_on_the_page() {
    let scene = Scene::set().await;
    let mut tab = Tab::start().await;
    tab.look(DESK, false).await;
    tab.open(&scene.page).await;
    tab.shows("Take openai out").await;
    tab.value("document.getElementById('switch-openai').click()")
        .await;
    tab.shows("Nothing is sent to it until it is put back")
        .await;
    tab.picture(&file("dialog")).await;
    let confirm = |token: &str| {
        format!(
            "document.getElementById('token').value = '{token}'; document.getElementById('confirm').click()"
        )
    };
    tab.value(&confirm("another")).await;
    tab.shows("the token is not the one of `admin`").await;
    scene.ask(1).await;
    assert_eq!(scene.openai.received_count(), 1, "nothing has happened");

    tab.value(&confirm(TOKEN)).await;
    tab.shows("openai is taken out by hand").await;
    tab.until("!document.getElementById('dialog').open").await;
    scene.ask(3).await;
    assert_eq!(
        (scene.openai.received_count(), scene.claude.received_count()),
        (1, 3)
    );
    tab.shows("Put openai back").await;
    tab.picture(&file("taken-out")).await;
    assert!(tab.complaints().is_empty(), "{:#?}", tab.complaints());
}

#[tokio::test]
async fn old_figures_are_not_shown_as_live_ones() {
    let scene = Scene::set().await;
    scene.ask(1).await;
    let mut tab = Tab::start().await;
    tab.look(DESK, false).await;
    tab.open(&scene.page).await;
    tab.shows("All upstreams are well.").await;
    tab.shows("live").await;
    scene.gateway.gateway.drain().await;
    tab.shows("Connection lost since").await;
    tab.shows("Unknown: the connection is lost.").await;
    assert_eq!(tab.value("document.title").await, "? backstop: lost");
    tab.picture(&file("lost")).await;
}

#[tokio::test]
async fn ninety_days_are_there_for_pointer_keyboard_and_screen_reader() {
    let scene = Scene::set().await;
    scene.ask(20).await;
    scene.openai.play(Script::status(503)).await;
    scene.gateway.ask_until_out(&chat()).await;
    scene.ask(20).await;
    let mut tab = Tab::start().await;
    tab.prepare(PAST).await;
    tab.look(DESK, false).await;
    tab.open(&scene.page).await;
    tab.shows("claude answers instead.").await;
    tab.shows("99.9999 %").await;
    let rounded = "99.99990000000001";
    assert!(!tab.text().await.contains(rounded));
    let lost = "bar({by_requests: null, by_time: 100}, 0)[1]";
    assert_eq!(tab.value(lost).await, Value::Null, "others answered all");
    assert_eq!(tab.value("share(57, 100)").await, "57 %");

    let press = |key: &str| {
        format!(
            "document.getElementById('bars').focus(); document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))"
        )
    };
    let spoken = "document.getElementById('bars').getAttribute('aria-valuetext')";
    let today = tab.value(spoken).await;
    tab.value(&press("ArrowLeft")).await;
    let yesterday = tab.value(spoken).await;
    assert_ne!(today, yesterday);
    tab.value(&press("Home")).await;
    let first = tab.value(spoken).await;
    assert!(
        first.as_str().unwrap().contains("openai no data"),
        "{first}"
    );
    tab.value(&press("End")).await;

    let nodes = tab.spoken().await;
    let has = |role: &str, name: &str| {
        let mut nodes = nodes.iter();
        nodes.any(|(one, other)| (role.is_empty() || one == role) && other.contains(name))
    };
    for (role, name) in [
        ("main", ""),
        ("navigation", "Sections"),
        ("heading", "is down"),
        ("heading", "Availability"),
        ("slider", "Availability, 90 days"),
        ("table", ""),
        ("columnheader", "By requests"),
        ("rowheader", "openai"),
        ("", "Time to first token by hour"),
        ("button", "Take openai out"),
        ("status", ""),
    ] {
        assert!(has(role, name), "{role} {name}: {nodes:#?}");
    }
    pictures(&mut tab).await;
    assert!(tab.complaints().is_empty(), "{:#?}", tab.complaints());
}

async fn pictures(tab: &mut Tab) {
    let folder = match std::env::var_os("BACKSTOP_PICTURES") {
        Some(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/pictures"),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("page"),
    };
    for (name, width, is_dark) in [
        ("page", DESK, false),
        ("page-dark", DESK, true),
        ("page-phone", PHONE, false),
    ] {
        tab.look(width, is_dark).await;
        let drawn = "document.querySelector('.plot').viewBox.baseVal.width";
        let fits = format!("{drawn} <= document.documentElement.clientWidth");
        tab.until(&fits).await;
        tab.top(&folder.join(format!("{name}.png")), 1250.0).await;
    }
    let plain = tab
        .value("getComputedStyle(document.querySelector('.brand')).display")
        .await;
    assert_ne!(plain, Value::Null);
}
