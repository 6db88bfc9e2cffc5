//! `drover var list`

use anyhow::Result;

use super::Out;
use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{Table, date},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only paths that begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// Only those that this expression holds for
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// So many
    #[arg(long, value_name = "N")]
    per_page: Option<u32>,
    /// Where the last page ended
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
    /// table or json
    #[arg(long, value_enum, default_value = "table", hide_default_value = true)]
    out: Out,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        let per_page = self.per_page.map(|count| count.to_string());
        let mut query = vec![("prefix", self.prefix.as_str())];
        for (name, value) in [("filter", &self.filter), ("per_page", &per_page), ("next_token", &self.page_token)] {
            if let Some(value) = value {
                query.push((name, value));
            }
        }
        block_on(async {
            let found = client.variable_list(&query).await?;
            match self.out {
                Out::None => {}
                Out::Json => crate::output::json(&found)?,
                Out::Table if found.is_empty() => eprintln!("No variables found"),
                Out::Table => {
                    let mut table = Table::new(["Namespace", "Path", "Last Updated"]);
                    for one in found {
                        table.row([one.namespace.to_string(), one.path, date(one.modify_time)]);
                    }
                    table.print();
                }
            }
            Ok(Exit::Ok)
        })
    }
}
