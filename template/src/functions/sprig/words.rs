//! What needs more than one line per text function.

use crate::functions::strings::upper_char;

/// The first letter of each word as a capital. Words end at anything but letters, digits and `_`.
pub(super) fn title(text: &str) -> String {
    let mut inside = false;
    text.chars()
        .map(|c| {
            let shown = if inside { c } else { upper_char(c) };
            inside = c.is_alphanumeric() || c == '_' || !(c.is_ascii() || c.is_whitespace());
            shown
        })
        .collect()
}

/// The first letter of each word small.
pub(super) fn untitle(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if inside || c.is_whitespace() {
            out.push(c)
        } else {
            out.extend(c.to_lowercase())
        }
        inside = !c.is_whitespace();
    }
    out
}

pub(super) fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() { out.extend(c.to_lowercase()) } else { out.push(upper_char(c)) }
    }
    out
}

pub(super) fn initials(text: &str) -> String {
    text.split_whitespace().filter_map(|word| word.chars().next()).collect()
}

/// `FirstName`, `first_name` and `first name` into their words.
fn parts(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (index, &c) in chars.iter().enumerate() {
        if matches!(c, '_' | '-') || c.is_whitespace() {
            words.push(String::new());
            continue;
        }
        let previous = index.checked_sub(1).map(|at| chars[at]);
        let next_is_small = chars.get(index + 1).is_some_and(|next| next.is_lowercase());
        let begins = match previous {
            Some(previous) if c.is_uppercase() => !previous.is_uppercase() || next_is_small,
            Some(previous) => c.is_numeric() && previous.is_alphabetic(),
            None => false,
        };
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Small words with a sign between them.
pub(super) fn joined(text: &str, sign: char) -> String {
    parts(text).iter().map(|word| word.to_lowercase()).collect::<Vec<_>>().join(&sign.to_string())
}

/// Words with capitals and nothing between them.
pub(super) fn camelcase(text: &str) -> String {
    text.split(|c: char| matches!(c, '_' | '-') || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map(upper_char).into_iter().chain(chars).collect::<String>()
        })
        .collect()
}

/// Shortened to `width` with `...`, from about `offset` on.
pub(super) fn abbreviate(text: &str, offset: i64, width: i64) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (Ok(offset), Ok(width)) = (usize::try_from(offset.max(0)), usize::try_from(width)) else { return text.to_owned() };
    if width < 4 || chars.len() <= width {
        return text.to_owned();
    }
    let kept = width - 3;
    let offset = offset.min(chars.len() - kept);
    let part = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    if offset <= 4 {
        return format!("{}...", part(0, kept));
    }
    if width < 7 {
        return String::new();
    }
    if offset + kept < chars.len() {
        return format!("...{}...", part(offset, offset + kept - 3));
    }
    format!("...{}", part(chars.len() - kept, chars.len()))
}

/// Broken at blanks into lines of at most `width`; longer words are broken as well if `hard`.
pub(super) fn wrap(text: &str, width: i64, separator: &str, hard: bool) -> String {
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let separator = if separator.is_empty() { "\n" } else { separator };
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while chars.len() - at > width {
        if chars[at] == ' ' {
            at += 1;
            continue;
        }
        let blank = chars[at..=at + width].iter().rposition(|c| *c == ' ');
        let (end, next) = match blank {
            Some(blank) => (at + blank, at + blank + 1),
            None if hard => (at + width, at + width),
            None => match chars[at + width..].iter().position(|c| *c == ' ') {
                Some(blank) => (at + width + blank, at + width + blank + 1),
                None => break,
            },
        };
        out.extend(&chars[at..end]);
        out.push_str(separator);
        at = next;
    }
    out.extend(&chars[at..]);
    out
}

pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1u32, 0u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(super) fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut block = [0u8; 8];
        block[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(block);
        let digits = (group.len() * 8).div_ceil(5);
        for digit in 0..8 {
            let index = usize::try_from(bits >> (35 - 5 * digit) & 31).unwrap_or(0);
            out.push(if digit < digits { char::from(BASE32[index]) } else { '=' });
        }
    }
    out
}

/// The error is the place of the first byte that does not belong.
pub(super) fn from_base32(text: &str) -> Result<Vec<u8>, usize> {
    let digits = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(digits.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for (at, byte) in digits.bytes().enumerate() {
        let value = BASE32.iter().position(|digit| *digit == byte).and_then(|value| u32::try_from(value).ok()).ok_or(at)?;
        bits = (bits << 5 | value) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).unwrap_or(0));
        }
    }
    if text.len().is_multiple_of(8) { Ok(out) } else { Err(text.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_of_words() {
        for (text, snake, camel) in [
            ("FirstName", "first_name", "FirstName"),
            ("HTTPServer", "http_server", "HTTPServer"),
            ("first_name", "first_name", "FirstName"),
            ("GO PATH", "go_path", "GOPATH"),
            ("http2xx", "http_2xx", "Http2xx"),
        ] {
            assert_eq!((joined(text, '_').as_str(), camelcase(text).as_str()), (snake, camel), "{text}");
        }
        assert_eq!(title("ab cd-ef 3x"), "Ab Cd-Ef 3x");
        assert_eq!(swapcase("This Is"), "tHIS iS");
        assert_eq!(untitle("Hello World"), "hello world");
    }

    #[test]
    fn shortening_and_wrapping() {
        assert_eq!(abbreviate("hello world", 0, 5), "he...");
        assert_eq!(abbreviate("1234 5678 9123", 5, 10), "...5678...");
        assert_eq!(wrap("a bc def", 4, "", false), "a bc\ndef");
        assert_eq!(wrap("abcdefgh", 3, "|", true), "abc|def|gh");
        assert_eq!(wrap("abcdefgh i", 3, "", false), "abcdefgh\ni");
    }

    #[test]
    fn base32_reads_back() {
        for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            assert_eq!(from_base32(&base32(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert_eq!(base32(b"foob"), "MZXW6YQ=");
        assert_eq!(from_base32("M!"), Err(1));
        assert_eq!(adler32(b"Wikipedia"), 300_286_872);
    }
}
