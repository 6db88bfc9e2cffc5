//! How things are printed.

pub(crate) mod diff;
pub(crate) mod shown;
pub(crate) mod table;
pub(crate) mod when;

use anyhow::Result;
use serde::Serialize;

pub(crate) use shown::Shown;
pub(crate) use table::{Pairs, Table};
pub(crate) use when::{ago, date};

/// `1m30s`, `200ms`.
pub(crate) fn duration(duration: std::time::Duration) -> String {
    drover_model::spec::format_duration(drover_model::time::nanos_of(duration))
}

/// The first eight characters of an id, or all of it.
pub(crate) fn id(id: impl ToString, verbose: bool) -> String {
    let full = id.to_string();
    if verbose { full } else { full.chars().take(8).collect() }
}

pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// What has a name and a description, as a table unless something else is asked for.
pub(crate) fn described<T: Serialize>(items: &[T], shown: &Shown, of: impl Fn(&T) -> (&String, &String)) -> Result<()> {
    if shown.print(&items)? {
        return Ok(());
    }
    let mut table = Table::new(["Name", "Description"]);
    for (name, description) in items.iter().map(of) {
        table.row([name.clone(), description.clone()]);
    }
    table.print();
    Ok(())
}

/// A heading over a part of an answer.
pub(crate) fn heading(text: &str, colours: bool) {
    if colours { println!("\n\x1b[1m{text}\x1b[0m") } else { println!("\n{text}") }
}

/// A status in the colour that says at a glance what it is.
pub(crate) fn status(word: &str, colours: bool) -> String {
    let colour = match word {
        "running" | "successful" | "ready" | "complete" | "healthy" | "passing" | "alive" => 32,
        "failed" | "lost" | "down" | "critical" | "dead" => 31,
        "pending" | "paused" | "blocked" | "unknown" | "cancelled" => 33,
        _ => return word.to_owned(),
    };
    if colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

/// What the standard library says when it cannot print because whoever read has gone.
const UNREAD: &str = "Broken pipe";

/// `drover job status | head` is no mistake: a command whose output nobody reads any more ends without a word, as others do.
pub(crate) fn end_quietly_when_unread() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|text| text.starts_with("failed printing to") && text.contains(UNREAD)) {
            std::process::exit(0);
        }
        usual(panic);
    }));
}
