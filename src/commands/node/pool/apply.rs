//! `drover node pool apply`

use anyhow::{Context, Result};
use clap::ValueEnum;
use drover_jobspec::Document;
use drover_model::namespace::{NodePool, PoolAlgorithm, PoolScheduling};

use crate::{
    context::{self, Reach, block_on},
    exit::Exit,
    specfile,
};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Algorithm {
    Binpack,
    Spread,
    /// As the cluster's
    Cluster,
}

/// What is not said stays as it is
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The pool's name, or a file that describes all of it (- for standard input)
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// How its jobs are placed
    #[arg(long, value_name = "ALGORITHM")]
    scheduler_algorithm: Option<Algorithm>,
    /// Whether its tasks may be given more memory than is reserved for them
    #[arg(long, value_name = "BOOL")]
    memory_oversubscription: Option<bool>,
    /// The file is JSON, not HCL
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let pool = if self.json || specfile::is_file(&self.name) {
                self.changed(specfile::read(Document::NodePool, &self.name, self.json)?)?
            } else {
                let known = match client.node_pool(&self.name).await {
                    Ok(known) => known.data,
                    Err(error) if error.is_not_found() => NodePool { name: self.name.clone(), ..NodePool::default() },
                    Err(error) => return Err(error.into()),
                };
                self.changed(known)?
            };
            client.put_node_pool(&pool).await.with_context(|| format!("cannot apply node pool {:?}", pool.name))?;
            println!("Successfully applied node pool {:?}!", pool.name);
            Ok(Exit::Ok)
        })
    }

    fn changed(&self, mut pool: NodePool) -> Result<NodePool> {
        if let Some(description) = &self.description {
            pool.description.clone_from(description);
        }
        for pair in &self.meta {
            let (key, value) = context::label(pair)?;
            pool.meta.insert(key, value);
        }
        let mut scheduling = pool.scheduler_configuration.unwrap_or_default();
        if let Some(algorithm) = self.scheduler_algorithm {
            scheduling.scheduler_algorithm = match algorithm {
                Algorithm::Binpack => PoolAlgorithm::Binpack,
                Algorithm::Spread => PoolAlgorithm::Spread,
                Algorithm::Cluster => PoolAlgorithm::Inherited,
            };
        }
        scheduling.memory_oversubscription_enabled = self.memory_oversubscription.or(scheduling.memory_oversubscription_enabled);
        pool.scheduler_configuration = Some(scheduling).filter(|scheduling| *scheduling != PoolScheduling::default());
        Ok(pool)
    }
}
