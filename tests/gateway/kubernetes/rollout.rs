//! A rolling restart of three replicas under load, as a Deployment makes it.

use std::path::PathBuf;
use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_yaml::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::front::{Front, Nginx, Service};
use super::{configuration, plain, pod, secrets};
use crate::cli::{Running, address, backstop};
use crate::harness::{chat, chat_stream, within};
use crate::load::{Caller, Load, whole};

const KEY: &str = "the-secret-of-client";
const PAUSE: Duration = Duration::from_millis(20);

/// What replicas are made of: the manifests, with addresses of this machine.
struct Template {
    folder: TempDir,
    _secrets: TempDir,
    openai: Simulator,
    claude: Simulator,
    started: usize,
}

/// A pod.
struct Replica {
    running: Running,
    clients: String,
    readiness: String,
}

impl Template {
    async fn new() -> Self {
        let script = |pause| {
            let script = Script::answer("one two three four five six seven eight nine ten");
            script.with_token_delay(Duration::from_millis(pause))
        };
        let openai = Simulator::start("openai", script(30)).await.unwrap();
        // Ten seconds are more than there is until the listener closes.
        let claude = Simulator::start("claude", script(1000)).await.unwrap();
        let (folder, secrets) = (tempfile::tempdir().unwrap(), secrets());
        let at = |provider: &str, upstream: &Simulator| {
            let base_url = upstream.base_url();
            (
                format!("provider: {provider},"),
                format!("provider: {provider}, base_url: \"{base_url}\","),
            )
        };
        let mut text = configuration(secrets.path());
        for (written, here) in [
            at("openai", &openai),
            at("anthropic", &claude),
            (
                "shutdown_delay: 10s".to_owned(),
                "shutdown_delay: 8s".to_owned(),
            ),
        ] {
            assert!(text.contains(&written), "{written}");
            text = text.replace(&written, &here);
        }
        text += "\ncheck_models: false\n";
        std::fs::write(folder.path().join("backstop.yaml"), text).unwrap();
        Self {
            folder,
            _secrets: secrets,
            openai,
            claude,
            started: 0,
        }
    }

    /// The variables of the container, with addresses and folders of this machine.
    fn variables(&self) -> Vec<(String, PathBuf)> {
        let pod = pod();
        let variables = pod["containers"][0]["env"].as_sequence().unwrap().iter();
        let here = |variable: &Value| {
            let name = variable["name"].as_str().unwrap().to_owned();
            let value = match &*name {
                "BACKSTOP_LISTEN" | "BACKSTOP_ADMIN_LISTEN" => PathBuf::from("127.0.0.1:0"),
                "BACKSTOP_CONFIG" => self.folder.path().join("backstop.yaml"),
                "BACKSTOP_STATE_DIR" => self.folder.path().join(self.started.to_string()),
                _ => PathBuf::from(variable["value"].as_str().unwrap_or("default")),
            };
            (name, value)
        };
        variables.map(here).collect()
    }

    /// Starts a replica, and waits until it is ready.
    async fn start(&mut self) -> Replica {
        self.started += 1;
        let mut command = backstop(self.folder.path(), &["serve"]);
        command.envs(self.variables());
        let mut running = Running::start(command);
        let clients = address(&running.logged("OPENAI_BASE_URL=http://").await);
        let operators = address(&running.logged("serving operators: http://").await);
        let pod = pod();
        let probe = &pod["containers"][0]["readinessProbe"]["httpGet"];
        assert_eq!(probe["port"], "operators");
        let replica = Replica {
            readiness: format!("http://{operators}{}", probe["path"].as_str().unwrap()),
            running,
            clients,
        };
        within(replica.turns(true)).await;
        replica
    }
}

impl Replica {
    /// Waits until the probe says that it is ready, or that it is not.
    async fn turns(&self, is_ready: bool) {
        let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        loop {
            let answer = http.get(self.readiness.parse().unwrap()).await;
            let answer = answer.expect("operators are served until the end");
            if (answer.status() == 200) == is_ready {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until it accepts nobody any more.
    async fn closes(&self) {
        while TcpStream::connect(&self.clients).await.is_ok() {
            sleep(PAUSE).await;
        }
    }
}

/// Replaces each of three replicas: a new one, then the old one stops. Meanwhile nobody is failed.
async fn replaces_three(mut front: Front, kept: &[usize]) {
    let spec = plain("Deployment")["spec"].clone();
    assert_eq!(spec["replicas"], 3);
    assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let mut template = Template::new().await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(template.start().await);
    }
    let addresses = |of: &[Replica]| -> Vec<String> {
        of.iter().map(|replica| replica.clients.clone()).collect()
    };
    front.lead_to(&addresses(&replicas)).await;
    let load = Load::start(front.address(), KEY, kept);
    let mut leaving = JoinSet::new();
    let mut long_stream = chat_stream();
    long_stream["model"] = "claude-sonnet-5-5".into();
    for _ in 0..3 {
        replicas.push(template.start().await);
        front.lead_to(&addresses(&replicas)).await;
        let mut old = replicas.remove(0);
        let client = Caller::new(&old.clients, KEY, 0);
        let stream = client.begin(&long_stream).await.unwrap();
        old.running.signal("-TERM").await;
        within(old.turns(false)).await;
        // Nobody has been led elsewhere yet, and whoever comes is served.
        client.ask(&chat()).await.unwrap();
        front.lead_to(&addresses(&replicas)).await;
        leaving.spawn(async move {
            within(old.closes()).await;
            let stream = within(whole(stream, "data: [DONE]")).await;
            let ended = within(old.running.child.wait()).await.unwrap();
            (stream, ended.code())
        });
    }
    for left in within(leaving.join_all()).await {
        assert_eq!(left, (Ok(()), Some(0)));
    }
    let answered = load.end().await;
    assert!(answered > 20, "{answered}");
    assert!(template.openai.received_count() >= answered);
    assert_eq!(template.claude.received_count(), 3);
    for upstream in [&template.openai, &template.claude] {
        assert_eq!(upstream.abandoned(), 0, "{}", upstream.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_a_service_loses_nothing() {
    let service = Service::start().await;
    replaces_three(Front::Service(service), &[0, 1]).await;
}

/// nginx closes the idle connections of its clients when it is reloaded, so these keep none.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_nginx_loses_nothing() {
    if let Some(nginx) = Nginx::find() {
        replaces_three(Front::Nginx(Box::new(nginx)), &[0]).await;
    }
}
