//! The tables of `docs/benchmarks.md`, as Markdown. `cargo bench -p drover-bench -- --plot docs/scheduler-cost.svg` draws the curve as well.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
#![allow(clippy::print_stdout, reason = "printing is its work")]
#![allow(clippy::disallowed_methods, reason = "what is measured here is real time")]

use std::time::Instant;

use drover_bench::{
    packing::{self, Limit, Mix},
    plot, speed,
};

const SEEDS: u64 = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |flag: &str| arguments.iter().position(|argument| argument == flag).and_then(|at| arguments.get(at + 1));
    let begin = Instant::now();
    let elapsed = || begin.elapsed();
    println!(
        "| nodes | racks | allocations | spread and affinity | placing | placements/s | nothing to do |\n|---|---|---|---|---|---|---|"
    );
    let mut figures = Vec::new();
    for case in speed::cases(arguments.iter().any(|argument| argument == "--quick")) {
        let figure = speed::run(case, &elapsed).unwrap();
        let (placing, looking) = (figure.placing.as_secs_f64() * 1e3, figure.looking.as_secs_f64() * 1e3);
        let (nodes, racks, allocations, liking) = (case.nodes, case.racks, case.allocations, if case.liking { "yes" } else { "no" });
        let rate = figure.placements_per_second();
        println!("| {nodes} | {racks} | {allocations} | {liking} | {placing:.2} ms | {rate:.0} | {looking:.3} ms |");
        figures.push(figure);
    }
    if let Some(file) = value_of("--plot") {
        std::fs::write(file, plot::svg(&figures)).unwrap();
    }
    packing();
}

fn packing() {
    println!("\n| mix | every node | best of log2(nodes) | better of two |\n|---|---|---|---|");
    for mix in Mix::ALL {
        let exact: Vec<_> = (0..SEEDS).map(|seed| packing::exact(mix, seed).unwrap()).collect();
        let sampled = |limit| (0..SEEDS).map(|seed| packing::sampled(mix, seed, limit)).collect::<Vec<_>>();
        let cell = |filled: &[packing::Filled]| {
            let mean = packing::mean(filled);
            format!("{:.1} % ({} allocations)", mean.bound() * 100.0, mean.allocations)
        };
        let (logarithm, two) = (sampled(Limit::Logarithm), sampled(Limit::Two));
        println!("| {} | {} | {} | {} |", mix.name(), cell(&exact), cell(&logarithm), cell(&two));
    }
}
