//! `drover tls cert create`

use std::{net::IpAddr, path::PathBuf};

use anyhow::{Context, Result};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType};

use crate::{
    commands::tls::files::{valid_for, write_new},
    context::Reach,
    exit::Exit,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    role: Role,
    /// The domain of the certificate
    #[arg(long, default_value = "nomad", value_name = "DOMAIN")]
    domain: String,
    /// One more name; may be given several times
    #[arg(long, value_name = "NAME")]
    additional_dnsname: Vec<String>,
    /// One more address; may be given several times
    #[arg(long, value_name = "IP")]
    additional_ipaddress: Vec<IpAddr>,
    /// The authority's certificate [default: DOMAIN-agent-ca.pem]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The authority's key [default: DOMAIN-agent-ca-key.pem]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How long it lasts
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    days: u32,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Role {
    /// For a server
    #[arg(long)]
    server: bool,
    /// For a client
    #[arg(long)]
    client: bool,
    /// For the command line
    #[arg(long)]
    cli: bool,
}

impl Role {
    fn word(&self) -> &'static str {
        match self {
            Self { server: true, .. } => "server",
            Self { client: true, .. } => "client",
            _ => "cli",
        }
    }
}

impl Args {
    pub(crate) fn run(self, reach: &Reach) -> Result<Exit> {
        let region = reach.region().unwrap_or("global");
        let role = self.role.word();
        let name = format!("{role}.{region}.{}", self.domain);
        let mut names = vec![name.clone(), "localhost".to_owned()];
        names.extend(self.additional_dnsname.iter().cloned());
        let mut parameters = CertificateParams::new(names).context("a name cannot be in a certificate")?;
        parameters.subject_alt_names.push(SanType::IpAddress(IpAddr::from([127, 0, 0, 1])));
        parameters.subject_alt_names.extend(self.additional_ipaddress.iter().copied().map(SanType::IpAddress));
        parameters.distinguished_name.push(DnType::CommonName, &name);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        // Agents dial each other and are dialled with the same certificate.
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        valid_for(&mut parameters, self.days)?;

        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer()?)?;
        let path = |kind: &str| PathBuf::from(format!("{region}-{role}-{}{kind}.pem", self.domain));
        let (certificate_path, key_path) = (path(""), path("-key"));
        write_new(&key_path, &key.serialize_pem(), true)?;
        write_new(&certificate_path, &certificate.pem(), false)?;
        println!("==> {} certificate saved to: {}", heading(role), certificate_path.display());
        println!("==> {} certificate key saved to: {}", heading(role), key_path.display());
        Ok(Exit::Ok)
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>> {
        let default = |kind: &str| PathBuf::from(format!("{}-agent-{kind}.pem", self.domain));
        let read = |given: &Option<PathBuf>, kind: &str| {
            let path = given.clone().unwrap_or_else(|| default(kind));
            std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {} (make an authority with `drover tls ca create`)", path.display()))
        };
        let key = KeyPair::from_pem(&read(&self.key, "ca-key")?).context("the authority's key cannot be used")?;
        Issuer::from_ca_cert_pem(&read(&self.ca, "ca")?, key).context("the authority's certificate cannot be used")
    }
}

fn heading(role: &str) -> &'static str {
    match role {
        "server" => "Server",
        "client" => "Client",
        _ => "Cli",
    }
}
