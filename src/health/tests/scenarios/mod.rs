//! What others published as tests or as bugs, and what happens here. Where the right thing is another one here, the test
//! says why.

mod envoy;
mod finagle;
mod grpc;
mod linkerd;
mod others;
