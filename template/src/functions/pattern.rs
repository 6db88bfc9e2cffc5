//! Regular expressions as templates write them: the classes `\d`, `\s`, `\w` and the boundary `\b` mean ASCII.

use regex::{Regex, RegexBuilder};

use crate::go::function::Fault;
use crate::limits::REGEX_BYTES;

pub(super) fn compile(source: &str) -> Result<Regex, Fault> {
    let built = RegexBuilder::new(&ascii_classes(source)).size_limit(REGEX_BYTES).build();
    built.map_err(|error| Fault::Message(format!("error parsing regexp: {}", reason(source, &error))))
}

/// What is wrong, and the part of the expression that is.
fn reason(source: &str, error: &regex::Error) -> String {
    let regex::Error::Syntax(text) = error else {
        return format!("expression nests too deeply or is larger than {REGEX_BYTES} bytes: `{source}`");
    };
    let from = |c: char| source.rfind(c).map_or(source, |at| &source[at..]);
    let (what, part) = if text.contains("unclosed group") {
        ("missing closing )", source)
    } else if text.contains("unopened group") {
        ("unexpected )", source)
    } else if text.contains("unclosed character class") {
        ("missing closing ]", from('['))
    } else if text.contains("repetition operator missing expression") {
        let at = source.find(['*', '+', '?']).unwrap_or(0);
        ("missing argument to repetition operator", source.get(at..=at).unwrap_or(source))
    } else if text.contains("unrecognized escape sequence") {
        ("invalid escape sequence", from('\\'))
    } else if text.contains("invalid character class range") {
        ("invalid character class range", source)
    } else {
        ("syntax error", source)
    };
    format!("{what}: `{part}`")
}

/// Rewrites the classes; inside brackets they lose their own.
fn ascii_classes(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut chars = source.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => push_escape(&mut out, chars.next(), in_class),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket that comes first is an ordinary member.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if chars.peek() != Some(&':') => out.push_str("\\["),
            '[' => {
                // A named class, taken whole.
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            // These combine sets here and mean nothing there.
            '&' | '~' if in_class => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}

fn push_escape(out: &mut String, escape: Option<char>, in_class: bool) {
    let class = match escape {
        Some('d') => Some("0-9"),
        Some('s') => Some("\\t\\n\\x0c\\r "),
        Some('w') => Some("0-9A-Za-z_"),
        _ => None,
    };
    match (escape, class) {
        (_, Some(class)) if in_class => out.push_str(class),
        (_, Some(class)) => *out += &format!("[{class}]"),
        (Some('D'), _) if !in_class => out.push_str("[^0-9]"),
        (Some('S'), _) if !in_class => out.push_str("[^\\t\\n\\x0c\\r ]"),
        (Some('W'), _) if !in_class => out.push_str("[^0-9A-Za-z_]"),
        (Some('b'), _) if !in_class => out.push_str("(?-u:\\b)"),
        (Some('Q'), _) | (Some('E'), _) => {}
        (Some(other), _) => out.extend(['\\', other]),
        (None, _) => out.push('\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn classes_are_ascii_and_brackets_survive() {
        for (pattern, text, want) in [
            (r"^\d+$", "42", true),
            (r"^\d+$", "٤٢", false),
            (r"^[\w.-]+$", "a.b-c_1", true),
            (r"^[[:alpha:]\d]+$", "a1", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]]+$", "a]", false),
            (r"\bword\b", "a word!", true),
            ("(?i)ABC", "xabcx", true),
            (r"^[a&&b~~]+$", "&ab~", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(text), want, "{pattern} {text}");
        }
        assert!(compile("(").is_err());
        assert!(compile("(a{1000}){1000}").is_err());
    }
}
