//! The port: refused, opened again, and gone with its simulator.

use std::io::ErrorKind;

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{Fault, STREAM, Script, chat, failing, send, simulator, within};

#[tokio::test]
async fn a_port_refuses_and_listens_again() {
    let simulator = simulator(Script::healthy()).await;
    for round in 1..=3 {
        assert!(chat(&simulator).await.is_status(200));
        simulator.play(Script::fault(Fault::Refuse)).await;
        let refused = within(TcpStream::connect(simulator.address())).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        simulator.play(Script::healthy()).await;
        assert_eq!(simulator.received_count(), round);
    }
}

#[tokio::test]
async fn a_simulator_can_start_closed() {
    let simulator = failing(Fault::Refuse).await;
    assert!(
        within(TcpStream::connect(simulator.address()))
            .await
            .is_err()
    );
    simulator.play(Script::healthy()).await;
    assert!(chat(&simulator).await.is_status(200));
}

#[tokio::test]
async fn refusing_closes_open_connections_and_blames_nobody() {
    let simulator = failing(Fault::StallAfter(1)).await;
    let mut stalled = within(send(&simulator, "/chat/completions", STREAM))
        .await
        .unwrap();
    within(simulator.wait_received(1)).await;
    simulator.play(Script::fault(Fault::Refuse)).await;
    // Whether the kernel says EOF or reset depends on what was still unread.
    let mut rest = Vec::new();
    let _ = within(stalled.read_to_end(&mut rest)).await;
    assert_eq!(simulator.abandoned(), 0);
}

#[tokio::test]
async fn dropping_the_simulator_closes_everything() {
    let simulator = failing(Fault::Hang).await;
    let address = simulator.address();
    let mut hanging = within(send(&simulator, "/chat/completions", STREAM))
        .await
        .unwrap();
    within(simulator.wait_received(1)).await;
    drop(simulator);
    let mut rest = Vec::new();
    let _ = within(hanging.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    // The listener was dropped by the same task, before its connections.
    assert!(within(TcpStream::connect(address)).await.is_err());
}
