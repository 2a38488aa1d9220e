//! What answers the requests of a server. One type for all servers, so that all that is made for connections is made once.

use std::pin::Pin;
use std::sync::Arc;

use http::Request;

use crate::wire::request_body::RequestBody;
use crate::wire::upgrade::{Handled, Shutdown};

/// Answers a request. It is told when the grace time of a drain is over.
pub(super) type Handler = Arc<dyn Fn(Request<RequestBody>, Shutdown) -> Answering + Send + Sync>;

type Answering = Pin<Box<dyn Future<Output = Handled> + Send>>;

/// A handler of this function.
pub(super) fn handler<H, F>(answer: H) -> Handler
where
    H: Fn(Request<RequestBody>, Shutdown) -> F + Send + Sync + 'static,
    F: Future<Output = Handled> + Send + 'static,
{
    // Boxed where it is made, so that it is not moved with what the connection keeps of its request.
    Arc::new(move |request, shutdown| Box::pin(answer(request, shutdown)))
}
