//! Requests and answers, read and written.
