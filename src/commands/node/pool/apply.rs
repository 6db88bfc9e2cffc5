//! `drover node pool apply`

use anyhow::{Context, Result};
use drover_model::namespace::NodePool;

use crate::{
    context::{self, Reach, block_on},
    exit::Exit,
};

/// What is not said stays as it is
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The pool's name; with -json, a file (or - for standard input)
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// Read the whole pool as JSON
    #[arg(long, conflicts_with_all = ["description", "meta"])]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let pool = if self.json {
                context::json_file(&self.name)?
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
        Ok(pool)
    }
}
