use std::borrow::Cow;

use super::{Error, ErrorKind, error::shortened, number};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'s> {
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    Comma,
    Dot,
    Star,
    Not,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Null,
    Boolean(bool),
    Number(f64),
    Text(Cow<'s, str>),
    Name(&'s str),
}

/// A token and the bytes that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lexeme<'s> {
    pub(super) token: Token<'s>,
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) fn lex(source: &str) -> Result<Vec<Lexeme<'_>>, Error> {
    let mut lexer = Lexer { source, offset: 0, lexemes: Vec::with_capacity(source.len() / 4 + 2) };
    while lexer.step()? {}
    Ok(lexer.lexemes)
}

struct Lexer<'s> {
    source: &'s str,
    offset: usize,
    lexemes: Vec<Lexeme<'s>>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.offset..]
    }

    fn step(&mut self) -> Result<bool, Error> {
        self.offset += self.rest().len() - self.rest().trim_start().len();
        let Some(first) = self.rest().bytes().next() else { return Ok(false) };
        let start = self.offset;
        let (token, length) = match first {
            b'(' => (Token::LeftParen, 1),
            b')' => (Token::RightParen, 1),
            b'[' => (Token::LeftBracket, 1),
            b']' => (Token::RightBracket, 1),
            b',' => (Token::Comma, 1),
            b'*' => (Token::Star, 1),
            b'.' if self.may_dereference() => (Token::Dot, 1),
            b'!' => self.one_or_two(Token::Not, Token::NotEqual),
            b'<' => self.one_or_two(Token::Less, Token::LessOrEqual),
            b'>' => self.one_or_two(Token::Greater, Token::GreaterOrEqual),
            b'=' if self.rest().starts_with("==") => (Token::Equal, 2),
            b'&' if self.rest().starts_with("&&") => (Token::And, 2),
            b'|' if self.rest().starts_with("||") => (Token::Or, 2),
            b'\'' => self.text()?,
            b'.' | b'-' | b'+' | b'0'..=b'9' => self.number()?,
            _ => self.name()?,
        };
        self.offset += length;
        self.lexemes.push(Lexeme { token, start, end: self.offset });
        Ok(true)
    }

    /// A dot dereferences after something that has properties; elsewhere it begins a number.
    fn may_dereference(&self) -> bool {
        match self.lexemes.last().map(|lexeme| &lexeme.token) {
            Some(Token::Name(_) | Token::RightBracket | Token::RightParen | Token::Star) => true,
            Some(_) | None => false,
        }
    }

    fn one_or_two(&self, one: Token<'s>, with_equals: Token<'s>) -> (Token<'s>, usize) {
        if self.rest()[1..].starts_with('=') { (with_equals, 2) } else { (one, 1) }
    }

    fn text(&self) -> Result<(Token<'s>, usize), Error> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut escaped = false;
        let mut end = 1;
        loop {
            match bytes.get(end) {
                None => return Err(self.unexpected(rest.len())),
                Some(b'\'') if bytes.get(end + 1) == Some(&b'\'') => {
                    escaped = true;
                    end += 2;
                }
                Some(b'\'') => break,
                Some(_) => end += 1,
            }
        }
        let inner = &rest[1..end];
        let text = if escaped { Cow::Owned(inner.replace("''", "'")) } else { Cow::Borrowed(inner) };
        Ok((Token::Text(text), end + 1))
    }

    fn number(&self) -> Result<(Token<'s>, usize), Error> {
        let rest = self.rest();
        let mut length = 1 + boundary(&rest[1..]);
        while rest[length..].starts_with('.') {
            length += 1 + boundary(&rest[length + 1..]);
        }
        let number = number::parse(&rest[..length]);
        if number.is_nan() { Err(self.unexpected(length)) } else { Ok((Token::Number(number), length)) }
    }

    fn name(&self) -> Result<(Token<'s>, usize), Error> {
        let rest = self.rest();
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let length = first + boundary(&rest[first..]);
        let name = &rest[..length];
        if !is_legal_name(name) {
            return Err(self.unexpected(length));
        }
        // After a dot these words are names of properties.
        let after_dot = matches!(self.lexemes.last(), Some(Lexeme { token: Token::Dot, .. }));
        let token = match name {
            _ if after_dot => Token::Name(name),
            "null" => Token::Null,
            "true" => Token::Boolean(true),
            "false" => Token::Boolean(false),
            "NaN" => Token::Number(f64::NAN),
            "Infinity" => Token::Number(f64::INFINITY),
            _ => Token::Name(name),
        };
        Ok((token, length))
    }

    fn unexpected(&self, length: usize) -> Error {
        let symbol = shortened(&self.rest()[..length]);
        Error::at(ErrorKind::Lexing, format!("Unexpected symbol: '{symbol}'"), self.offset, self.source)
    }
}

/// Where a word ends: at a sign or a space.
fn boundary(text: &str) -> usize {
    let ends = |(at, byte): (usize, u8)| match byte {
        b'(' | b'[' | b')' | b']' | b',' | b'.' | b'!' | b'>' | b'<' | b'=' | b'&' | b'|' | b' ' | b'\t'..=b'\r' => {
            true
        }
        // Of a longer character the first byte; there are spaces among them.
        0xC0.. => text[at..].starts_with(char::is_whitespace),
        _ => false,
    };
    text.bytes().enumerate().position(ends).unwrap_or(text.len())
}

fn is_legal_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}
