//! `drover tls ca create`

use std::path::PathBuf;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};

use crate::{
    commands::tls::files::{valid_for, write_new},
    context::Reach,
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The authority's name
    #[arg(long, default_value = "Drover Agent CA", value_name = "NAME")]
    common_name: String,
    /// How long it lasts
    #[arg(long, default_value_t = 1825, value_name = "DAYS")]
    days: u32,
    /// The domain of the certificates, and the beginning of the files' names
    #[arg(long, default_value = "nomad", value_name = "DOMAIN")]
    domain: String,
}

impl Args {
    pub(crate) fn run(self, _reach: &Reach) -> Result<Exit> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, &self.common_name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        valid_for(&mut parameters, self.days)?;
        let certificate = parameters.self_signed(&key)?;
        let path = |kind: &str| PathBuf::from(format!("{}-agent-{kind}.pem", self.domain));
        let (certificate_path, key_path) = (path("ca"), path("ca-key"));
        write_new(&key_path, &key.serialize_pem(), true)?;
        write_new(&certificate_path, &certificate.pem(), false)?;
        println!("==> CA certificate saved to: {}", certificate_path.display());
        println!("==> CA certificate key saved to: {}", key_path.display());
        Ok(Exit::Ok)
    }
}
