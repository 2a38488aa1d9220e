//! Reads a JSON text strictly from left to right and takes out what is wanted, as it was written, without building a tree.
//!
//! It refuses what `serde_json` refuses when it skips a value. Values are decoded, and checked for UTF-8, only where they
//! are taken out: what is passed on unread is the business of whoever reads it.

use std::borrow::Cow;

use thiserror::Error;

use super::plain::plain;

/// Why a text cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// It is not JSON.
    #[error("it is not JSON")]
    Syntax,
    /// A value that is wanted is not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// A field that is wanted is there twice: readers disagree about which one counts.
    #[error("a field is there twice")]
    Twice,
    /// It is something other than an object or a list.
    #[error("it has another type")]
    Type,
}

/// A field as it was written, if it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field<'a>(Option<&'a str>);

impl<'a> Field<'a> {
    /// Its value as it was written; null says as much as no field.
    pub fn get(self) -> Option<&'a str> {
        self.0.filter(|value| *value != "null")
    }

    /// Its value, if that is a text.
    pub fn text(self) -> Option<Cow<'a, str>> {
        self.0.and_then(text)
    }

    /// Takes the value that comes next. Returns whether the field was there before.
    pub fn take(&mut self, reader: &mut Reader<'a>) -> Result<bool, Broken> {
        Ok(self.0.replace(reader.value()?).is_some())
    }
}

/// Fields of an object that are wanted.
pub trait Wanted<'a>: Default {
    /// Where the value of this field goes; `None`: it is not wanted.
    fn field(&mut self, name: &[u8]) -> Option<&mut Field<'a>>;

    /// Reads the value of this field, of which more is wanted than how it is written. False: it is left to `field`.
    fn read(&mut self, _name: &[u8], _reader: &mut Reader<'a>) -> Result<bool, Broken> {
        Ok(false)
    }
}

/// Declares the fields of an object that are wanted: each is called as in the JSON.
macro_rules! wanted {
    ($(#[$about:meta])* $visible:vis $name:ident: $($(#[$more:meta])* $field:ident),*) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        $visible struct $name<'a> {
            $($(#[$more])* $visible $field: Field<'a>,)*
        }
        impl<'a> Wanted<'a> for $name<'a> {
            fn field(&mut self, name: &[u8]) -> Option<&mut Field<'a>> {
                $(if name == stringify!($field).as_bytes() {
                    return Some(&mut self.$field);
                })*
                None
            }
        }
    };
}
pub(crate) use wanted;

/// What is wanted of a text that is one object.
pub fn pick<'a, W: Wanted<'a>>(text: &'a [u8]) -> Result<W, Broken> {
    let mut picked = W::default();
    let mut reader = Reader::new(text);
    reader.fill(&mut picked)?;
    reader.end()?;
    Ok(picked)
}

/// The text that is written as this value; `None`: it is something else.
pub fn text(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(value).ok().map(Cow::Owned);
    }
    inner.strip_suffix('"').map(Cow::Borrowed)
}

/// A place in a text: what stands before it has been read.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// The ends of the lists and objects inside of the value that is being skipped.
    open: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// The beginning of a text.
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::new(),
        }
    }

    /// Nothing follows but white space.
    pub fn end(mut self) -> Result<(), Broken> {
        self.peek().map_or(Ok(()), |_| Err(Broken::Syntax))
    }

    /// What is wanted of the object that comes next.
    pub fn pick<W: Wanted<'a>>(&mut self) -> Result<W, Broken> {
        let mut wanted = W::default();
        self.fill(&mut wanted)?;
        Ok(wanted)
    }

    /// The same, into what there is already. False: it is something else, or cannot be read; what is no JSON stays an error.
    pub fn try_fill<W: Wanted<'a>>(&mut self, wanted: &mut W) -> Result<bool, Broken> {
        self.peek();
        let start = self.at;
        let is_read = self.fill(wanted).is_ok();
        if !is_read {
            self.at = start;
            self.skip()?;
        }
        Ok(is_read)
    }

    fn fill<W: Wanted<'a>>(&mut self, wanted: &mut W) -> Result<(), Broken> {
        self.object(|reader, name| {
            if let Some(field) = wanted.field(name) {
                let was_there = field.take(reader)?;
                return (!was_there).then_some(()).ok_or(Broken::Twice);
            }
            match wanted.read(name, reader)? {
                true => Ok(()),
                false => reader.skip(),
            }
        })
    }

    /// Shows the name of each field of the object that comes next; `field` reads the value.
    pub fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, &[u8]) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.opens(b'{')?;
        if self.eats(b'}') {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            field(self, &name)?;
            if !self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    /// Stops at each item of the list that comes next; `item` reads it.
    pub fn list(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.opens(b'[')?;
        if self.eats(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    /// Whether the value that comes next begins like this.
    pub fn is_at(&mut self, first: u8) -> bool {
        self.peek() == Some(first)
    }

    /// The value that comes next, as it is written.
    pub fn value(&mut self) -> Result<&'a str, Broken> {
        self.decoded(Self::skip)
    }

    /// The same, but how it is written in bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        self.written(Self::skip)
    }

    /// How the value that comes next is written, in bytes, after `read` has read it.
    pub fn written(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), Broken>,
    ) -> Result<&'a [u8], Broken> {
        self.peek();
        let start = self.at;
        read(self)?;
        Ok(&self.text[start..self.at])
    }

    /// The same, decoded.
    pub fn decoded(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), Broken>,
    ) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.written(read)?).map_err(|_| Broken::Encoding)
    }

    /// Passes over the value that comes next, however deep it is.
    pub fn skip(&mut self) -> Result<(), Broken> {
        self.open.clear();
        loop {
            let is_over = self.skip_start()?;
            if is_over && !self.skip_ends()? {
                return Ok(());
            }
        }
    }

    /// Passes over a simple value, or to the first value in a list or an object. Returns whether a value is over.
    fn skip_start(&mut self) -> Result<bool, Broken> {
        let first = self.peek().ok_or(Broken::Syntax)?;
        match first {
            b'"' => {
                self.at += 1;
                self.rest_of_string()?;
            }
            b'{' => {
                self.at += 1;
                if !self.eats(b'}') {
                    self.open.push(b'}');
                    self.skip_name()?;
                    return Ok(false);
                }
            }
            b'[' => {
                self.at += 1;
                if !self.eats(b']') {
                    self.open.push(b']');
                    return Ok(false);
                }
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => return Err(Broken::Syntax),
        }
        Ok(true)
    }

    /// Passes over the end of a value and of all that ends with it. Returns whether another value follows.
    fn skip_ends(&mut self) -> Result<bool, Broken> {
        while let Some(end) = self.open.last().copied() {
            if self.goes_on(end)? {
                if end == b'}' {
                    self.skip_name()?;
                }
                return Ok(true);
            }
            self.open.pop();
        }
        Ok(false)
    }

    /// The name of a field, up to its value.
    fn name(&mut self) -> Result<Cow<'a, [u8]>, Broken> {
        self.peek();
        let start = self.at;
        let has_escapes = self.skip_quoted()?;
        let end = self.at;
        self.colon()?;
        if has_escapes {
            let name = serde_json::from_slice::<String>(&self.text[start..end]);
            return name
                .map(|name| Cow::Owned(name.into_bytes()))
                .map_err(|_| Broken::Syntax);
        }
        Ok(Cow::Borrowed(&self.text[start + 1..end - 1]))
    }

    fn skip_name(&mut self) -> Result<(), Broken> {
        self.skip_quoted()?;
        self.colon()
    }

    fn skip_quoted(&mut self) -> Result<bool, Broken> {
        if !self.eats(b'"') {
            return Err(Broken::Syntax);
        }
        self.rest_of_string()
    }

    fn colon(&mut self) -> Result<(), Broken> {
        self.eats(b':').then_some(()).ok_or(Broken::Syntax)
    }

    /// Passes over a string whose opening quote has been read. Returns whether it has escapes.
    fn rest_of_string(&mut self) -> Result<bool, Broken> {
        let mut has_escapes = false;
        loop {
            self.at += plain(&self.text[self.at..]);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) | None => return Err(Broken::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Broken> {
        let length = match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(Broken::Syntax);
                }
                6
            }
            Some(_) | None => return Err(Broken::Syntax),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Broken> {
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            let is_signed = matches!(self.text.get(self.at), Some(b'+' | b'-'));
            self.at += usize::from(is_signed);
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(()).ok_or(Broken::Syntax)
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), Broken> {
        if !self.text[self.at..].starts_with(literal) {
            return Err(Broken::Syntax);
        }
        self.at += literal.len();
        Ok(())
    }

    fn opens(&mut self, with: u8) -> Result<(), Broken> {
        self.eats(with).then_some(()).ok_or(Broken::Type)
    }

    /// Behind a value: whether another one follows in the list or object that ends with `end`.
    fn goes_on(&mut self, end: u8) -> Result<bool, Broken> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            Some(_) | None => Err(Broken::Syntax),
        }
    }

    fn eats(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The next byte that is no white space; it stays unread.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                next => return next.copied(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
