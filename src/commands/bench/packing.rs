//! `drover bench packing`

use anyhow::Result;
use drover_bench::packing::{self, Filled, Limit, Mix};
use serde_json::json;

use crate::{context::Reach, exit::Exit, output::table::Table};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// How many generated workloads each figure is the mean of
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
}

impl Args {
    pub(crate) fn run(self, _: &Reach) -> Result<Exit> {
        let mut table = Table::new(["Mix", "Search", "Allocations", "CPU", "Memory", "Fuller of the two"]);
        let mut all = Vec::new();
        for mix in Mix::ALL {
            let exact = (0..self.seeds).map(|seed| packing::exact(mix, seed)).collect::<Result<Vec<_>, _>>()?;
            let sampled = |limit| (0..self.seeds).map(|seed| packing::sampled(mix, seed, limit)).collect::<Vec<_>>();
            for (search, filled) in
                [("every node", exact), ("best of log2(nodes)", sampled(Limit::Logarithm)), ("better of two", sampled(Limit::Two))]
            {
                let Filled { allocations, cpu, memory } = packing::mean(&filled);
                let share = |share: f64| format!("{:.1} %", share * 100.0);
                all.push(json!({ "Mix": mix.name(), "Search": search, "Allocations": allocations, "CPU": cpu, "Memory": memory }));
                let name = mix.name().to_owned();
                table.row([name, search.to_owned(), allocations.to_string(), share(cpu), share(memory), share(cpu.max(memory))]);
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&all)?);
        } else {
            table.print();
        }
        Ok(Exit::Ok)
    }
}
