//! `backstop import`: what it makes of another program's file is checked, and served.

use std::path::Path;

use backstop::simulator::{Received, Script, Simulator};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use super::{Running, SERVE, address, backstop, finish};

/// The variables that the examples name, and what is in them.
const VARIABLES: [(&str, &str); 6] = [
    ("OPENAI_API_KEY", "sk-openai"),
    ("AZURE_API_KEY_EU", "key-of-eu"),
    ("AZURE_API_KEY_CA", "key-of-ca"),
    ("HOUSE_KEY", "key-of-house"),
    ("LITELLM_MASTER_KEY", "sk-master-1234"),
    ("SLACK_WEBHOOK_URL", "http://127.0.0.1:9/hook"),
];

/// Simulators in place of the servers of an example.
struct Servers(Vec<Simulator>);

impl Servers {
    /// The first ones fail.
    async fn start(failing: usize) -> Self {
        let mut all = Vec::new();
        for (index, name) in ["first", "second", "third"].into_iter().enumerate() {
            let script = match index < failing {
                true => Script::status(500),
                false => Script::answer(name),
            };
            all.push(Simulator::start(name, script).await.unwrap());
        }
        Self(all)
    }

    /// What clients' requests came to one of them; the program itself asks for models when it starts.
    fn asked(&self, index: usize) -> Vec<Received> {
        let mut received = self.0[index].received();
        received.retain(|request| request.method == "POST");
        received
    }
}

/// Imports an example into `backstop.yaml`, which `check` finds good; returns the result and what was said about it.
async fn import(folder: &Path, example: &str, servers: &Servers) -> (String, String) {
    let mut text = example.to_owned();
    for (name, server) in ["FIRST", "SECOND", "THIRD"].iter().zip(&servers.0) {
        text = text.replace(name, &format!("http://{}", server.address()));
    }
    std::fs::write(folder.join("config.yaml"), text).unwrap();
    let importing = backstop(folder, &["import", "litellm", "config.yaml"]);
    let (code, stdout, stderr) = finish(importing).await;
    assert_eq!(code, Some(0), "{stderr}{stdout}");
    std::fs::write(folder.join("backstop.yaml"), &stdout).unwrap();
    let mut checking = backstop(folder, &["check"]);
    checking.envs(VARIABLES);
    let (code, checked, problems) = finish(checking).await;
    assert_eq!(code, Some(0), "{problems}{stdout}{checked}");
    (stdout, stderr)
}

/// The program with what was imported, and its clients' address.
async fn serve(folder: &Path) -> (Running, String) {
    let mut command = backstop(folder, &SERVE);
    command.envs(VARIABLES).env("HOME", folder);
    let mut running = Running::start(command);
    let clients = address(&running.logged("OPENAI_BASE_URL=http://").await);
    (running, clients)
}

async fn ask(clients: &str, model: &str, key: &str) -> (u16, String) {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
    let request = http::Request::post(format!("http://{clients}/v1/chat/completions"))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status.as_u16(),
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[tokio::test]
async fn an_imported_model_falls_back_as_it_did() {
    let servers = Servers::start(2).await;
    let folder = tempfile::tempdir().unwrap();
    let example = include_str!("../../fixtures/litellm/fallbacks.yaml");
    let (_, said) = import(folder.path(), example, &servers).await;
    for key in ["num_retries", "allowed_fails", "cooldown_time"] {
        assert!(
            said.contains(&format!("litellm_settings.{key}: ")),
            "{said}"
        );
    }
    let (mut running, clients) = serve(folder.path()).await;
    let (status, answer) = ask(&clients, "zephyr-beta", "any").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("third"), "{answer}");
    for zephyr in 0..2 {
        let asked = &servers.asked(zephyr)[0];
        assert_eq!(asked.path, "/v1/chat/completions");
        assert_eq!(asked.model().unwrap(), "HuggingFaceH4/zephyr-7b-beta");
        assert_eq!(asked.header("authorization"), Some("Bearer hf-any"));
    }
    let asked = &servers.asked(2)[0];
    assert_eq!(asked.model().unwrap(), "gpt-3.5-turbo");
    assert_eq!(asked.header("authorization"), Some("Bearer sk-openai"));
    assert_eq!(running.terminate().await, Some(0));
}

#[tokio::test]
async fn imported_deployments_of_azure_are_asked_in_their_order() {
    let servers = Servers::start(1).await;
    let folder = tempfile::tempdir().unwrap();
    let example = include_str!("../../fixtures/litellm/azure.yaml");
    let (_, said) = import(folder.path(), example, &servers).await;
    for left_out in ["sagemaker", "redis_host", "model_info.base_model (gpt-4o)"] {
        assert!(said.contains(left_out), "{left_out}: {said}");
    }
    let (mut running, clients) = serve(folder.path()).await;
    // The alias.
    let (status, answer) = ask(&clients, "gpt-4", "any").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("second"), "{answer}");
    for (server, deployment, key) in [(0, "gpt-4o-eu", "key-of-eu"), (1, "gpt-4o-ca", "key-of-ca")]
    {
        let asked = &servers.asked(server)[0];
        let path =
            format!("/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21");
        assert_eq!(asked.path, path);
        assert_eq!(asked.header("api-key"), Some(key));
    }
    assert_eq!(running.terminate().await, Some(0));
}

#[tokio::test]
async fn an_imported_master_key_lets_clients_in_and_a_pattern_passes_names_on() {
    let servers = Servers::start(0).await;
    let folder = tempfile::tempdir().unwrap();
    let example = include_str!("../../fixtures/litellm/team.yaml");
    let (text, said) = import(folder.path(), example, &servers).await;
    assert!(!said.contains("a-secret-password"), "{said}");
    assert!(text.contains("format: slack"), "{text}");
    for left_out in [
        "temperature (local)",
        "success_callback",
        "database_url",
        "drop_params",
    ] {
        assert!(said.contains(left_out), "{left_out}: {said}");
    }
    let (mut running, clients) = serve(folder.path()).await;
    assert_eq!(ask(&clients, "vllm-models", "another-key").await.0, 401);
    assert!((0..3).all(|server| servers.asked(server).is_empty()));
    for (model, server, asked_for) in [
        ("vllm-models", 0, "facebook/opt-125m"),
        ("local", 1, "mistral"),
        ("any-other", 1, "any-other"),
    ] {
        let before = servers.asked(server).len();
        let (status, answer) = ask(&clients, model, "sk-master-1234").await;
        assert_eq!(status, 200, "{model}: {answer}");
        let received = servers.asked(server);
        assert_eq!(received.len(), before + 1, "{model}");
        let asked = received.last().unwrap();
        assert_eq!(asked.model().unwrap(), asked_for);
        assert!(!format!("{:?}", asked.headers).contains("sk-master"));
    }
    assert_eq!(running.terminate().await, Some(0));
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_is_an_error_that_repeats_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), "key: [sk-very-secret").unwrap();
    for (file, why) in [
        ("config.yaml", "not valid YAML"),
        ("missing.yaml", "cannot be read"),
        ("/dev/zero", "is longer than 16 MiB"),
    ] {
        let importing = backstop(folder.path(), &["import", "litellm", file]);
        let (code, stdout, stderr) = finish(importing).await;
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains(why) && stderr.contains(file), "{stderr}");
        assert!(!stderr.contains("secret"), "{stderr}");
    }
}

#[tokio::test]
async fn a_file_that_an_editor_on_windows_has_marked_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let model = "{model_name: a, litellm_params: {model: openai/gpt-4o}}";
    let text = format!("\u{feff}model_list:\r\n  - {model}\r\n");
    std::fs::write(folder.path().join("config.yaml"), text).unwrap();
    let importing = backstop(folder.path(), &["import", "litellm", "config.yaml"]);
    let (code, stdout, stderr) = finish(importing).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("models: [a]"), "{stdout}");
}
