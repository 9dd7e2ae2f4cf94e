//! Reads JSON (RFC 8259) into a tree with line numbers.
//!
//! By hand, because the usual crates forget where a value stood, and an error without its line is of
//! little use. Numbers are not converted here and array items are checked and dropped: no key holds one.

use crate::tree::{Field, LineIndex, SyntaxError, Value};

/// Deeper than any configuration; keeps the recursion off the end of the stack.
const MAX_DEPTH: usize = 64;

/// Reads a document whose top is an object.
///
/// # Errors
/// Line and reason of the first thing that is not JSON, or a name used twice in one object.
pub(crate) fn parse(text: &str) -> Result<Vec<Field>, SyntaxError> {
    let mut reader = Reader { text, offset: 0, lines: LineIndex::new(text.as_bytes()) };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.offset < text.len() {
        return Err(reader.error("unexpected text after the end of the object"));
    }
    match value {
        Value::Table(fields) => Ok(fields),
        _ => Err(SyntaxError { line: 1, reason: "a JSON configuration is one object, `{ … }`".to_owned() }),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Always on a character border.
    offset: usize,
    lines: LineIndex,
}

impl Reader<'_> {
    fn error(&self, reason: &str) -> SyntaxError {
        SyntaxError { line: self.lines.line_of(self.offset), reason: reason.to_owned() }
    }

    fn rest(&self) -> &str {
        &self.text[self.offset..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.offset += 1;
        }
    }

    /// Steps over `byte` if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.offset += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error("values are nested too deeply"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value, SyntaxError> {
        let words = [
            ("true", Value::Boolean(true)),
            ("false", Value::Boolean(false)),
            ("null", Value::Other("null")),
        ];
        for (word, value) in words {
            if self.rest().starts_with(word) {
                self.offset += word.len();
                return Ok(value);
            }
        }
        Err(self.error("a value is missing here"))
    }

    fn object(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.offset += 1;
        let mut fields: Vec<Field> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Table(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("a name in double quotes is missing here"));
            }
            let line = self.lines.line_of(self.offset);
            let name = self.string()?;
            if !names.insert(name.clone()) {
                return Err(SyntaxError { line, reason: format!("`{name}` stands here a second time") });
            }
            self.skip_space();
            if !self.take(b':') {
                return Err(self.error("`:` is missing after a name"));
            }
            self.skip_space();
            let value = self.value(depth + 1)?;
            fields.push(Field { name, line, value });
            self.skip_space();
            if self.take(b'}') {
                return Ok(Value::Table(fields));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `}` is missing here"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.offset += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::Other("an array"));
        }
        loop {
            self.skip_space();
            self.value(depth + 1)?;
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::Other("an array"));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `]` is missing here"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let start = self.offset;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let integer_end = self.offset;
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        if self.offset > integer_end {
            return Ok(Value::Other("a float"));
        }
        Ok(Value::Integer(self.text[start..integer_end].to_owned()))
    }

    /// Steps over one digit or more.
    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.offset;
        while let Some(b'0'..=b'9') = self.peek() {
            self.offset += 1;
        }
        if self.offset == start { Err(self.error("a digit is missing here")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        self.offset += 1;
        let mut string = String::new();
        while let Some(c) = self.rest().chars().next() {
            match c {
                '"' => {
                    self.offset += 1;
                    return Ok(string);
                }
                '\\' => {
                    self.offset += 1;
                    string.push(self.escape()?);
                }
                c if c < ' ' => return Err(self.error("a control character stands in a string")),
                c => {
                    self.offset += c.len_utf8();
                    string.push(c);
                }
            }
        }
        Err(self.error("a string has no end"))
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, SyntaxError> {
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.offset += 1;
                return self.unicode();
            }
            _ => return Err(self.error("an escape with `\\` is not known")),
        };
        self.offset += 1;
        Ok(c)
    }

    /// Reads the digits after `\u`, and the second half of a surrogate pair.
    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let first = self.hex4()?;
        let is_high_half = (0xd800..0xdc00).contains(&first);
        let code = if is_high_half && self.rest().starts_with("\\u") {
            self.offset += 2;
            let second = self.hex4()?;
            // A wrong second half gives a code that is refused below.
            if (0xdc00..0xe000).contains(&second) {
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            } else {
                first
            }
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.error("half of a surrogate pair stands alone"))
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.offset += code.map_or(0, |_| 4);
        code.ok_or_else(|| self.error("four hexadecimal digits are missing after `\\u`"))
    }
}
