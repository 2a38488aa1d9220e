//! Over TLS: HTTP/2 and HTTP/1.1 by ALPN, with faults that reach through the encryption.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, Error},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types};

use super::{Fault, STREAM, Script, within};
use crate::simulator::Simulator;

/// A certificate for 127.0.0.1, as server and as client see it.
fn configs(protocol: &[u8]) -> (Arc<ServerConfig>, ClientConfig) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key = pki_types::PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let provider = Arc::new(ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    server.alpn_protocols = vec![protocol.to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), client)
}

async fn asked(simulator: &Simulator, tls: ClientConfig) -> Result<Response<Incoming>, Error> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_all_versions()
        .build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::post(format!("{}/chat/completions", simulator.base_url()))
        .body(Full::new(Bytes::from_static(STREAM.as_bytes())))
        .unwrap();
    within(client.request(request)).await
}

#[tokio::test]
async fn alpn_chooses_the_version() {
    for (protocol, version) in [
        (&b"h2"[..], Version::HTTP_2),
        (&b"http/1.1"[..], Version::HTTP_11),
    ] {
        let (server, client) = configs(protocol);
        let simulator = Simulator::start_tls("a", Script::healthy(), server)
            .await
            .unwrap();
        assert!(simulator.base_url().starts_with("https://127.0.0.1:"));
        let response = asked(&simulator, client).await.unwrap();
        assert_eq!(response.version(), version);
        let body = within(response.into_body().collect()).await.unwrap();
        assert!(body.to_bytes().ends_with(b"data: [DONE]\n\n"));
        assert_eq!(simulator.received()[0].version, version);
    }
}

#[tokio::test]
async fn faults_reach_through_http_2() {
    let (server, client) = configs(b"h2");
    let simulator = Simulator::start_tls("a", Script::fault(Fault::Reset), server)
        .await
        .unwrap();
    assert!(asked(&simulator, client.clone()).await.is_err());
    for fault in [Fault::CutAfter(1), Fault::ResetAfter(1), Fault::Truncated] {
        simulator.play(Script::fault(fault.clone())).await;
        let response = asked(&simulator, client.clone()).await.unwrap();
        assert!(
            within(response.into_body().collect()).await.is_err(),
            "{fault:?}"
        );
    }
    simulator.play(Script::fault(Fault::StallAfter(1))).await;
    drop(asked(&simulator, client).await.unwrap());
    within(simulator.wait_abandoned(1)).await;
}
