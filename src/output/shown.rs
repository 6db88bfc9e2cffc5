//! What is read, as programs and scripts want it.

use anyhow::{Context, Result};
use drover_runtime::Clock as _;
use serde::Serialize;

/// How something is printed that is not printed for people.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Shown {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print through a Go template over that JSON, such as '{{.ID}}'
    #[arg(short = 't', value_name = "TEMPLATE", conflicts_with = "json", allow_hyphen_values = true)]
    template: Option<String>,
}

impl Shown {
    /// Prints it as JSON or through the template; false: neither was asked for.
    pub(crate) fn print(&self, value: &impl Serialize) -> Result<bool> {
        if self.through_template(value)? {
            return Ok(true);
        }
        if self.json {
            super::json(value)?;
        }
        Ok(self.json)
    }

    /// The same for what is printed as JSON anyway.
    pub(crate) fn print_at_least_json(&self, value: &impl Serialize) -> Result<()> {
        if self.through_template(value)? { Ok(()) } else { super::json(value) }
    }

    /// Prints it through the template; false: there is none.
    pub(crate) fn through_template(&self, value: &impl Serialize) -> Result<bool> {
        let Some(template) = &self.template else { return Ok(false) };
        let rendered = drover_template::render_value(template, &serde_json::to_value(value)?, drover_runtime::RealClock.now().0);
        let text = rendered.context("-t")?;
        print!("{text}{}", if text.ends_with('\n') { "" } else { "\n" });
        Ok(true)
    }
}
