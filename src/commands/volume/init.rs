//! `drover volume init`

use anyhow::Result;

use super::{HOST, check_type};
use crate::{context::Reach, exit::Exit, specfile};

const HCL: &str = r#"name      = "data"
type      = "host"
namespace = "default"

# mkdir is built in: the volume is a folder on the node's disk.
plugin_id = "mkdir"

# The node with the fewest volumes among those that meet this; node_id = "..." names one.
constraint {
  attribute = "${attr.kernel.name}"
  value     = "linux"
}

# One for each way in which jobs may use it: single-node-writer, single-node-single-writer,
# single-node-multi-writer, single-node-reader-only.
capability {
  access_mode     = "single-node-single-writer"
  attachment_mode = "file-system"
}

parameters {
  mode = "0750"
}
"#;

const JSON: &str = r#"{
  "Name": "data",
  "Type": "host",
  "Namespace": "default",
  "PluginID": "mkdir",
  "Constraints": [
    {
      "LTarget": "${attr.kernel.name}",
      "RTarget": "linux",
      "Operand": "="
    }
  ],
  "RequestedCapabilities": [
    {
      "AccessMode": "single-node-single-writer",
      "AttachmentMode": "file-system"
    }
  ],
  "Parameters": {
    "mode": "0750"
  }
}
"#;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file to write; volume.hcl, or volume.json
    file: Option<String>,
    /// The volume's type
    #[arg(long = "type", value_name = "TYPE", default_value = HOST)]
    kind: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        check_type(&self.kind)?;
        let (name, example) = if self.json { ("volume.json", JSON) } else { ("volume.hcl", HCL) };
        specfile::write_example("volume", self.file.as_deref().unwrap_or(name), example)?;
        Ok(Exit::Ok)
    }
}

#[cfg(test)]
mod tests {
    use drover_jobspec::{Document, parse_document};
    use drover_model::volume::Volume;

    use super::*;

    #[test]
    fn both_examples_say_the_same_and_can_be_created() {
        let hcl: Volume = serde_json::from_value(parse_document(Document::HostVolume, HCL, "volume.hcl").unwrap()).unwrap();
        let json: Volume = serde_json::from_str(JSON).unwrap();
        assert_eq!(hcl, json);
        assert_eq!(hcl.check(), Ok(()));
    }
}
