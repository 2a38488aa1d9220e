//! Sends spans to a collector: OTLP, as protobuf over HTTP, with the clients that upstreams have.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::time::timeout;

use crate::config::{Collector, Config};
use crate::upstream::{Client, Connector};
use crate::wire::tls::{self, ClientFiles, Platform};
use crate::wire::upload::Upload;

/// How long a message may take with all its tries, and one of them.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);
/// The longest answer of a collector.
const LONGEST_ANSWER: usize = 64 << 10;

/// What sends spans to a collector. Fails if the platform's certificates cannot be read, or the URL is none.
pub(super) fn exporter(collector: &Collector, config: &Config) -> Result<SpanExporter, String> {
    let url: Uri = collector
        .url
        .parse()
        .map_err(|_| "the endpoint is not a URL")?;
    let proxy = config.proxy_for_url(&collector.url);
    let tls = match Connector::encrypts(&url, proxy.as_ref()) {
        true => tls::client(&Platform::default(), ClientFiles::default()),
        false => tls::unused(),
    };
    let tls = tls.map_err(|error| error.to_string())?;
    let connector = Connector::to(url, tls, CONNECT).through(proxy);
    let headers = collector.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Poster(Client::new(connector)))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&collector.url)
        .with_headers(headers.collect())
        .with_timeout(PATIENCE)
        .build();
    let mut exporter = exporter.map_err(|error| error.to_string())?;
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder()
        .with_service_name(collector.service.clone())
        .with_attribute(version)
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// Our own client, as OpenTelemetry's exporter wants one.
#[derive(Debug)]
struct Poster(Client);

impl HttpClient for Poster {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let exchange = async {
                let response = self.0.request(request.map(Upload::from), false).await?;
                let (head, body) = response.into_parts();
                let body = Limited::new(body, LONGEST_ANSWER).collect().await?;
                Ok(Response::from_parts(head, body.to_bytes()))
            };
            timeout(PATIENCE, exchange).await?
        })
    }
}
