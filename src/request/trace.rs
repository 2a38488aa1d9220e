//! The trace that a request is part of (W3C Trace Context), and the spans that it consists of here.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::id::RequestId;

// As names, which need not be read at each request.
const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");
/// 2^64 divided by the golden ratio: multiples of it are spread over all numbers.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Of a request that may be traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What the client does by it, in a trace of its own; else the trace begins here.
    pub parent: Option<Parent>,
    /// The span of the request.
    pub span: u64,
    /// It is traced, and its upstreams are told. Of others only what goes wrong is traced, and the client's headers pass as they
    /// came.
    pub is_drawn: bool,
}

/// A span of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace that it is in.
    pub trace: u128,
    /// The span itself.
    pub span: u64,
}

impl Trace {
    /// The trace of a request with these headers; `None`: its client does not want it traced. The client decides, if it says
    /// so; of the others `ratio` are drawn.
    pub fn of(headers: &HeaderMap, ratio: f64) -> Option<Self> {
        let span = fastrand::u64(1..);
        match parent(headers) {
            Some((_, false)) => None,
            Some((parent, true)) => Some(Self {
                parent: Some(parent),
                span,
                is_drawn: true,
            }),
            None => Some(Self {
                parent: None,
                span,
                is_drawn: fastrand::f64() < ratio,
            }),
        }
    }

    /// The number of the trace: the client's, or else the digits of the request's own id.
    pub fn id(&self, request: &RequestId) -> u128 {
        self.parent
            .map_or_else(|| request.number(), |parent| parent.trace)
    }

    /// The span of an attempt, by its number.
    pub fn attempt(&self, number: usize) -> u64 {
        let step = SPREAD.wrapping_mul(number as u64);
        self.span.wrapping_add(step).max(1)
    }

    /// Makes an attempt at a request the parent of what its upstream does, if that is certain to be traced.
    pub fn put_on(&self, headers: &mut HeaderMap, request: &RequestId, number: usize) {
        if !self.is_drawn {
            return;
        }
        let (id, span) = (self.id(request), self.attempt(number));
        if let Ok(value) = HeaderValue::try_from(format!("00-{id:032x}-{span:016x}-01")) {
            headers.insert(PARENT, value);
        }
        if self.parent.is_none() {
            // It belongs to a parent that nobody can read.
            headers.remove(STATE);
        }
    }
}

/// The client's span, and whether it records it.
fn parent(headers: &HeaderMap) -> Option<(Parent, bool)> {
    let mut values = headers.get_all(&PARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let mut parts = value.to_str().ok()?.trim().split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (span, flags) = (parts.next()?, parts.next()?);
    // Later versions may have more parts.
    if version == "00" && parts.next().is_some() {
        return None;
    }
    let version = digits(version, 2)?;
    let trace = digits(trace, 32).filter(|trace| *trace != 0)?;
    let span = digits(span, 16).filter(|span| *span != 0)?;
    let flags = digits(flags, 2)?;
    let is_known = version != 0xff;
    let span = u64::try_from(span).ok()?;
    is_known.then_some((Parent { trace, span }, flags & 1 == 1))
}

/// So many hexadecimal digits in lower case.
fn digits(text: &str, count: usize) -> Option<u128> {
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    let is_right = text.len() == count && text.bytes().all(is_digit);
    is_right.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Trace, parent};
    use crate::request::RequestId;

    fn headers(parent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", parent.parse().unwrap());
        headers.insert("tracestate", "vendor=1".parse().unwrap());
        headers
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn only_what_is_well_formed_is_a_parent() {
        let of = |text: &str| parent(&headers(text));
        let known = of(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        assert_eq!((known.0.span, known.1), (0x00f0_67aa_0ba9_02b7, true));
        assert!(!of(&format!("00-{TRACE}-00f067aa0ba902b7-00")).unwrap().1);
        assert!(of(&format!("cc-{TRACE}-00f067aa0ba902b7-01-more")).is_some());
        for wrong in [
            "",
            "00",
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-00f067aa0ba902b-01"),
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_upstream_sees_the_attempt_as_its_parent() {
        let mut sent = headers(&format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let trace = Trace::of(&sent, 0.0).unwrap();
        trace.put_on(&mut sent, &RequestId::random(), 2);
        let expected = format!("00-{TRACE}-{:016x}-01", trace.attempt(2));
        assert_eq!(sent["traceparent"], expected.as_str());
        assert_eq!(sent["tracestate"], "vendor=1");
        assert_ne!(trace.attempt(1), trace.attempt(2));
    }

    #[test]
    fn the_client_decides_and_else_the_ratio() {
        let not = headers(&format!("00-{TRACE}-00f067aa0ba902b7-00"));
        assert_eq!(Trace::of(&not, 1.0), None);
        let request = RequestId::random();
        for (ratio, is_drawn) in [(0.0, false), (1.0, true)] {
            let own = Trace::of(&HeaderMap::new(), ratio).unwrap();
            assert_eq!((own.parent, own.is_drawn), (None, is_drawn));
            assert_eq!(format!("req_{:032x}", own.id(&request)), request.as_str());
            let mut sent = HeaderMap::new();
            own.put_on(&mut sent, &request, 1);
            assert_eq!(sent.contains_key("traceparent"), is_drawn);
        }
    }
}
