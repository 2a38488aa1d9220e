//! The choices of a whole chat or completion, read as they come: in one pass over the answer.

use super::conversation::End;
use super::said;
use crate::wire::json::{Broken, Field, Reader};

/// What is known of the choices of an answer.
#[derive(Debug, Default)]
pub(super) struct Choices<'a> {
    /// Whether there is a list of them.
    is_there: bool,
    count: usize,
    /// Whether one of them cannot be read: then nothing is known of any.
    is_unreadable: bool,
    has_failed: bool,
    says_something: bool,
    /// The first error in one of them.
    pub(super) error: Option<&'a str>,
}

/// The part of a choice that shows whether it failed, and whether it says anything.
#[derive(Debug, Default)]
struct Choice<'a> {
    finish_reason: Field<'a>,
    /// Whether its message says anything, if it has one.
    message: Option<bool>,
    /// Some servers answer chats in the words of `/completions`.
    text: Field<'a>,
    error: Field<'a>,
    /// Whether one of these fields is there twice.
    is_ambiguous: bool,
}

impl<'a> Choices<'a> {
    /// Reads the value that comes next. What is no list says as much as none.
    pub(super) fn read(&mut self, reader: &mut Reader<'a>) -> Result<(), Broken> {
        if std::mem::replace(&mut self.is_there, true) {
            return Err(Broken::Twice);
        }
        reader.decoded(|reader| match reader.is_at(b'[') {
            true => reader.list(|reader| self.add(reader)),
            false => reader.skip(),
        })?;
        Ok(())
    }

    fn add(&mut self, reader: &mut Reader<'a>) -> Result<(), Broken> {
        self.count += 1;
        if !reader.is_at(b'{') {
            self.is_unreadable = true;
            return reader.skip();
        }
        let choice = Choice::read(reader)?;
        let end = choice.end();
        self.is_unreadable |= choice.is_ambiguous;
        self.has_failed |= end == Some(End::Failed);
        self.says_something |= choice.says_something(end.as_ref());
        self.error = self.error.or_else(|| choice.error.get());
        Ok(())
    }

    /// Whether there are any.
    pub(super) fn are_there(&self) -> bool {
        self.count > 0
    }

    /// Whether one of them has failed.
    pub(super) fn have_failed(&self) -> bool {
        self.has_failed && !self.is_unreadable
    }

    /// Whether each of them has ended, has nothing in it, and does not say why.
    pub(super) fn say_nothing(&self) -> bool {
        self.are_there() && !self.says_something && !self.is_unreadable
    }
}

impl<'a> Choice<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Broken> {
        let mut choice = Self::default();
        reader.object(|reader, name| {
            let was_there = match name {
                b"message" => choice.message.replace(said::in_message(reader)?).is_some(),
                b"finish_reason" => choice.finish_reason.take(reader)?,
                b"text" => choice.text.take(reader)?,
                b"error" => choice.error.take(reader)?,
                _ => return reader.skip(),
            };
            choice.is_ambiguous |= was_there;
            Ok(())
        })?;
        Ok(choice)
    }

    fn end(&self) -> Option<End> {
        End::of(&self.finish_reason.text()?)
    }

    /// Whether it has something in it, has not ended, or says why it has nothing.
    fn says_something(&self, end: Option<&End>) -> bool {
        let text = self.text.get().map(str::as_bytes);
        let is_said = self.message == Some(true) || text.is_some_and(said::has_some);
        is_said || end.is_none_or(End::explains_silence)
    }
}

#[cfg(test)]
mod tests {
    use super::Choices;
    use crate::wire::json::{Broken, Reader};

    fn read(text: &str) -> Result<(bool, bool, bool), Broken> {
        let mut choices = Choices::default();
        choices.read(&mut Reader::new(text.as_bytes()))?;
        let (there, failed) = (choices.are_there(), choices.have_failed());
        Ok((there, failed, choices.say_nothing()))
    }

    #[test]
    fn what_cannot_be_read_is_there_and_nothing_is_known_of_it() {
        for (text, there) in [
            ("null", false),
            ("{}", false),
            ("[ ]", false),
            ("[7]", true),
            (
                r#"[{"finish_reason":"stop","finish_reason":"error"}]"#,
                true,
            ),
            (r#"[{"finish_reason":"error"},"x"]"#, true),
        ] {
            assert_eq!(read(text), Ok((there, false, false)), "{text}");
        }
        assert_eq!(read("[{]"), Err(Broken::Syntax));
    }

    #[test]
    fn one_that_says_something_speaks_for_all() {
        let silent = r#"{"finish_reason":"stop","message":{"content":""}}"#;
        let spoken = r#"{"finish_reason":"stop","message":{"content":"x"}}"#;
        assert_eq!(read(&format!("[{silent}]")), Ok((true, false, true)));
        assert_eq!(
            read(&format!("[{silent},{spoken}]")),
            Ok((true, false, false))
        );
    }
}
