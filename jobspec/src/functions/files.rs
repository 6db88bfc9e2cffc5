//! Functions that look at files. Only a command line may allow them; a server must not read its own files for whoever submits a job.

use std::{
    fmt, io,
    path::{Component, Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

/// The files that a job file may read.
pub trait Files: fmt::Debug {
    /// The folder that relative paths start from.
    fn base(&self) -> &Path;
    /// The folder that `~` stands for.
    fn home(&self) -> Option<PathBuf>;
    /// The content of a file, refused when it is larger than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// All files beneath a folder, at most `limit` of them, as paths relative to it.
    fn list(&self, folder: &Path, limit: usize) -> io::Result<Vec<PathBuf>>;
}

/// The files of this machine.
#[derive(Clone, Debug)]
pub struct LocalFiles {
    pub base: PathBuf,
    pub home: Option<PathBuf>,
}

impl Files for LocalFiles {
    fn base(&self) -> &Path {
        &self.base
    }

    fn home(&self) -> Option<PathBuf> {
        self.home.clone()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        use io::Read as _;
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::other(format!("the file is larger than {limit} bytes")));
        }
        Ok(bytes)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(&self, folder: &Path, limit: usize) -> io::Result<Vec<PathBuf>> {
        let mut open = vec![folder.to_owned()];
        let mut files = Vec::new();
        while let Some(next) = open.pop() {
            for entry in std::fs::read_dir(&next)? {
                let entry = entry?;
                if open.len() + files.len() >= limit {
                    return Err(io::Error::other(format!("there are more than {limit} files")));
                }
                if entry.file_type()?.is_dir() {
                    open.push(entry.path());
                } else if let Ok(relative) = entry.path().strip_prefix(folder) {
                    files.push(relative.to_owned());
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

pub(super) const TABLE: &[Function] = &[
    function("abspath", &["path"], None, |e, a| Ok(path_value(&clean(&resolve(allowed(e)?, &a.text(0)?))))),
    function("basename", &["path"], None, |e, a| {
        allowed(e)?;
        Ok(Value::from(a.text(0)?.trim_end_matches('/').rsplit('/').next().unwrap_or_default()))
    }),
    function("dirname", &["path"], None, |e, a| {
        allowed(e)?;
        let text = a.text(0)?;
        let parent = Path::new(&*text).parent().filter(|parent| !parent.as_os_str().is_empty());
        Ok(parent.map_or_else(|| Value::from("."), path_value))
    }),
    function("file", &["path"], None, |e, a| {
        let (path, bytes) = content(e, a)?;
        String::from_utf8(bytes)
            .map(Value::from)
            .map_err(|_| Failure::Argument(0, format!("contents of {} are not valid UTF-8", path.display())))
    }),
    function("filebase64", &["path"], None, |e, a| Ok(Value::from(STANDARD.encode(content(e, a)?.1)))),
    function("fileexists", &["path"], None, |e, a| {
        let files = allowed(e)?;
        let path = resolve(files, &a.text(0)?);
        files.exists(&path).map(Value::Bool).map_err(|error| Failure::Call(format!("failed to look at {}: {error}", path.display())))
    }),
    function("fileset", &["path", "pattern"], None, fileset),
    function("pathexpand", &["path"], None, |e, a| Ok(path_value(&expand(allowed(e)?, &a.text(0)?)))),
];

/// The largest file that a job file may include.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The most files that `fileset` looks at.
const MAX_FILES: usize = 10_000;

fn allowed<'a>(environment: &Environment<'a>) -> Result<&'a dyn Files, Failure> {
    environment.files.ok_or_else(|| Failure::Call("filesystem function disabled".to_owned()))
}

fn path_value(path: &Path) -> Value {
    Value::from(path.to_string_lossy().into_owned())
}

fn expand(files: &dyn Files, text: &str) -> PathBuf {
    match (text.strip_prefix('~'), files.home()) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

fn resolve(files: &dyn Files, text: &str) -> PathBuf {
    files.base().join(expand(files, text))
}

/// Without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

fn content(environment: &Environment<'_>, arguments: Arguments<'_>) -> Result<(PathBuf, Vec<u8>), Failure> {
    let files = allowed(environment)?;
    let path = resolve(files, &arguments.text(0)?);
    match files.read(&path, MAX_FILE_BYTES) {
        Ok(bytes) => Ok((path, bytes)),
        Err(error) => Err(Failure::Argument(0, format!("failed to read {}: {error}", path.display()))),
    }
}

fn fileset(environment: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let files = allowed(environment)?;
    let folder = resolve(files, &arguments.text(0)?);
    let pattern = glob(&arguments.text(1)?)?;
    let found = files.list(&folder, MAX_FILES).map_err(|error| Failure::Call(format!("failed to list {}: {error}", folder.display())))?;
    let matching = found.iter().map(|path| path.to_string_lossy()).filter(|path| pattern.is_match(path));
    Ok(Value::set(matching.map(|path| Value::from(&*path))))
}

/// A pattern with `*`, `**`, `?`, `[...]` and `{a,b}` as a regular expression.
fn glob(pattern: &str) -> Result<regex::Regex, Failure> {
    let mut expression = String::from("^");
    let mut chars = pattern.chars().peekable();
    let mut braces = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                expression.push_str(if chars.next_if_eq(&'/').is_some() { "(?:.*/)?" } else { ".*" });
            }
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            '[' => expression.push(c),
            ']' => expression.push(c),
            '{' => {
                braces += 1;
                expression.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                expression.push(')');
            }
            ',' if braces > 0 => expression.push('|'),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push('$');
    regex::Regex::new(&expression).map_err(|_| Failure::Argument(1, format!("failed to read the pattern {pattern:?}")))
}
