//! Why a request is rejected.

use thiserror::Error;

/// Why a request is rejected.
#[derive(Debug, Error)]
pub enum Refused {
    /// Its host name is not ours.
    #[error(
        "the proxy does not answer to the name `{0}`; if it is yours, add it to the proxy's configuration: \
         hosts: [\"{0}\"] (or BACKSTOP_HOSTS={0} in its environment)"
    )]
    Host(String),
    /// A web page of this origin sent it.
    #[error(
        "web pages of `{0}` may not use the proxy; if you trust them, add their origin to the proxy's configuration: \
         cors: [\"{0}\"]"
    )]
    Origin(String),
    /// A web page sent it that hides its origin.
    #[error(
        "this request comes from a web page that does not say whose it is, as links, images, files and sandboxed frames do; \
         pages that you trust are listed under `cors` in the proxy's configuration, are served over HTTP and call with fetch"
    )]
    Nameless,
}
