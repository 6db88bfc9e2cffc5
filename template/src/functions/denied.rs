//! Patterns of denied names.

/// `*` stands for any run of characters, `?` for one.
pub(super) struct Glob(Vec<char>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.chars().collect())
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        // Where the last `*` stood, and how much of the name it has taken.
        let (mut at, mut read, mut star) = (0, 0, None);
        while read < name.len() {
            match self.0.get(at) {
                Some('*') => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(c) if *c == '?' || *c == name[read] => {
                    at += 1;
                    read += 1;
                }
                _ => match star {
                    Some((back, taken)) => {
                        star = Some((back, taken + 1));
                        at = back + 1;
                        read = taken + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[at..].iter().all(|c| *c == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn globs() {
        for (pattern, name, want) in [
            ("plugin", "plugin", true),
            ("plugin", "plugins", false),
            ("sprig_*", "sprig_env", true),
            ("sprig_*", "toUpper", false),
            ("*Json", "sprig_toJson", true),
            ("*a*b", "xaxbxb", true),
            ("t?L*", "toLower", true),
            ("*", "", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), want, "{pattern} {name}");
        }
    }
}
