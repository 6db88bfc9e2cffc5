//! Files and folders of configuration.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use super::{Config, ConfigError, hcl, section::Section, top};

/// Applies a file, or the files of a folder in the order of their names.
pub(super) fn load(path: &Path, config: &mut Config) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return load_file(path, config);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.is_file() && file.extension().is_some_and(|extension| extension == "hcl" || extension == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(ConfigError::Empty { path: path.to_owned() });
    }
    files.sort();
    files.iter().try_for_each(|file| load_file(file, config))
}

fn load_file(path: &Path, config: &mut Config) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(hcl::MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > hcl::MAX_FILE_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit: hcl::MAX_FILE_BYTES });
    }
    config.files.push(path.to_owned());
    apply_text(&text, &path.display().to_string(), config)
}

pub(super) fn apply_text(text: &str, file: &str, config: &mut Config) -> Result<(), ConfigError> {
    let body = hcl::parse(text, file).map_err(|error| ConfigError::Syntax(error.to_string()))?;
    let mut section = Section::new("", body);
    top::apply(&mut section, config)?;
    section.finish()
}
