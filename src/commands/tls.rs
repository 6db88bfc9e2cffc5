//! `drover tls ...`: an authority and certificates for the agents themselves. Nothing is asked of any agent.

mod ca;
mod cert;
mod files;

use crate::verbs;

verbs! {
    /// The authority that signs the agents' certificates
    Ca(ca::Args),
    /// The agents' certificates
    Cert(cert::Args),
}
