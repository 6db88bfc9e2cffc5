//! `drover var ...`

pub(crate) mod get;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod purge;
pub(crate) mod put;

use anyhow::Error;
use drover_model::variable::Variable;

use crate::{
    output::{Pairs, Table, date},
    verbs,
};

verbs! {
    /// Write a variable
    Put(put::Args),
    /// Print a variable
    Get(get::Args),
    /// List variables
    List(list::Args),
    /// Delete a variable
    Purge(purge::Args),
    /// Write an example of a file that `var put` reads
    Init(init::Args),
    /// Run a command while holding a variable's lock
    Lock(lock::Args),
}

/// How a variable is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Out {
    Table,
    Json,
    None,
}

pub(crate) fn print(variable: &Variable, out: Out) -> anyhow::Result<()> {
    match out {
        Out::None => Ok(()),
        Out::Json => crate::output::json(variable),
        Out::Table => {
            let metadata = &variable.metadata;
            let mut pairs = Pairs::default();
            pairs.add("Namespace", &metadata.namespace).add("Path", &metadata.path).add("Create Time", date(metadata.create_time));
            if metadata.create_index != metadata.modify_index {
                pairs.add("Modify Time", date(metadata.modify_time));
            }
            pairs.add("Check Index", metadata.modify_index);
            if let Some(lock) = &metadata.lock {
                pairs.add("Lock", format!("held, for {} unless renewed", lock.ttl));
            }
            pairs.print();
            println!("\nItems");
            let mut table = Table::new(["Key", "Value"]);
            for (key, value) in &variable.items {
                table.row([key.clone(), value.expose().to_owned()]);
            }
            table.print();
            Ok(())
        }
    }
}

/// A refusal because of an index or a lock, said for people: the answer itself is the variable as JSON.
pub(crate) fn refused(path: &str, error: drover_api::Error) -> Error {
    let drover_api::Error::Status { status: 409, message, .. } = &error else { return error.into() };
    let found = serde_json::from_str::<Variable>(message).unwrap_or_default();
    if found.metadata.modify_index == 0 {
        return anyhow::anyhow!("{path} was not changed: it is locked by somebody else, or there is no such variable yet");
    }
    anyhow::anyhow!("{path} was not changed: its index is {} by now (-check-index)", found.metadata.modify_index)
}
