//! The official SDKs' own tests of every operation, directly and through the gateway: all pass in both ways, and every
//! request arrives as it was sent.
//! The tests come with the packages' sources. The tests themselves define what their upstream answers, see
//! `tests/sdk/suites`.
//! `tests/sdk/suites`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::install::{NODE, PYTHON, install_node, python_with, sdk_folder, sources, succeed};
use super::journal::{Received, Recorder, compare};
use super::{BUSY, run};
use crate::harness::{RealPace, TestGateway};

const ANTHROPIC: &str = "2.12.0";
const TOOLS: [&str; 7] = [
    "pytest==9.2.0",
    "pytest-asyncio==1.5.0",
    "rich==15.0.0",
    "inline-snapshot==0.36.1",
    "http-snapshot==0.1.9",
    "respx==0.23.1",
    "standardwebhooks==1.1.0",
];
/// Every operation is tested ten times or more, with every client and way to read; these are the tests with one of them.
const ONE_WAY: &str = "strict and test_method and not Async";
const ALL: &str = "";
const KEY: &str = "key-of-the-gateway";

static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();

struct Suite {
    sdk: &'static str,
    version: &'static str,
    provider: &'static str,
    /// Behind the address that its clients use.
    base: &'static str,
    /// What its configuration of pytest needs.
    options: &'static [&'static str],
}

const OPENAI_SUITE: Suite = Suite {
    sdk: "openai",
    version: PYTHON,
    provider: "openai-compatible",
    base: "/v1",
    options: &[],
};

const ANTHROPIC_SUITE: Suite = Suite {
    sdk: "anthropic",
    version: ANTHROPIC,
    provider: "anthropic",
    base: "",
    options: &["-p", "tests._alias_httpx"],
};

#[tokio::test]
async fn the_tests_of_openais_python_package_pass_through_the_gateway() {
    OPENAI_SUITE.pass(ONE_WAY).await;
}

#[tokio::test]
async fn the_tests_of_anthropics_python_package_pass_through_the_gateway() {
    ANTHROPIC_SUITE.pass(ONE_WAY).await;
}

#[tokio::test]
#[ignore = "the same operations with every client and way to read take minutes"]
async fn all_tests_of_the_python_packages_pass_through_the_gateway() {
    OPENAI_SUITE.pass(ALL).await;
    ANTHROPIC_SUITE.pass(ALL).await;
}

#[tokio::test]
async fn every_operation_of_the_node_package_arrives_through_the_gateway() {
    let script = install_node(NODE, "walk.mjs").await;
    let answers = sdk_folder().join("suites/answers.json");
    let walk = async |base_url: String| {
        let arguments = [
            script.as_os_str(),
            OsStr::new(&base_url),
            answers.as_os_str(),
        ];
        run("node", &arguments, "").await
    };
    let both = Both::start("openai-compatible").await;
    let direct = walk(format!("{}/v1", both.direct())).await;
    let through = walk(both.gateway.url("/v1")).await;
    assert_eq!(direct, through);
    let arrived = both.compare().await;
    assert!(!direct.contains("Error"), "{direct}");
    assert!(arrived > 380, "{arrived}");
}

impl Suite {
    /// Runs the tests that this expression selects, in both ways at once.
    #[expect(clippy::print_stdout, reason = "figures for those who ask")]
    async fn pass(&self, selected: &str) {
        let python = INSTALLED.get_or_init(install).await;
        let folder = sources(python, self.sdk, self.version).await;
        let _alone = BUSY.write().await;
        let _pace = RealPace::keep();
        let both = Both::start(self.provider).await;
        let (direct, through) = tokio::join!(
            self.pytest(python, &folder, selected, both.direct()),
            self.pytest(python, &folder, selected, both.gateway.url(""))
        );
        assert_eq!(passed(&direct), passed(&through));
        let arrived = both.compare().await;
        println!("{}: {arrived} requests", self.sdk);
        println!("  directly: {}", last_line(&direct));
        println!("  through the gateway: {}", last_line(&through));
        assert!(arrived > 600, "{arrived}");
    }

    async fn pytest(&self, python: &Path, folder: &Path, selected: &str, url: String) -> String {
        let mut command = Command::new(python);
        command
            .current_dir(folder)
            .args(["-m", "pytest", "-q", "-o", "addopts=--tb=short"])
            .args(["-p", "no:cacheprovider", "-p", "answers"])
            .args(self.options)
            .args(["-k", selected, "tests/api_resources"])
            .env("PYTHONPATH", sdk_folder().join("suites"))
            // Half of the time would go into compiling the tests again and again.
            .env("PYTHONPYCACHEPREFIX", folder.join("compiled"))
            .env_remove("PYTHONDONTWRITEBYTECODE")
            .env("SDK", self.sdk)
            .env("TEST_API_BASE_URL", url + self.base);
        succeed(command, "").await
    }
}

/// Both packages, once for all tests.
async fn install() -> PathBuf {
    let sdks = [
        format!("openai[aiohttp]=={PYTHON}"),
        format!("anthropic[aiohttp]=={ANTHROPIC}"),
    ];
    let packages: Vec<&str> = sdks.iter().map(String::as_str).chain(TOOLS).collect();
    python_with("suites", &packages).await
}

/// How many tests passed and were skipped, in pytest's last line without the time.
fn passed(printed: &str) -> &str {
    last_line(printed).split(" in ").next().unwrap_or("")
}

fn last_line(printed: &str) -> &str {
    printed.lines().last().unwrap_or("")
}

/// Two recorders, the second behind a gateway.
struct Both {
    direct: Recorder,
    behind: Recorder,
    gateway: TestGateway,
}

impl Both {
    async fn start(provider: &str) -> Self {
        let (direct, behind) = (Recorder::start().await, Recorder::start().await);
        let gateway = TestGateway::start(&format!(
            "upstreams:\n\
             \x20 only: {{provider: {provider}, base_url: \"http://127.0.0.1:{}/v1\", api_key: {KEY}}}\n\
             routes:\n\
             \x20 - {{models: [\"*\"], candidates: [{{upstream: only}}]}}\n",
            behind.port
        ))
        .await;
        Self {
            direct,
            behind,
            gateway,
        }
    }

    fn direct(&self) -> String {
        format!("http://127.0.0.1:{}", self.direct.port)
    }

    async fn compare(self) -> usize {
        let (direct, behind) = (self.direct.journal().await, self.behind.journal().await);
        compare(&direct, &behind, KEY, is_answered_by_the_gateway)
    }
}

/// The gateway answers requests for the list of models itself.
fn is_answered_by_the_gateway(request: &Received) -> bool {
    let path = request.path();
    request.method == "GET" && (path == "/v1/models" || path.starts_with("/v1/models/"))
}
