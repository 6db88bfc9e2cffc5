//! `drover job scaling-events`

use anyhow::Result;

use crate::{
    context::{Reach, block_on},
    exit::Exit,
    output::{self, Shown, Table, date},
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The job's id, or the start of it
    job: String,
    #[command(flatten)]
    shown: Shown,
    /// Show messages and evaluations too
    #[arg(long)]
    verbose: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let id = super::find(&client, &self.job).await?;
            let status = client.scale_status(&id).await?.data;
            let mut events: Vec<_> =
                status.task_groups.iter().flat_map(|(group, status)| status.events.iter().map(move |event| (group, event))).collect();
            events.sort_by_key(|(_, event)| std::cmp::Reverse(event.create_index));
            if self.shown.print(&events)? {
                return Ok(Exit::Ok);
            }
            if events.is_empty() {
                println!("No events found");
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(["Task Group", "Count", "PrevCount", "Date", "Error", "Message", "Eval ID"]);
            if !self.verbose {
                table = Table::new(["Task Group", "Count", "PrevCount", "Date"]);
            }
            for (group, event) in events {
                let count = event.count.map_or_else(|| "N/A".to_owned(), |count| count.to_string());
                let short = [group.to_string(), count, event.previous_count.to_string(), date(event.time)];
                if self.verbose {
                    let [group, count, previous, date] = short;
                    let eval = event.eval_id.map_or_else(String::new, |id| output::id(id, true));
                    table.row([group, count, previous, date, event.error.to_string(), event.message.clone(), eval]);
                } else {
                    table.row(short);
                }
            }
            table.print();
            Ok(Exit::Ok)
        })
    }
}
