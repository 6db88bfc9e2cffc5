//! Quoted strings, written and read.

use std::fmt::Write;

/// In double quotes, with escapes for what does not print.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

/// As [`quote`], with everything beyond ASCII escaped too.
pub(crate) fn quote_ascii(bytes: &[u8]) -> String {
    quote_with(bytes, '"', true)
}

/// A character in single quotes.
pub(crate) fn quote_char(c: char, ascii: bool) -> String {
    quote_with(c.to_string().as_bytes(), '\'', ascii)
}

fn quote_with(bytes: &[u8], mark: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(mark);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c, mark, ascii);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push(mark);
    out
}

fn push_escaped(out: &mut String, c: char, mark: char, ascii: bool) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if c == mark => out.extend(['\\', mark]),
        c if is_printable(c) && (!ascii || c.is_ascii()) => out.push(c),
        c if (c as u32) < 0x20 || c == '\x7f' => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c if (c as u32) < 0x1_0000 => {
            let _ = write!(out, "\\u{:04x}", c as u32);
        }
        c => {
            let _ = write!(out, "\\U{:08x}", c as u32);
        }
    }
}

/// Letters, marks, numbers, punctuation, symbols and the plain blank.
pub(crate) fn is_printable(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_invisible(c))
}

/// Format characters, surrogates' neighbours and private use.
fn is_invisible(c: char) -> bool {
    matches!(c as u32, 0xad | 0x600..=0x605 | 0x61c | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff
        | 0xfff0..=0xfffb | 0xfffe | 0xffff | 0xe000..=0xf8ff | 0xe0000..=0xe0fff | 0xf0000..=0x10_ffff)
}

/// The content of `"…"` or `` `…` ``; `None` if an escape is wrong.
pub(crate) fn unquote(source: &str) -> Option<Vec<u8>> {
    if let Some(raw) = source.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', "").into_bytes());
    }
    let inner = source.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let (piece, after) = next_piece(rest, '"')?;
        match piece {
            Piece::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Piece::Byte(byte) => out.push(byte),
        }
        rest = after;
    }
    Some(out)
}

/// The code point of `'…'`.
pub(crate) fn unquote_char(source: &str) -> Option<u32> {
    let inner = source.strip_prefix('\'')?.strip_suffix('\'')?;
    let (piece, rest) = next_piece(inner, '\'')?;
    let value = match piece {
        Piece::Char(c) => c as u32,
        Piece::Byte(byte) => u32::from(byte),
    };
    rest.is_empty().then_some(value)
}

enum Piece {
    Char(char),
    /// From `\x` or octal: a byte of its own.
    Byte(u8),
}

fn next_piece(text: &str, mark: char) -> Option<(Piece, &str)> {
    let mut chars = text.chars();
    let c = chars.next()?;
    if c == mark || c == '\n' {
        return None;
    }
    if c != '\\' {
        return Some((Piece::Char(c), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let plain = |c| Some((Piece::Char(c), rest));
    match escape {
        'a' => plain('\x07'),
        'b' => plain('\x08'),
        'f' => plain('\x0c'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'v' => plain('\x0b'),
        '\\' => plain('\\'),
        c if c == mark => plain(c),
        'x' => Some((Piece::Byte(u8::from_str_radix(digits(rest, 2)?, 16).ok()?), &rest[2..])),
        'u' => Some((Piece::Char(char::from_u32(u32::from_str_radix(digits(rest, 4)?, 16).ok()?)?), &rest[4..])),
        'U' => Some((Piece::Char(char::from_u32(u32::from_str_radix(digits(rest, 8)?, 16).ok()?)?), &rest[8..])),
        '0'..='7' => {
            let octal = text.get(1..4)?;
            Some((Piece::Byte(u8::from_str_radix(octal, 8).ok()?), &text[4..]))
        }
        _ => None,
    }
}

fn digits(text: &str, count: usize) -> Option<&str> {
    text.get(..count).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
