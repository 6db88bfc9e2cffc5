//! `drover quota init`

use anyhow::Result;

use crate::{context::Reach, exit::Exit, specfile};

const HCL: &str = r#"name        = "default-quota"
description = "What the namespaces that name this quota may hold together"

# One limit for each region. What is not said, or 0, is not limited; -1 allows nothing of it.
limit {
  region = "global"

  region_limit {
    # MHz of tasks that do not reserve whole cores
    cpu = 2500
    # Cores of those that do
    cores = 0
    # MiB
    memory     = 1000
    memory_max = 1000

    device "nvidia/gpu" {
      count = 1
    }
  }

  # MiB
  variables_limit = 1000
}
"#;

const JSON: &str = r#"{
  "Name": "default-quota",
  "Description": "What the namespaces that name this quota may hold together",
  "Limits": [
    {
      "Region": "global",
      "RegionLimit": {
        "CPU": 2500,
        "Cores": 0,
        "MemoryMB": 1000,
        "MemoryMaxMB": 1000,
        "Devices": [
          {
            "Name": "nvidia/gpu",
            "Count": 1
          }
        ]
      },
      "VariablesLimit": 1000
    }
  ]
}
"#;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file to write; spec.hcl, or spec.json
    file: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        let (name, example) = if self.json { ("spec.json", JSON) } else { ("spec.hcl", HCL) };
        specfile::write_example("quota", self.file.as_deref().unwrap_or(name), example)?;
        Ok(Exit::Ok)
    }
}

#[cfg(test)]
mod tests {
    use drover_jobspec::{Document, parse_document};
    use drover_model::quota::QuotaSpec;

    use super::*;

    #[test]
    fn both_examples_say_the_same_and_can_be_applied() {
        let hcl: QuotaSpec = serde_json::from_value(parse_document(Document::Quota, HCL, "spec.hcl").unwrap()).unwrap();
        let json: QuotaSpec = serde_json::from_str(JSON).unwrap();
        assert_eq!(hcl, json);
        assert_eq!(hcl.check(), Ok(()));
    }
}
