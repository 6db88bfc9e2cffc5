//! `drover namespace apply`

use anyhow::{Context, Result};
use drover_jobspec::Document;
use drover_model::namespace::Namespace;

use crate::{
    context::{self, Reach, block_on},
    exit::Exit,
    specfile,
};

/// What is not said stays as it is
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The namespace's name, or a file that describes all of it (- for standard input)
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label
    #[arg(long, value_name = "KEY=VALUE")]
    meta: Vec<String>,
    /// The quota that counts for it; "" for none
    #[arg(long, value_name = "QUOTA")]
    quota: Option<String>,
    /// The file is JSON, not HCL
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let client = reach.client()?;
        block_on(async {
            let namespace = if self.json || specfile::is_file(&self.name) {
                self.changed(specfile::read(Document::Namespace, &self.name, self.json)?)?
            } else {
                let known = match client.get_namespace(&self.name).await {
                    Ok(known) => known.data,
                    Err(error) if error.is_not_found() => Namespace { name: self.name.clone(), ..Namespace::default() },
                    Err(error) => return Err(error.into()),
                };
                self.changed(known)?
            };
            client.put_namespace(&namespace).await.with_context(|| format!("cannot apply namespace {:?}", namespace.name))?;
            println!("Successfully applied namespace {:?}!", namespace.name);
            Ok(Exit::Ok)
        })
    }

    fn changed(&self, mut namespace: Namespace) -> Result<Namespace> {
        if let Some(description) = &self.description {
            namespace.description.clone_from(description);
        }
        if let Some(quota) = &self.quota {
            namespace.quota.clone_from(quota);
        }
        for pair in &self.meta {
            let (key, value) = context::label(pair)?;
            namespace.meta.insert(key, value);
        }
        Ok(namespace)
    }
}
