//! The certificate authority itself: making it, and issuing from it. Nothing here knows the state.

use std::{net::IpAddr, time::Duration};

use drover_model::{rpc::node::IssuedCertificate, secret::SecretText, time::UnixNanos};
use drover_runtime::Random;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    RsaKeySize, SanType, SerialNumber,
};

/// How long an authority lasts.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How far back certificates hold, for peers whose clock is late.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The kinds of keys that certificates are issued with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KeyKind {
    #[default]
    Ecdsa,
    Ed25519,
    /// 2048 bits. Making one takes long enough to be done where it blocks nobody.
    Rsa,
}

impl KeyKind {
    /// As in Vault's `key_type`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "any" | "ec" | "ecdsa" => Some(Self::Ecdsa),
            "ed25519" => Some(Self::Ed25519),
            "rsa" => Some(Self::Rsa),
            _ => None,
        }
    }

    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            Self::Ecdsa => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            Self::Rsa => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum AuthorityError {
    #[error("the certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// A new authority: its certificate and its key, in PEM form.
pub(super) fn create(name: &str, now: UnixNanos, random: &dyn Random) -> Result<(String, SecretText), AuthorityError> {
    let key = KeyKind::Ecdsa.generate()?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(name);
    parameters.serial_number = Some(serial(random));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut parameters, now, AUTHORITY_LIFE);
    let certificate = parameters.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem().into()))
}

/// What a certificate is to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) common_name: String,
    pub(super) names: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: Duration,
    pub(super) key: KeyKind,
}

/// Issues a certificate with a new key.
pub(super) fn issue(
    authority_pem: &str,
    authority_key: &SecretText,
    subject: &Subject,
    now: UnixNanos,
    random: &dyn Random,
) -> Result<IssuedCertificate, AuthorityError> {
    let issuer = Issuer::from_ca_cert_pem(authority_pem, KeyPair::from_pem(authority_key.expose())?)?;
    let key = subject.key.generate()?;
    let serial = serial(random);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(&subject.common_name);
    parameters.serial_number = Some(serial.clone());
    for name in &subject.names {
        parameters.subject_alt_names.push(SanType::DnsName(name.clone().try_into()?));
    }
    parameters.subject_alt_names.extend(subject.addresses.iter().copied().map(SanType::IpAddress));
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if subject.key == KeyKind::Rsa {
        parameters.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let (not_before, not_after) = set_validity(&mut parameters, now, subject.ttl);
    let certificate = parameters.signed_by(&key, &issuer)?;
    Ok(IssuedCertificate {
        certificate_pem: certificate.pem(),
        private_key_pem: key.serialize_pem().into(),
        ca_pem: authority_pem.to_owned(),
        ca_chain_pem: vec![authority_pem.to_owned()],
        serial: serial.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        not_before,
        not_after,
    })
}

/// Sets from when to when it holds; gives both in Unix seconds.
fn set_validity(parameters: &mut CertificateParams, now: UnixNanos, life: Duration) -> (i64, i64) {
    let begin = u64::try_from(now.seconds()).unwrap_or(0).saturating_sub(CLOCK_SKEW.as_secs());
    let end = begin.saturating_add(CLOCK_SKEW.as_secs()).saturating_add(life.as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + Duration::from_secs(begin);
    parameters.not_after = epoch + Duration::from_secs(end);
    (i64::try_from(begin).unwrap_or(i64::MAX), i64::try_from(end).unwrap_or(i64::MAX))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// 16 random bytes that make a positive number.
fn serial(random: &dyn Random) -> SerialNumber {
    let mut bytes = random.id_bytes();
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

#[cfg(test)]
mod tests {
    use drover_runtime::OsRandom;
    use x509_parser::{pem::parse_x509_pem, prelude::GeneralName};

    use super::*;

    const NOW: i64 = 1_795_212_493;

    fn now() -> UnixNanos {
        UnixNanos(NOW * 1_000_000_000)
    }

    #[test]
    fn what_is_issued_chains_to_the_authority_and_names_what_was_asked() {
        let (authority, authority_key) = create("Drover CA", now(), &OsRandom).unwrap();
        for key in [KeyKind::Ecdsa, KeyKind::Ed25519, KeyKind::Rsa] {
            let subject = Subject {
                common_name: "shop.service.consul".into(),
                names: vec!["shop.service.consul".into()],
                addresses: vec!["127.0.0.1".parse().unwrap()],
                ttl: Duration::from_secs(3600),
                key,
            };
            let issued = issue(&authority, &authority_key, &subject, now(), &OsRandom).unwrap();
            assert_eq!((issued.not_before, issued.not_after), (NOW - 60, NOW + 3600));
            let (_, authority_pem) = parse_x509_pem(authority.as_bytes()).unwrap();
            let (_, leaf_pem) = parse_x509_pem(issued.certificate_pem.as_bytes()).unwrap();
            let (root, leaf) = (authority_pem.parse_x509().unwrap(), leaf_pem.parse_x509().unwrap());
            assert!(root.is_ca() && !leaf.is_ca());
            assert_eq!(leaf.issuer(), root.subject());
            leaf.verify_signature(Some(root.public_key())).expect("signed by the authority");
            root.verify_signature(None).expect("self-signed");
            assert_eq!((leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp()), (NOW - 60, NOW + 3600));
            let names = leaf.subject_alternative_name().unwrap().unwrap().value.general_names.clone();
            assert_eq!(names, [GeneralName::DNSName("shop.service.consul"), GeneralName::IPAddress(&[127, 0, 0, 1])]);
            assert_eq!(leaf.raw_serial_as_string(), issued.serial);
            assert!(issued.private_key_pem.expose().contains("PRIVATE KEY") && !format!("{issued:?}").contains("PRIVATE KEY"));
            let (other, _) = create("Drover CA", now(), &OsRandom).unwrap();
            let (_, other_pem) = parse_x509_pem(other.as_bytes()).unwrap();
            assert!(leaf.verify_signature(Some(other_pem.parse_x509().unwrap().public_key())).is_err());
        }
    }
}
