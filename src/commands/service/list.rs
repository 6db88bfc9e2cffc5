//! `drover service list`

use anyhow::Result;
use serde_json::Value;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Shown, Table},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: Shown,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let namespaces: Value = client.get("/v1/services", &[]).await?.data;
            if self.shown.print(&namespaces)? {
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Service Name", "Tags"]);
            for service in namespaces.as_array().into_iter().flatten().flat_map(|n| n["Services"].as_array().into_iter().flatten()) {
                let tags: Vec<&str> = service["Tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                table.row([service["ServiceName"].as_str().unwrap_or_default().to_owned(), format!("[{}]", tags.join(","))]);
            }
            if table.is_empty() {
                println!("No service registrations found")
            } else {
                table.print()
            }
            Ok(Exit::Ok)
        })
    }
}
