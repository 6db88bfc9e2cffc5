//! `drover job init`

use anyhow::Result;

use crate::{context::Reach, exit::Exit, specfile};

const EXAMPLE: &str = r#"# A job is what runs as one: registered, changed and stopped together.
# `drover job plan example.nomad.hcl` says what would change, `drover job run example.nomad.hcl` does it.
job "example" {
  # What runs for ever is a "service", what ends by itself a "batch". A "system" job runs once on every node.
  type = "service"

  # Where it may run. "*" stands for any text.
  datacenters = ["*"]

  # How a new version takes the place of the old one.
  update {
    max_parallel     = 1
    min_healthy_time = "5s"

    # Bring the last version back that was healthy, if this one is not.
    auto_revert = true
  }

  # The tasks of a group run on one node and share its network and its folder.
  group "web" {
    # So many of them.
    count = 2

    # Between leaving the catalogue and being told to stop, so that nobody is sent to one that has gone.
    shutdown_delay = "2s"

    network {
      # A free port of the node, known to the tasks as NOMAD_PORT_http.
      port "http" {}
    }

    # Others find the group's instances under this name.
    service {
      name     = "example"
      port     = "http"
      provider = "nomad"

      check {
        type     = "http"
        path     = "/"
        interval = "5s"
        timeout  = "1s"
      }
    }

    task "server" {
      # raw_exec starts a program of the node itself.
      driver = "raw_exec"

      config {
        command = "python3"
        args    = ["-m", "http.server", "${NOMAD_PORT_http}", "--directory", "local"]
      }

      # A file made of a template; a change of what the template reads makes the file anew.
      template {
        destination = "local/index.html"
        data        = "<h1>This is {{ env \"NOMAD_ALLOC_NAME\" }}</h1>"
      }

      resources {
        cpu    = 100 # MHz
        memory = 64  # MiB
      }
    }
  }
}
"#;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file to write
    #[arg(default_value = "example.nomad.hcl")]
    file: String,
    /// Without comments
    #[arg(long)]
    short: bool,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        let text = if self.short { without_comments(EXAMPLE) } else { EXAMPLE.to_owned() };
        specfile::write_example("job", &self.file, &text)?;
        Ok(Exit::Ok)
    }
}

/// Without the lines that say nothing else, and without the gap that one of them follows.
fn without_comments(text: &str) -> String {
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    let lines: Vec<&str> = text.lines().collect();
    let follows = |position: usize| lines.get(position + 1).is_some_and(|next| is_comment(next));
    let is_left_out = |position: usize, line: &str| is_comment(line) || (line.is_empty() && follows(position));
    let kept = lines.iter().enumerate().filter(|(position, line)| !is_left_out(*position, line));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use drover_jobspec::ParseOptions;

    use super::*;

    #[test]
    fn the_example_is_a_job_with_and_without_comments() {
        let short = without_comments(EXAMPLE);
        assert!(short.lines().count() < EXAMPLE.lines().count() && !short.contains("\n#") && short.contains("# MHz"));
        let [long, short] = [EXAMPLE, &short].map(|text| drover_jobspec::parse(text, &ParseOptions::default()).unwrap().0);
        assert_eq!((&long, long.task_groups[0].count), (&short, Some(2)));
    }
}
