//! One conversation, and the APIs in which it can be said.

pub mod chat;
pub mod conversation;
pub mod form;
pub mod messages;
pub mod responses;
