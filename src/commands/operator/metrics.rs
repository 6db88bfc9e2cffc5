//! `drover operator metrics`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::Shown,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// How: json, or prometheus where the agent's telemetry allows it
    #[arg(long, value_name = "FORMAT", value_parser = ["json", "prometheus"], default_value = "json")]
    format: String,
    /// The same as -format json with indents
    #[arg(long, hide = true)]
    pretty: bool,
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            if self.format == "prometheus" {
                let text = client.raw("GET", "/v1/metrics", &[("format", "prometheus")], Vec::new()).await?.data;
                print!("{}", String::from_utf8_lossy(&text));
                return Ok(Exit::Ok);
            }
            let figures: serde_json::Value = client.get("/v1/metrics", &[]).await?.data;
            self.shown.print_at_least_json(&figures)?;
            Ok(Exit::Ok)
        })
    }
}
