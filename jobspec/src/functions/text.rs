//! Text.

use super::*;

pub(super) const TABLE: &[Function] = &[
    function("chomp", &["str"], None, |_, a| Ok(Value::from(a.text(0)?.trim_end_matches(['\r', '\n'])))),
    function("format", &["format"], Some("args"), |_, a| format::format(a)),
    function("formatlist", &["format"], Some("args"), |_, a| format::formatlist(a)),
    function("indent", &["spaces", "str"], None, |_, a| indent(a)),
    function("join", &["separator"], Some("lists"), |_, a| join(a)),
    function("lower", &["str"], None, |_, a| Ok(Value::from(a.text(0)?.to_lowercase()))),
    function("regex_replace", &["str", "pattern", "replace"], None, |_, a| regex_replace(a)),
    function("replace", &["str", "substr", "replace"], None, |_, a| replace(a)),
    function("split", &["separator", "str"], None, |_, a| split(a)),
    function("strlen", &["str"], None, |_, a| Ok(Value::from(a.text(0)?.chars().count() as i64))),
    function("strrev", &["str"], None, |_, a| Ok(Value::from(a.text(0)?.chars().rev().collect::<String>()))),
    function("substr", &["str", "offset", "length"], None, |_, a| substr(a)),
    function("title", &["str"], None, |_, a| title(a)),
    function("trim", &["str", "cutset"], None, |_, a| trim(a)),
    function("trimprefix", &["str", "prefix"], None, |_, a| {
        let text = a.text(0)?;
        Ok(Value::from(text.strip_prefix(&*a.text(1)?).unwrap_or(&text)))
    }),
    function("trimspace", &["str"], None, |_, a| Ok(Value::from(a.text(0)?.trim()))),
    function("trimsuffix", &["str", "suffix"], None, |_, a| {
        let text = a.text(0)?;
        Ok(Value::from(text.strip_suffix(&*a.text(1)?).unwrap_or(&text)))
    }),
    function("upper", &["str"], None, |_, a| Ok(Value::from(a.text(0)?.to_uppercase()))),
];

/// The longest text that a function makes.
const MAX_TEXT_BYTES: usize = 4 << 20;

fn bounded(text: String) -> Outcome {
    if text.len() > MAX_TEXT_BYTES {
        return failure(format!("the text would have more than {MAX_TEXT_BYTES} bytes"));
    }
    Ok(Value::from(text))
}

fn indent(arguments: Arguments<'_>) -> Outcome {
    let (spaces, text) = (arguments.int(0)?, arguments.text(1)?);
    let Some(spaces) = usize::try_from(spaces).ok().filter(|spaces| *spaces <= 1000) else {
        return Err(Failure::Argument(0, "between 0 and 1000 spaces are possible".to_owned()));
    };
    let lines = text.matches('\n').count();
    if lines.saturating_mul(spaces) > MAX_TEXT_BYTES {
        return failure(format!("the text would have more than {MAX_TEXT_BYTES} bytes"));
    }
    Ok(Value::from(text.replace('\n', &format!("\n{}", " ".repeat(spaces)))))
}

fn join(arguments: Arguments<'_>) -> Outcome {
    let separator = arguments.text(0)?;
    if arguments.len() < 2 {
        return failure("at least one list is required");
    }
    let mut all = Vec::new();
    for at in 1..arguments.len() {
        all.extend(arguments.texts(at)?);
    }
    bounded(all.join(&separator))
}

fn regex_replace(arguments: Arguments<'_>) -> Outcome {
    let (text, pattern, replacement) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    let regex = regex::RegexBuilder::new(&pattern).size_limit(1 << 20).build().map_err(|error| Failure::Argument(1, error.to_string()))?;
    bounded(regex.replace_all(&text, &*replacement).into_owned())
}

fn replace(arguments: Arguments<'_>) -> Outcome {
    let (text, from, to) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    if text.len().saturating_add(1).saturating_mul(to.len().max(1)) > MAX_TEXT_BYTES * 16 {
        return failure(format!("the text would have more than {MAX_TEXT_BYTES} bytes"));
    }
    bounded(text.replace(&*from, &to))
}

fn split(arguments: Arguments<'_>) -> Outcome {
    let (separator, text) = (arguments.text(0)?, arguments.text(1)?);
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| Value::from(c.to_string())).collect()
    } else {
        text.split(&*separator).map(Value::from).collect()
    };
    Ok(Value::list(parts))
}

fn substr(arguments: Arguments<'_>) -> Outcome {
    let (text, offset, length) = (arguments.text(0)?, arguments.int(1)?, arguments.int(2)?);
    let count = text.chars().count();
    // A negative offset counts from the end, a negative length means "to the end".
    let start = match usize::try_from(offset) {
        Ok(offset) => offset,
        Err(_) => count.saturating_sub(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Value::from(text.chars().skip(start).take(length).collect::<String>()))
}

fn title(arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(0)?;
    let mut previous = ' ';
    let mut titled = String::with_capacity(text.len());
    for c in text.chars() {
        if previous.is_alphanumeric() || matches!(previous, '_' | '\'') {
            titled.push(c)
        } else {
            titled.extend(c.to_uppercase())
        }
        previous = c;
    }
    Ok(Value::from(titled))
}

fn trim(arguments: Arguments<'_>) -> Outcome {
    let (text, cutset) = (arguments.text(0)?, arguments.text(1)?);
    Ok(Value::from(text.trim_matches(|c| cutset.contains(c))))
}
