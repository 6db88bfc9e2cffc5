//! Paths of secrets, and who may read them.

use std::fmt;

use drover_model::{job::Job, rpc::Error};

/// What all paths begin with.
const ROOT: &str = "secret/";
/// The longest path.
const PATH_LIMIT: usize = 512;

/// The path of a secret: `secret/NAMESPACE/JOB/...`. As in the API of versioned mounts it may be written `secret/data/NAMESPACE/JOB/...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretPath {
    /// Without `data/`.
    whole: String,
}

impl SecretPath {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let rest = below_root(text).ok_or_else(|| malformed(text))?;
        let parts = rest.split('/').collect::<Vec<_>>();
        let is_sound = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.chars().any(char::is_control);
        if parts.len() < 3 || !parts.iter().all(is_sound) || rest.len() > PATH_LIMIT {
            return Err(malformed(text));
        }
        Ok(Self { whole: format!("{ROOT}{rest}") })
    }

    /// A folder: `secret/NAMESPACE/JOB`, or one below it.
    pub(super) fn parse_folder(text: &str) -> Result<Self, Error> {
        let inside = format!("{}/-", text.trim_end_matches('/'));
        let Self { whole } = Self::parse(&inside)?;
        Ok(Self { whole: whole.trim_end_matches('-').to_owned() })
    }

    /// What stands directly below this folder, if `path` is in it: a name, or a folder's name with a slash.
    pub(super) fn child<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(&self.whole).filter(|rest| !rest.is_empty())?;
        Some(rest.split_inclusive('/').next().unwrap_or(rest))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }

    /// Whether a task of this job may read it: the path must name the job's namespace and the job, or the one that it was dispatched from.
    pub(super) fn is_readable_by(&self, job: &Job) -> bool {
        let below = |id: &str| {
            let rest =
                self.whole.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix(&*job.namespace)).and_then(|rest| rest.strip_prefix('/'));
            !id.is_empty() && rest.and_then(|rest| rest.strip_prefix(id)).is_some_and(|rest| rest.starts_with('/'))
        };
        below(&job.id) || below(&job.parent_id)
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

/// The prefix of stored paths for a prefix as people write it. Nothing at all is everything.
pub(super) fn prefix(text: &str) -> String {
    let text = text.trim_start_matches('/');
    match text.strip_prefix(ROOT) {
        Some(rest) => format!("{ROOT}{}", without_api(rest)),
        None => text.to_owned(),
    }
}

fn below_root(text: &str) -> Option<&str> {
    text.trim_matches('/').strip_prefix(ROOT).map(without_api)
}

/// What is behind the part that versioned mounts have in their API's paths.
fn without_api(rest: &str) -> &str {
    rest.strip_prefix("data/").or_else(|| rest.strip_prefix("metadata/")).unwrap_or(rest)
}

fn malformed(text: &str) -> Error {
    Error::bad_request(format!("{text:?} is no path of a secret: write secret/NAMESPACE/JOB/NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_path() {
        for text in ["secret/default/shop/config", "secret/data/default/shop/config", "/secret/data/default/shop/config/"] {
            assert_eq!(SecretPath::parse(text).unwrap().as_str(), "secret/default/shop/config");
        }
        for text in [
            "",
            "secret",
            "secret/",
            "secret/default/shop",
            "secret/data/default/shop",
            "kv/default/shop/x",
            "secret/a//b/c",
            "secret/a/../b/c",
            "secret/a/b/c\n",
        ] {
            assert!(SecretPath::parse(text).is_err(), "{text:?}");
        }
        for (text, stored) in
            [("", ""), ("secret/", "secret/"), ("secret/data/default", "secret/default"), ("/secret/default/shop/", "secret/default/shop/")]
        {
            assert_eq!(prefix(text), stored, "{text:?}");
        }
    }

    #[test]
    fn a_folder_shows_what_is_directly_below_it() {
        let folder = SecretPath::parse_folder("secret/metadata/default/shop").unwrap();
        assert_eq!(folder.as_str(), "secret/default/shop/");
        for (path, want) in [
            ("secret/default/shop/config", Some("config")),
            ("secret/default/shop/keys/a", Some("keys/")),
            ("secret/default/shop/", None),
            ("secret/default/shopping/config", None),
        ] {
            assert_eq!(folder.child(path), want, "{path}");
        }
        assert!(SecretPath::parse_folder("secret/default").is_err(), "no job");
    }

    #[test]
    fn a_job_reads_what_names_it() {
        let job = |id: &str, parent: &str| Job {
            id: id.into(),
            namespace: "default".into(),
            parent_id: parent.into(),
            ..(*Job::placeholder()).clone()
        };
        for (path, id, parent, readable) in [
            ("secret/default/shop/config", "shop", "", true),
            ("secret/default/shop/a/b", "shop", "", true),
            ("secret/default/shopping/config", "shop", "", false),
            ("secret/default/db/config", "shop", "", false),
            ("secret/prod/shop/config", "shop", "", false),
            ("secret/defaultshop/shop/config", "shop", "", false),
            ("secret/default/report/config", "report/dispatch-1-2", "report", true),
            ("secret/default/report/config", "report2/dispatch-1-2", "report2", false),
        ] {
            let path = SecretPath::parse(path).unwrap();
            assert_eq!(path.is_readable_by(&job(id, parent)), readable, "{path} {id}");
        }
    }
}
