//! Templates with `env = true`: lines of `KEY=value` that become environment variables.

use crate::limits::ENV_FILE_BYTES;

/// A line that is no assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvFileError {
    /// The file is not text.
    #[error("the file is not valid UTF-8 (byte {0})")]
    NotText(usize),
    /// The file is larger than the limit.
    #[error("the file has {0} bytes, the limit is {ENV_FILE_BYTES}")]
    TooLarge(usize),
    /// A line without `=`. Its text is not shown: it may be half of a secret.
    #[error("error parsing line {0}: no '=' found")]
    NoAssignment(usize),
    /// The name before `=` is empty or has a blank inside.
    #[error("error parsing line {0}: the name before '=' is not a variable name")]
    BadName(usize),
    /// A quote was opened and not closed on its line.
    #[error("error parsing line {0}: unterminated {1} quote")]
    Unterminated(usize, char),
    /// Something follows a closing quote.
    #[error("error parsing line {0}: unexpected text after the closing quote")]
    AfterQuote(usize),
}

/// Variables in the order of the file; a name may appear twice, the later one counts.
///
/// Blank lines and lines that start with `#` are skipped, `export ` in front is accepted, values may stand in `"` (with the escapes
/// `\n \r \t \" \\ \$`) or `'` (as they are). Without quotes a `#` starts a comment even without a blank before it.
pub fn parse(text: &[u8]) -> Result<Vec<(String, String)>, EnvFileError> {
    if text.len() > ENV_FILE_BYTES {
        return Err(EnvFileError::TooLarge(text.len()));
    }
    let text = std::str::from_utf8(text).map_err(|error| EnvFileError::NotText(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(variable) = assignment(index + 1, line.trim())? {
            variables.push(variable);
        }
    }
    Ok(variables)
}

fn assignment(number: usize, line: &str) -> Result<Option<(String, String)>, EnvFileError> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).map_or(line, str::trim_start);
    let (name, value) = line.split_once('=').ok_or(EnvFileError::NoAssignment(number))?;
    let name = name.trim_end();
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '\0' || c == '"' || c == '\'') {
        return Err(EnvFileError::BadName(number));
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(number, quote, &value[1..])?,
        _ => value.split('#').next().unwrap_or_default().trim_end().to_owned(),
    };
    Ok(Some((name.to_owned(), value)))
}

fn quoted(number: usize, quote: char, text: &str) -> Result<String, EnvFileError> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            let rest = chars.as_str().trim_start();
            return if rest.is_empty() || rest.starts_with('#') { Ok(value) } else { Err(EnvFileError::AfterQuote(number)) };
        }
        if c != '\\' || quote == '\'' {
            value.push(c);
            continue;
        }
        match chars.next().ok_or(EnvFileError::Unterminated(number, quote))? {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            escaped @ ('"' | '\\' | '$' | '\'') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    Err(EnvFileError::Unterminated(number, quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_lines() {
        for (line, want) in [
            ("A=b", ("A", "b")),
            ("  A = b  ", ("A", "b")),
            ("A=", ("A", "")),
            ("export A=b", ("A", "b")),
            ("export\tA=b", ("A", "b")),
            ("exported=b", ("exported", "b")),
            (r#"A="b c""#, ("A", "b c")),
            (r#"A="b\nc \"d\" \\ \x""#, ("A", "b\nc \"d\" \\ \\x")),
            (r#"A="b" # note"#, ("A", "b")),
            ("A='s #1'", ("A", "s #1")),
            (r"A='a\nb'", ("A", r"a\nb")),
            ("A=a#b", ("A", "a")),
            ("A=a #b", ("A", "a")),
            ("A=x=y", ("A", "x=y")),
            ("A.b-c=1", ("A.b-c", "1")),
        ] {
            assert_eq!(parse(line.as_bytes()).unwrap(), [(want.0.to_owned(), want.1.to_owned())], "{line}");
        }
    }

    #[test]
    fn comments_blank_lines_and_repeats() {
        let text = b"\xef\xbb\xbf# head\r\n\r\nA=1\r\n   # more\nA=2\n";
        assert_eq!(parse(text).unwrap(), [("A".into(), "1".into()), ("A".into(), "2".into())]);
    }

    #[test]
    fn refused_lines_are_named_and_not_shown() {
        for (text, want) in [
            ("A=1\nhunter2\n", EnvFileError::NoAssignment(2)),
            ("=x", EnvFileError::BadName(1)),
            ("a b=x", EnvFileError::BadName(1)),
            ("A=\"x", EnvFileError::Unterminated(1, '"')),
            ("A='x", EnvFileError::Unterminated(1, '\'')),
            ("A=\"x\" y", EnvFileError::AfterQuote(1)),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error, want, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
