//! What `check` says, and how the other commands find addresses and files.

use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::Value;
use tokio::net::TcpListener;

use super::{PATIENCE, Running, SERVE, address, backstop, finish};
use crate::harness::{Port, Setup};
use crate::tls::Identity;

/// Two servers, of which only the second one is used; the first one's URL says too much.
const ODD: &str = "\
upstreams:
  first: {provider: ollama, base_url: \"http://127.0.0.1:1/v1/chat/completions\"}
  second: {provider: ollama}
routes:
  - {models: [\"*\"], candidates: [{upstream: second, model: llama3.1}]}
";

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("backstop.yaml"), text).unwrap();
}

#[tokio::test]
async fn warnings_are_no_mistakes_unless_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ODD);
    let warned = [
        "line 2",
        "upstreams.first.base_url",
        "write http://127.0.0.1:1/v1",
        "routes[0].candidates",
    ];
    let (code, stdout, stderr) = finish(backstop(folder.path(), &["check"])).await;
    assert_eq!(code, Some(0), "{stderr}");
    for word in warned.iter().chain(&["is good", "warnings"]) {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
    let (code, _, stderr) = finish(backstop(folder.path(), &["check", "--strict"])).await;
    assert_eq!(code, Some(78), "{stderr}");
    for word in warned {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_warned_of_with_the_day_and_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    for (year, warned) in [(2020, true), (4000, false)] {
        let identity = Identity::until(year);
        let (certificate, key) = (identity.certificate_file(), identity.key_file());
        let (certificate, key) = (certificate.display(), key.display());
        let tls = format!("tls: {{cert: \"{certificate}\", key: \"{key}\"}}\n");
        write(folder.path(), &format!("{tls}{ODD}"));
        let (code, stdout, stderr) = finish(backstop(folder.path(), &["check"])).await;
        assert_eq!(code, Some(0), "{stderr}");
        let said = format!(
            "tls.cert: the certificate in {certificate} has expired (2020-01-01T00:00:00Z)"
        );
        assert_eq!(stdout.contains(&said), warned, "{stdout}");
        assert_eq!(stdout.contains("put a renewed one in its place"), warned);
    }
}

/// What would prevent the start, or a reload, is no good configuration.
#[tokio::test]
async fn certificates_that_cannot_be_used_are_mistakes() {
    let (ours, other) = (Identity::new(), Identity::new());
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, "no certificate").unwrap();
    let (certificate, key) = (ours.certificate_file(), ours.key_file());
    let (certificate, key) = (certificate.display(), key.display());
    let (broken, other) = (broken.display(), other.key_file().display().to_string());
    let house = |more: String| {
        format!(
            "upstreams: {{house: {{provider: vllm, base_url: \"https://127.0.0.1:1/v1\", {more}}}}}\n"
        )
    };
    let listener = |key: &dyn Display| {
        format!(
            "tls: {{cert: \"{certificate}\", key: \"{key}\"}}\n{}",
            house(String::new())
        )
    };
    let shown = |key: &dyn Display| {
        house(format!(
            "client_cert: \"{certificate}\", client_key: \"{key}\""
        ))
    };
    let mismatch =
        format!("the key in {other} does not belong to the certificate in {certificate}");
    let shared = format!("shared: {{redis: \"rediss://127.0.0.1:1\", ca_file: \"{broken}\"}}\n");
    for (config, mistake) in [
        (listener(&key), None),
        (shown(&key), None),
        (listener(&other), Some(format!("tls: {mismatch}"))),
        (shown(&other), Some(format!("upstreams.house: {mismatch}"))),
        (
            house(format!("ca_file: \"{broken}\"")),
            Some(format!("upstreams.house: {broken}: no certificate in it")),
        ),
        (
            shared + &house(String::new()),
            Some(format!("shared: {broken}: no certificate in it")),
        ),
    ] {
        let routes = "routes: [{models: [\"*\"], candidates: [{upstream: house}]}]\n";
        write(folder.path(), &(config + routes));
        let (code, stdout, stderr) = finish(backstop(folder.path(), &["check"])).await;
        let is_good = mistake.is_none();
        assert_eq!(code, Some(if is_good { 0 } else { 78 }), "{stderr}");
        assert_eq!(stdout.contains("is good"), is_good, "{stdout}");
        let mistake = mistake.unwrap_or_default();
        assert!(stderr.contains(&mistake), "{mistake}: {stderr}");
    }
}

/// A key goes in on standard input, and its digest alone comes out and stands in the file.
#[tokio::test]
async fn a_key_is_hashed_and_one_that_expires_soon_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let endless = "a".repeat(70_000);
    for (input, code, output) in [
        ("abc\n", 0, digest),
        ("\n", 1, ""),
        ("a b", 1, ""),
        (&endless, 1, ""),
    ] {
        let path = folder.path().join("input");
        std::fs::write(&path, input).unwrap();
        let mut command = backstop(folder.path(), &["hash-key"]);
        command.stdin(File::open(&path).unwrap());
        let (exit, stdout, stderr) = finish(command).await;
        assert_eq!((exit, stdout.trim()), (Some(code), output), "{stderr}");
    }
    let clients = format!(
        "clients: [{{name: anna, key_sha256: {digest}, expires: 2020-01-31, models: [other]}}]\n"
    );
    write(
        folder.path(),
        &ODD.replace("\"*\"", "llama3.1")
            .replace("routes:", &(clients + "routes:")),
    );
    let (code, stdout, stderr) = finish(backstop(folder.path(), &["check"])).await;
    assert_eq!(code, Some(0), "{stderr}");
    for word in [
        "clients[0].expires: the key has expired",
        "clients[0].models[0]: `other`",
    ] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
    write(
        folder.path(),
        &ODD.replace(
            "routes:",
            "clients: [{name: anna, key_sha256: the-key-itself}]\nroutes:",
        ),
    );
    let (code, _, stderr) = finish(backstop(folder.path(), &["check"])).await;
    assert_eq!(code, Some(78));
    assert!(
        stderr.contains("clients[0].key_sha256: is no SHA-256 digest"),
        "{stderr}"
    );
    assert!(!stderr.contains("the-key-itself"), "{stderr}");
}

#[tokio::test]
async fn warnings_are_logged_once_and_a_reload_says_whether_anything_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ODD);
    let mut running = Running::start(backstop(folder.path(), &SERVE));
    let warned = running.logged("upstreams.first.base_url").await;
    assert!(warned.contains("write http://127.0.0.1:1/v1"), "{warned}");
    running.logged("serving clients").await;
    running.signal("-HUP").await;
    let before = running
        .log_until("nothing has changed in the configuration")
        .await;
    assert!(!before.contains("upstreams.first"), "{before}");

    write(folder.path(), &ODD.replace("llama3.1", "llama3.3"));
    running.signal("-HUP").await;
    let before = running.log_until("serving by the new configuration").await;
    assert_eq!(
        before.matches("upstreams.first.base_url").count(),
        1,
        "{before}"
    );
    assert_eq!(running.terminate().await, Some(0));
}

#[tokio::test]
async fn live_upstreams_are_asked_for_their_models_and_nothing_else() {
    let well = Simulator::start("well", Script::healthy()).await.unwrap();
    let refusing = Script::status(401).with_only_key("sk-a-very-secret-key-9876");
    let refusing = Simulator::start("refusing", refusing).await.unwrap();
    let gone = Simulator::start("gone", Script::fault(Fault::Refuse))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let all = |more: &str| {
        let (well, refusing) = (well.base_url(), refusing.base_url());
        format!(
            "upstreams:\n  well: {{provider: openai-compatible, base_url: \"{well}\"}}\n  \
             refusing: {{provider: openai-compatible, base_url: \"{refusing}\", api_keys: [sk-good-good-good-1234, sk-a-very-secret-key-9876]}}\n{more}\
             routes:\n  - {{models: [well-model], candidates: [{{upstream: well}}, {{upstream: refusing, model: refusing-modle}}]}}\n"
        )
    };
    let more = format!(
        "  gone: {{provider: openai-compatible, base_url: \"{}\"}}\n",
        gone.base_url()
    );
    write(folder.path(), &all(&more));
    let (code, stdout, stderr) = finish(backstop(folder.path(), &["check", "--live"])).await;
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let live = stdout.split("\nlive").nth(1).unwrap();
    assert!(
        live.lines().all(|line| line.chars().count() <= 80),
        "{live}"
    );
    let words = live.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "ok well has well-model",
        "!! refusing refuses key 2 (****9876) (401)",
        "fix: put a valid key in upstreams.refusing.api_keys[1]",
        "!! refusing does not list refusing-modle fix: did you mean `refusing-model`?",
        "!! gone nobody listens at http://127.0.0.1:",
        "upstreams.gone.base_url",
    ] {
        assert!(words.contains(told), "{told}: {live}");
    }
    assert!(!stdout.contains("secret-key"), "{stdout}");
    assert!(stderr.contains("3 things are not well"), "{stderr}");
    for asked in well.received().iter().chain(&refusing.received()) {
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str()),
            ("GET", "/v1/models")
        );
    }
    assert_eq!(gone.received_count(), 0);

    let mended = all("")
        .replace("modle", "model")
        .replace(", sk-a-very-secret-key-9876", "");
    write(folder.path(), &mended);
    let (code, stdout, stderr) = finish(backstop(folder.path(), &["check", "--live"])).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(!stdout.contains("!!"), "{stdout}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_no_check_up() {
    let hanging = Simulator::start("hanging", Script::fault(Fault::Hang))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().upstream(&hanging);
    write(
        folder.path(),
        &(setup.yaml() + "timeouts: {connect: 100ms, first_token: 200ms, headers: 100ms}\n"),
    );
    let (code, stdout, stderr) = finish(backstop(folder.path(), &["check", "--live"])).await;
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let words = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("lists no models within 200ms"), "{stdout}");
}

#[tokio::test]
async fn a_busy_port_names_its_holder_and_the_way_out() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "upstreams: {a: {provider: ollama}}\nroutes: [{models: [\"*\"], candidates: [{upstream: a}]}]\n",
    );
    let free = "127.0.0.1:0";
    for (listen, admin, option) in [
        (&*port, free, "--listen 127.0.0.1:0"),
        (free, &*port, "--admin-listen 127.0.0.1:0"),
    ] {
        let arguments = ["--listen", listen, "--admin-listen", admin];
        let (code, _, stderr) = finish(backstop(folder.path(), &arguments)).await;
        assert_eq!(code, Some(1), "{stderr}");
        let process = format!("(process {})", std::process::id());
        for told in [&format!("127.0.0.1:{port}"), &process, option] {
            assert!(stderr.contains(told), "{told}: {stderr}");
        }
    }
}

#[tokio::test]
async fn whoever_asks_a_proxy_finds_its_address_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    // The keys are missing where the question is asked.
    let text = |admin: &str| {
        format!(
            "listen: 0\nadmin: {{listen: \"{admin}\"}}\nupstreams: {{a: {{provider: openai, api_key: \"${{KEY}}\"}}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: a}}]}}]\n"
        )
    };
    write(folder.path(), &text("0"));
    let mut serve = backstop(folder.path(), &["serve"]);
    serve.env("KEY", "sk-any").env("HOME", folder.path());
    let mut running = Running::start(serve);
    let admin = address(&running.logged("serving operators: http://").await);
    write(folder.path(), &text(&admin));
    for arguments in [&["healthcheck"][..], &["explain", "--model", "gpt-4o"]] {
        let (code, _, stderr) = finish(backstop(folder.path(), arguments)).await;
        assert_eq!(code, Some(0), "{stderr}");
    }
    std::fs::rename(
        folder.path().join("backstop.yaml"),
        folder.path().join("mine.yaml"),
    )
    .unwrap();
    let mut elsewhere = backstop(folder.path(), &["healthcheck"]);
    elsewhere.env("BACKSTOP_CONFIG", "mine.yaml");
    assert_eq!(finish(elsewhere).await.0, Some(0));
    assert_eq!(running.terminate().await, Some(0));
}

/// A script can tell a proxy that is not well from one that cannot be asked.
#[tokio::test]
async fn a_configuration_that_is_wrong_or_missing_is_told_by_the_exit_code_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "admin: {listen: nowhere}\n");
    for (arguments, expected) in [
        (&["status"][..], 2),
        (&["status", "--watch"][..], 2),
        (&["explain", "--model", "gpt-4o"][..], 78),
        (&["report"][..], 78),
        (&["incidents"][..], 78),
        (&["healthcheck"][..], 1),
    ] {
        for file in ["backstop.yaml", "missing.yaml"] {
            let mut command = backstop(folder.path(), arguments);
            command.env("BACKSTOP_CONFIG", file);
            let (code, stdout, stderr) = finish(command).await;
            assert_eq!(code, Some(expected), "{arguments:?} {file}: {stderr}");
            assert!(stderr.contains(file), "{arguments:?}: {stderr}");
            assert_eq!(stdout, "", "{arguments:?} {file}");
        }
    }
}

/// No route names a model then, and every model goes somewhere.
#[tokio::test]
async fn without_a_configuration_upstreams_are_asked_for_their_models() {
    let nobody = Port::reserve();
    let proxy = format!("http://{}", nobody.address());
    let folder = tempfile::tempdir().unwrap();
    let mut command = backstop(folder.path(), &SERVE);
    command
        .env("OPENAI_API_KEY", "sk-any")
        .env("ANTHROPIC_API_KEY", "sk-any");
    command.env("HTTPS_PROXY", proxy).env("HOME", folder.path());
    let mut running = Running::start(command);
    let clients = address(&running.logged("OPENAI_BASE_URL=http://").await);
    let get = async || {
        let url = format!("http://{clients}/v1/models").parse().unwrap();
        let client = super::Client::builder(super::TokioExecutor::new())
            .build_http::<super::Full<bytes::Bytes>>();
        tokio::time::timeout(PATIENCE, client.get(url))
            .await
            .unwrap()
            .unwrap()
    };
    let answered = get().await;
    assert_eq!(answered.status(), 200);
    let silent = answered.headers()["x-backstop-unlisted"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        silent.contains("openai") && silent.contains("anthropic"),
        "{silent}"
    );
    let body = super::BodyExt::collect(answered.into_body())
        .await
        .unwrap()
        .to_bytes();
    let list: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(list["data"], serde_json::json!([]));
    running.logged("does not list its models").await;
    assert_eq!(running.terminate().await, Some(0));
}
