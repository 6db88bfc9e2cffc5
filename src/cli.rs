//! The tree of commands. Each leaf's flags and work stand in its own file under `commands/`.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{commands, context::Reach, exit::Exit};

/// The open orchestrator for the job files that people already have
#[derive(Debug, Parser)]
#[command(name = "drover", version, after_help = START)]
pub(crate) struct Cli {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    command: Command,
}

const START: &str = "Start on a laptop:\n  drover agent -dev              a server, a client, a catalogue, secrets and a CA in one process\n  drover job run FILE            run a job file and follow its deployment\n  drover job status JOB          see how it does";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an agent: a server, a client, or both
    Agent(Box<commands::agent::Args>),
    /// Register, change, watch and stop jobs
    #[command(subcommand)]
    Job(commands::job::Command),
    /// What jobs let autoscalers do
    #[command(subcommand)]
    Scaling(commands::scaling::Command),
    /// Follow an agent's log
    Monitor(commands::monitor::Args),
    /// Show the figures that an agent keeps of itself
    AgentInfo(commands::agent_info::Args),
    /// See and steer deployments
    #[command(subcommand)]
    Deployment(commands::deployment::Command),
    /// See and steer single allocations
    #[command(subcommand)]
    Alloc(commands::alloc::Command),
    /// See nodes, drain them, take them out of scheduling
    #[command(subcommand)]
    Node(commands::node::Command),
    /// Divide jobs into namespaces
    #[command(subcommand)]
    Namespace(commands::namespace::Command),
    /// Limit what the allocations of namespaces hold together
    #[command(subcommand)]
    Quota(commands::quota::Command),
    /// Make and see volumes on nodes
    #[command(subcommand)]
    Volume(commands::volume::Command),
    /// See evaluations
    #[command(subcommand)]
    Eval(commands::eval::Command),
    /// See the services of the servers' own catalogue
    #[command(subcommand)]
    Service(commands::service::Command),
    /// The embedded key-value store
    #[command(subcommand)]
    Kv(commands::kv::Command),
    /// The embedded secret store
    #[command(subcommand)]
    Secret(commands::secret::Command),
    /// Variables: small sets of texts that jobs read, encrypted at rest
    #[command(subcommand)]
    Var(commands::var::Command),
    /// Check configurations of agents
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Render templates as tasks would see them
    #[command(subcommand)]
    Template(commands::template::Command),
    /// Measure this machine
    #[command(subcommand)]
    Bench(commands::bench::Command),
    /// The embedded certificate authority
    #[command(subcommand)]
    Ca(commands::ca::Command),
    /// See the servers
    #[command(subcommand)]
    Server(commands::server::Command),
    /// An authority and certificates for the agents themselves
    #[command(subcommand)]
    Tls(commands::tls::Command),
    /// Housekeeping of the servers
    #[command(subcommand)]
    System(commands::system::Command),
    /// Let workloads log in at Consul and Vault
    #[command(subcommand)]
    Setup(commands::setup::Command),
    /// Call any path of the API
    #[command(subcommand)]
    Operator(commands::operator::Command),
    /// Simulate nodes, as many as wanted
    Sim(commands::sim::Args),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completion(commands::completion::Args),
    /// The same as `job run`
    #[command(hide = true)]
    Run(commands::job::run::Args),
    /// The same as `job plan`
    #[command(hide = true)]
    Plan(commands::job::plan::Args),
    /// The same as `job validate`
    #[command(hide = true)]
    Validate(commands::job::validate::Args),
    /// The same as `job status`
    #[command(hide = true)]
    Status(commands::job::status::Args),
    /// The same as `job stop`
    #[command(hide = true)]
    Stop(commands::job::stop::Args),
    /// The same as `job inspect`
    #[command(hide = true)]
    Inspect(commands::job::inspect::Args),
    /// The same as `alloc logs`
    #[command(hide = true)]
    Logs(commands::alloc::logs::Args),
    /// The same as `job start`
    #[command(hide = true)]
    Start(commands::job::start::Args),
    /// The same as `job init`
    #[command(hide = true)]
    Init(commands::job::init::Args),
    /// The same as `alloc exec`
    #[command(hide = true)]
    Exec(commands::alloc::exec::Args),
    /// The same as `alloc fs`
    #[command(hide = true)]
    Fs(commands::alloc::fs::Args),
    /// The same as `alloc status`
    #[command(hide = true)]
    AllocStatus(commands::alloc::status::Args),
    /// The same as `eval status`
    #[command(hide = true)]
    EvalStatus(commands::eval::status::Args),
    /// The same as `node status`
    #[command(hide = true)]
    NodeStatus(commands::node::status::Args),
    /// The same as `node drain`
    #[command(hide = true)]
    NodeDrain(commands::node::drain::Args),
    /// The same as `node config`
    #[command(hide = true)]
    ClientConfig(commands::node::config::Args),
    /// The same as `server members`
    #[command(hide = true)]
    ServerMembers(commands::server::members::Args),
    /// The same as `server join`
    #[command(hide = true)]
    ServerJoin(commands::server::join::Args),
    /// The same as `server force-leave`
    #[command(hide = true)]
    ServerForceLeave(commands::server::force_leave::Args),
}

impl Cli {
    pub(crate) fn run(self) -> Result<Exit> {
        let reach = &self.reach;
        match self.command {
            Command::Agent(args) => args.run(reach),
            Command::Job(command) => command.run(reach),
            Command::Scaling(command) => command.run(reach),
            Command::Monitor(args) => args.run(reach),
            Command::AgentInfo(args) => args.run(reach),
            Command::Deployment(command) => command.run(reach),
            Command::Alloc(command) => command.run(reach),
            Command::Node(command) => command.run(reach),
            Command::Namespace(command) => command.run(reach),
            Command::Quota(command) => command.run(reach),
            Command::Volume(command) => command.run(reach),
            Command::Eval(command) => command.run(reach),
            Command::Service(command) => command.run(reach),
            Command::Kv(command) => command.run(reach),
            Command::Secret(command) => command.run(reach),
            Command::Var(command) => command.run(reach),
            Command::Config(command) => command.run(reach),
            Command::Template(command) => command.run(reach),
            Command::Bench(command) => command.run(reach),
            Command::Ca(command) => command.run(reach),
            Command::Server(command) => command.run(reach),
            Command::Tls(command) => command.run(reach),
            Command::System(command) => command.run(reach),
            Command::Setup(command) => command.run(reach),
            Command::Operator(command) => command.run(reach),
            Command::Sim(args) => args.run(reach),
            Command::Version => {
                println!("Drover v{}", env!("CARGO_PKG_VERSION"));
                Ok(Exit::Ok)
            }
            Command::Completion(args) => args.run(),
            Command::Run(args) => args.run(reach),
            Command::Plan(args) => args.run(reach),
            Command::Validate(args) => args.run(reach),
            Command::Status(args) => args.run(reach),
            Command::Stop(args) => args.run(reach),
            Command::Inspect(args) => args.run(reach),
            Command::Logs(args) => args.run(reach),
            Command::Start(args) => args.run(reach),
            Command::Init(args) => args.run(reach),
            Command::Exec(args) => args.run(reach),
            Command::Fs(args) => args.run(reach),
            Command::AllocStatus(args) => args.run(reach),
            Command::EvalStatus(args) => args.run(reach),
            Command::NodeStatus(args) => args.run(reach),
            Command::NodeDrain(args) => args.run(reach),
            Command::ClientConfig(args) => args.run(reach),
            Command::ServerMembers(args) => args.run(reach),
            Command::ServerJoin(args) => args.run(reach),
            Command::ServerForceLeave(args) => args.run(reach),
        }
    }
}

/// Declares a noun's verbs: an enum whose `run` hands over to the verb's own arguments.
#[macro_export]
macro_rules! verbs {
    ($($(#[$meta:meta])* $name:ident($args:path)),+ $(,)?) => {
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Command {
            $($(#[$meta])* $name($args)),+
        }

        impl Command {
            pub(crate) fn run(self, reach: &$crate::context::Reach) -> anyhow::Result<$crate::exit::Exit> {
                match self {
                    $(Self::$name(args) => args.run(reach)),+
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }
}
