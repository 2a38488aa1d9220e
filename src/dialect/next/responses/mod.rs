//! TODO
use serde_json::Value;
use super::conversation::*;
use super::form::*;
pub static FORM: Form = Form { path: "/responses", headers: &[], read_request, write_request, read_answer, write_answer, reader, writer, error };
fn read_request(_: Value) -> Result<Conversation, Unsaid> { todo!() }
fn write_request(_: Conversation, _: &Target<'_>) -> Result<Written, Unsaid> { todo!() }
fn read_answer(_: &[u8], _: &Reading) -> Option<Vec<Piece<'static>>> { todo!() }
fn write_answer(_: &Asked, _: Vec<Event<'_>>) -> Option<Value> { todo!() }
fn reader(_: &Reading) -> Box<dyn ReadEvents> { todo!() }
fn writer(_: Asked) -> Box<dyn WriteEvents> { todo!() }
fn error(_: &Value) -> Value { todo!() }
