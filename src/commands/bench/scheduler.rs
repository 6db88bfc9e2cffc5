//! `drover bench scheduler`

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use drover_bench::{
    plot,
    speed::{self, Figure},
};
use drover_runtime::Runtime;
use serde_json::json;

use crate::{context::Reach, exit::Exit, output::table::Table};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Leave the largest jobs out
    #[arg(long)]
    quick: bool,
    /// Draw the curve of the cost into this file, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, _: &Reach) -> Result<Exit> {
        let clock = Runtime::real().clock;
        let begin = clock.now();
        let elapsed = || clock.now().since(begin);
        let mut figures = Vec::new();
        for case in speed::cases(self.quick) {
            figures.push(speed::run(case, &elapsed)?);
            eprint!("\r{} of {} cases", figures.len(), speed::cases(self.quick).len());
        }
        eprintln!();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&figures.iter().map(in_json).collect::<Vec<_>>())?);
        } else {
            print(&figures);
        }
        if let Some(file) = &self.plot {
            std::fs::write(file, plot::svg(&figures)).with_context(|| format!("cannot write the plot {}", file.display()))?;
        }
        Ok(Exit::Ok)
    }
}

fn in_json(figure: &Figure) -> serde_json::Value {
    let case = figure.case;
    json!({
        "Nodes": case.nodes, "Racks": case.racks, "Allocations": case.allocations, "SpreadAndAffinity": case.liking,
        "PlacingSeconds": figure.placing.as_secs_f64(), "PlacementsPerSecond": figure.placements_per_second(),
        "NothingToDoSeconds": figure.looking.as_secs_f64(),
    })
}

fn print(figures: &[Figure]) {
    let mut table =
        Table::new(["Nodes", "Racks", "Allocations", "Spread and affinity", "Placing", "Placements/s", "Nothing to do", "Goal of it"]);
    for figure in figures {
        let case = figure.case;
        table.row([
            case.nodes.to_string(),
            case.racks.to_string(),
            case.allocations.to_string(),
            if case.liking { "yes" } else { "no" }.to_owned(),
            in_ms(figure.placing),
            format!("{:.0}", figure.placements_per_second()),
            in_ms(figure.looking),
            in_ms(figure.looking_goal()),
        ]);
    }
    table.print();
}

fn in_ms(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1000.0)
}
