//! Tests and bugs that other projects published, played here. Where the right behaviour is another one here, the test
//! says why.

mod envoy;
mod finagle;
mod grpc;
mod linkerd;
mod others;
