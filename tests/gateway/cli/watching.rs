//! Asking a proxy that goes away, or what is no operators' address.

use backstop::simulator::{Script, Simulator};

use super::{PATIENCE, Running, SERVE, address, backstop, finish};

/// Reads what is drawn until a line has `marker`.
async fn shown(watching: &mut Running, marker: &str) {
    let lines = watching.stdout.as_mut().unwrap();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(marker) {
                return;
            }
        }
        panic!("it ended without {marker:?}")
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
}

#[tokio::test]
async fn the_status_is_drawn_again_and_what_was_known_last_stays() {
    let folder = tempfile::tempdir().unwrap();
    let config = "upstreams: {somebody: {provider: ollama}}\n\
                  routes: [{models: [one], candidates: [{upstream: somebody}]}]\n";
    std::fs::write(folder.path().join("backstop.yaml"), config).unwrap();
    let mut proxy = Running::start(backstop(folder.path(), &SERVE));
    let admin = address(&proxy.logged("serving operators: http://").await);

    let arguments = ["status", "--watch", "--admin-listen", &admin];
    let mut watching = Running::start(backstop(folder.path(), &arguments));
    for _ in 0..2 {
        shown(&mut watching, "somebody").await;
    }
    assert_eq!(proxy.terminate().await, Some(0));
    for marker in ["no backstop answers", "What was known last", "somebody"] {
        shown(&mut watching, marker).await;
    }
    watching.signal("-INT").await;
    let ended = tokio::time::timeout(PATIENCE, watching.child.wait());
    assert_eq!(ended.await.unwrap().unwrap().code(), Some(2));
}

#[tokio::test]
async fn the_status_is_not_drawn_for_a_reader_that_has_gone_away() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["status", "--watch", "--admin-listen", "127.0.0.1:1"];
    let mut watching = Running::start(backstop(folder.path(), &arguments));
    shown(&mut watching, "no backstop answers").await;
    watching.stdout = None;
    let ended = tokio::time::timeout(PATIENCE, watching.child.wait());
    assert_eq!(ended.await.unwrap().unwrap().code(), Some(2));
}

#[tokio::test]
async fn who_asks_at_a_wrong_address_is_told_where_to_say_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    // As the clients' address does, it answers in JSON.
    let other = Simulator::start("other", Script::status(404))
        .await
        .unwrap();
    let admin = other.address().to_string();
    for command in [
        &["report"][..],
        &["incidents"],
        &["status"],
        &["explain", "--model", "gpt-4o"],
    ] {
        let arguments = [command, &["--admin-listen", &admin]].concat();
        let (code, stdout, stderr) = finish(backstop(folder.path(), &arguments)).await;
        assert_ne!(code, Some(0), "{command:?}");
        assert_eq!(stdout, "", "{command:?}");
        for part in [&*admin, "is no backstop", "404", "--admin-listen"] {
            assert!(stderr.contains(part), "{command:?}: {stderr}");
        }
    }
    let check = ["healthcheck", "--admin-listen", &admin];
    let (code, _, stderr) = finish(backstop(folder.path(), &check)).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("404"), "{stderr}");
}
