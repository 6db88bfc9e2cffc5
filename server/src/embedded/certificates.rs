//! The cluster's certificate authority: made once, kept encrypted, asked by tasks.

use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc, time::Duration};

use drover_model::{
    rpc::{
        Error,
        embedded::{CaInfo, CaRotate, CaShow},
        node::{CertificateIssue, IssuedCertificate},
    },
    secret::SecretText,
};

use drover_runtime::apart;

use super::{
    Stores, access,
    authority::{self, AuthorityError, KeyKind, Subject},
    names::{Role, own_addresses},
};
use crate::{
    fsm::command::{Applied, Command},
    identity::{StoredCa, seal, with_key},
    state::State,
};

/// The name under which the authority's key is encrypted.
const KEY_NAME: &str = "ca/key";
/// Earlier authorities that are remembered.
const PREVIOUS_LIMIT: usize = 5;
/// Names and addresses in one certificate.
const NAMES_LIMIT: usize = 64;

impl Stores {
    /// Shows the authority; makes it first when there is none.
    pub async fn ca_show(&self, _: CaShow) -> Result<CaInfo, Error> {
        let ca = self.authority().await?;
        Ok(info(&ca))
    }

    /// Replaces the authority.
    pub async fn ca_rotate(&self, _: CaRotate) -> Result<CaInfo, Error> {
        let state = self.state.snapshot();
        match self.make_authority(&state).await? {
            Applied::Conflict { .. } => Err(Error::new(409, "somebody else rotated the certificate authority at the same time")),
            applied => applied.accepted(),
        }?;
        self.state.snapshot().ca().map(|ca| info(ca)).ok_or_else(not_there_yet)
    }

    /// Issues a certificate to a task that runs on the calling node.
    pub async fn certificate_issue(&self, request: CertificateIssue) -> Result<IssuedCertificate, Error> {
        let subject = {
            let state = self.state.snapshot();
            let (node, allocation) = access::workload(&state, &request.auth)?;
            let default = Role::default();
            let role = self.config.roles.get(&request.role).unwrap_or(&default);
            subject(role, &request.parameters, &own_addresses(node, allocation))?
        };
        let ca = self.authority().await?;
        let key = self.open_key(&ca)?;
        let (now, random) = (self.clock.now(), Arc::clone(&self.random));
        let previous = ca.previous_pem.clone();
        let issued = apart(move || authority::issue(&ca.certificate_pem, &key, &subject, now, &*random)).await;
        let mut issued = finished(issued)?;
        // Whoever was given a certificate of an earlier authority is trusted on.
        issued.ca_chain_pem.extend(previous);
        Ok(issued)
    }

    async fn authority(&self) -> Result<Arc<StoredCa>, Error> {
        let state = self.state.snapshot();
        match state.ca() {
            Some(ca) => Ok(Arc::clone(ca)),
            None => {
                match self.make_authority(&state).await? {
                    // Another request made one meanwhile, which is as good.
                    Applied::Conflict { .. } => {}
                    applied => applied.accepted().map(|_| ())?,
                }
                self.state.snapshot().ca().cloned().ok_or_else(not_there_yet)
            }
        }
    }

    /// Makes an authority that takes the place of the one in `state`, unless that is no longer the newest.
    async fn make_authority(&self, state: &State) -> Result<Applied, Error> {
        let (_, key) = with_key(&self.state).await?;
        let now = self.clock.now();
        let name = format!("Drover CA {}", self.random.number() % 1_000_000);
        let random = Arc::clone(&self.random);
        let (certificate_pem, private_key) = finished(apart(move || authority::create(&name, now, &*random)).await)?;
        let sealed = seal::seal(&key, KEY_NAME, private_key.expose().as_bytes(), &*self.random)
            .map_err(|error| Error::internal(error.to_string()))?;
        let mut previous_pem: Vec<String> =
            state.ca().map(|ca| std::iter::once(&ca.certificate_pem).chain(&ca.previous_pem).cloned().collect()).unwrap_or_default();
        previous_pem.truncate(PREVIOUS_LIMIT);
        let ca = StoredCa { certificate_pem, key: sealed, previous_pem, create_time: now };
        self.propose.propose(Command::CaUpsert { ca: Box::new(ca) }).await
    }

    fn open_key(&self, ca: &StoredCa) -> Result<SecretText, Error> {
        let state = self.state.snapshot();
        let key =
            state.key(ca.key.key_id).ok_or_else(|| Error::internal("the key that the certificate authority is encrypted under is gone"))?;
        seal::open_text(key, KEY_NAME, &ca.key).map_err(|error| Error::internal(error.to_string()))
    }
}

fn not_there_yet() -> Error {
    Error::unavailable("the certificate authority is not there yet: try again")
}

/// The outcome of work that was done aside.
fn finished<T>(outcome: io::Result<Result<T, AuthorityError>>) -> Result<T, Error> {
    outcome.map_err(|_| Error::internal("making a certificate was cut off"))?.map_err(|error| Error::internal(error.to_string()))
}

fn info(ca: &StoredCa) -> CaInfo {
    CaInfo { certificate_pem: ca.certificate_pem.clone(), previous_pem: ca.previous_pem.clone(), created: ca.create_time }
}

/// Reads the parameters of a request, as Vault's PKI has them, and refuses what the role does not allow.
fn subject(role: &Role, parameters: &BTreeMap<String, String>, own: &std::collections::BTreeSet<IpAddr>) -> Result<Subject, Error> {
    let parameter = |name: &str| parameters.get(name).map(|value| value.trim()).unwrap_or_default();
    let list =
        |name: &str| parameter(name).split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let common_name = parameter("common_name").to_owned();
    if common_name.is_empty() {
        return Err(Error::bad_request("the common_name field is required"));
    }
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    for name in std::iter::once(common_name.clone()).chain(list("alt_names")).chain(list("ip_sans")) {
        match name.parse::<IpAddr>() {
            Ok(address) if role.allows_address(address, own) => addresses.push(address),
            Ok(address) => return Err(Error::bad_request(format!("the address {address} is neither loopback nor one of the task's own"))),
            Err(_) if role.allows_name(&name) => names.push(name),
            Err(_) => {
                let allowed = role.allowed_names.join(", ");
                return Err(Error::bad_request(format!("the name {name:?} is not allowed by this role (allowed: {allowed})")));
            }
        }
    }
    names.dedup();
    addresses.dedup();
    if names.len() + addresses.len() > NAMES_LIMIT {
        return Err(Error::bad_request(format!("more than {NAMES_LIMIT} names in one certificate")));
    }
    let kind = parameter("key_type");
    let key = KeyKind::parse(kind).ok_or_else(|| Error::bad_request(format!("unknown key_type {kind:?}: use ec, ed25519 or rsa")))?;
    let ttl = match parameter("ttl") {
        "" => role.default_ttl,
        text => {
            duration(text).ok_or_else(|| Error::bad_request(format!("{text:?} is no duration: write 24h, 90m or a number of seconds")))?
        }
    };
    Ok(Subject { common_name, names, addresses, ttl: ttl.min(role.max_ttl), key })
}

/// `24h`, `1h30m`, `7d`, or a number of seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds)).filter(|duration| !duration.is_zero());
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..].find(|character: char| character.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        let seconds = match &rest[end..unit_end] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        total = total.checked_add(Duration::from_secs(number.checked_mul(seconds)?))?;
        rest = &rest[unit_end..];
    }
    Some(total).filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn parameters_are_read_as_vaults() {
        let asked = parameters(&[
            ("common_name", "shop.service.consul"),
            ("alt_names", "a.local, localhost"),
            ("ip_sans", "127.0.0.1"),
            ("ttl", "1000h"),
        ]);
        let subject = subject(&Role::default(), &asked, &BTreeSet::new()).unwrap();
        assert_eq!(subject.names, ["shop.service.consul", "a.local", "localhost"]);
        assert_eq!(subject.addresses, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!((subject.ttl, subject.key), (Duration::from_secs(72 * 3600), KeyKind::Ecdsa));
    }

    #[test]
    fn what_the_role_does_not_allow_is_refused_with_what_it_does() {
        for (asked, why) in [
            (&[] as &[(&str, &str)], "common_name"),
            (&[("common_name", "example.org")], "*.service.consul"),
            (&[("common_name", "a.local"), ("ip_sans", "10.9.9.9")], "10.9.9.9"),
            (&[("common_name", "a.local"), ("key_type", "dsa")], "dsa"),
            (&[("common_name", "a.local"), ("ttl", "soon")], "soon"),
        ] {
            let error = subject(&Role::default(), &parameters(asked), &BTreeSet::new()).unwrap_err();
            assert!(error.status == 400 && error.message.contains(why), "{error}");
        }
    }

    #[test]
    fn durations_have_units_or_are_seconds() {
        for (text, seconds) in [
            ("24h", Some(86_400)),
            ("1h30m", Some(5_400)),
            ("7d", Some(604_800)),
            ("90", Some(90)),
            ("", None),
            ("h", None),
            ("1x", None),
            ("0", None),
            ("1h2", None),
        ] {
            assert_eq!(duration(text).map(|found| found.as_secs()), seconds, "{text:?}");
        }
    }
}
