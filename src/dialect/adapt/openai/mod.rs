//! Chats and responses for those that copy `OpenAI`'s API in part.

mod calls;
mod chat;
mod history;
mod items;
mod marks;
mod numbers;
mod response;
mod shown;
mod thoughts;
mod turns;

pub use chat::{Adapted, adapt_chat};
pub(super) use marks::without_marks;
pub use numbers::Numbers;
pub use response::adapt_response;
pub(super) use shown::shown_by_users;
pub(super) use thoughts::{without_own_thoughts, without_thoughts};
