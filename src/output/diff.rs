//! What changed in a specification, as `job plan` and `job history` show it.

use serde_json::Value;

/// Prints a job's diff: `+` added, `-` deleted, `+/-` edited.
pub(crate) fn print(diff: &Value, verbose: bool, colours: bool) {
    let mut lines = Vec::new();
    object(diff, 0, &format!("Job: {}", quoted(&diff["ID"])), verbose, &mut lines);
    for line in lines {
        println!("{}", coloured(&line, colours));
    }
}

fn object(diff: &Value, depth: usize, title: &str, verbose: bool, lines: &mut Vec<String>) {
    let kind = diff["Type"].as_str().unwrap_or("None");
    if kind == "None" && !verbose && depth > 0 {
        return;
    }
    lines.push(format!("{}{}{}", marker(kind), "  ".repeat(depth), title));
    for field in items(&diff["Fields"]) {
        line(field, depth + 1, verbose, lines);
    }
    for inner in items(&diff["Objects"]) {
        object(inner, depth + 1, &text(&inner["Name"]), verbose, lines);
    }
    for group in items(&diff["TaskGroups"]) {
        object(group, depth, &format!("Task Group: {}{}", quoted(&group["Name"]), updates(&group["Updates"])), verbose, lines);
    }
    for task in items(&diff["Tasks"]) {
        let notes: Vec<String> = items(&task["Annotations"]).map(text).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        object(task, depth + 1, &format!("Task: {}{notes}", quoted(&task["Name"])), verbose, lines);
    }
}

fn line(field: &Value, depth: usize, verbose: bool, lines: &mut Vec<String>) {
    let kind = field["Type"].as_str().unwrap_or("None");
    if kind == "None" && !verbose {
        return;
    }
    let (old, new) = (quoted(&field["Old"]), quoted(&field["New"]));
    let change = match kind {
        "Added" => new,
        "Deleted" => old,
        "Edited" => format!("{old} => {new}"),
        _ => old,
    };
    let notes: Vec<String> = items(&field["Annotations"]).map(text).collect();
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    lines.push(format!("{}{}{}: {change}{notes}", marker(kind), "  ".repeat(depth), text(&field["Name"])));
}

/// ` (1 create, 2 in-place update)`.
fn updates(counts: &Value) -> String {
    let Some(counts) = counts.as_object().filter(|counts| !counts.is_empty()) else { return String::new() };
    let parts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    format!(" ({})", parts.join(", "))
}

fn marker(kind: &str) -> &'static str {
    match kind {
        "Added" => "+   ",
        "Deleted" => "-   ",
        "Edited" => "+/- ",
        _ => "    ",
    }
}

fn coloured(line: &str, colours: bool) -> String {
    let colour = match line.split(' ').next() {
        Some("+") => 32,
        Some("-") => 31,
        Some("+/-") => 33,
        _ => return line.to_owned(),
    };
    if colours { format!("\x1b[{colour}m{line}\x1b[0m") } else { line.to_owned() }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn quoted(value: &Value) -> String {
    format!("{:?}", text(value))
}
