//! Paths.

use crate::functions::string;
use crate::go::function::{Function, Type, text};

const STR: Type = Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sprig_base", &[STR], |_, arguments| Ok(string(base(&text(&arguments[0]))))),
    Function::new("sprig_osBase", &[STR], |_, arguments| Ok(string(base(&text(&arguments[0]))))),
    Function::new("sprig_dir", &[STR], |_, arguments| Ok(string(dir(&text(&arguments[0]))))),
    Function::new("sprig_osDir", &[STR], |_, arguments| Ok(string(dir(&text(&arguments[0]))))),
    Function::new("sprig_ext", &[STR], |_, arguments| Ok(string(extension(&text(&arguments[0]))))),
    Function::new("sprig_osExt", &[STR], |_, arguments| Ok(string(extension(&text(&arguments[0]))))),
    Function::new("sprig_clean", &[STR], |_, arguments| Ok(string(clean(&text(&arguments[0]))))),
    Function::new("sprig_osClean", &[STR], |_, arguments| Ok(string(clean(&text(&arguments[0]))))),
    Function::new("sprig_isAbs", &[STR], |_, arguments| Ok(text(&arguments[0]).starts_with('/').into())),
    Function::new("sprig_osIsAbs", &[STR], |_, arguments| Ok(text(&arguments[0]).starts_with('/').into())),
];

fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rfind('.').map_or("", |dot| &name[dot..]).to_owned()
}

/// The shortest path to the same place, as text.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}
