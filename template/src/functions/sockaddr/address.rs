//! Addresses as values of expressions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::go::function::Fault;
use crate::go::object::record;
use crate::go::value::{ListType, Value};
use crate::host::InterfaceAddress;

/// The name that expressions are about.
pub(super) type Address = InterfaceAddress;

const LIST: &str = "sockaddr.IfAddrs";

/// Networks by the number of the RFC that sets them apart.
const NETWORKS: [(&str, &[&str]); 7] = [
    ("1122", &["0.0.0.0/8", "127.0.0.0/8"]),
    ("1918", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
    ("3927", &["169.254.0.0/16"]),
    ("4193", &["fc00::/7"]),
    ("4291", &["::/128", "::1/128", "fe80::/10", "ff00::/8"]),
    ("6598", &["100.64.0.0/10"]),
    (
        "6890",
        &[
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "::1/128",
            "::/128",
            "64:ff9b::/96",
            "100::/64",
            "2001::/23",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
        ],
    ),
];

impl Address {
    /// True if an RFC of that number names the address.
    pub(super) fn is_in_rfc(&self, number: &str) -> bool {
        let networks = NETWORKS.iter().find(|(known, _)| *known == number).map(|(_, networks)| *networks).unwrap_or_default();
        networks.iter().any(|network| contains(network, self.address))
    }

    pub(super) fn is_private(&self) -> bool {
        ["1918", "6598", "4193"].iter().any(|number| self.is_in_rfc(number))
    }

    pub(super) fn is_public(&self) -> bool {
        !self.is_in_rfc("6890") && !self.is_in_rfc("4291")
    }

    /// An attribute by its name.
    pub(super) fn attribute(&self, name: &str) -> Result<String, Fault> {
        Ok(match name {
            "address" => self.address.to_string(),
            "name" => self.name.clone(),
            "network" => format!("{}/{}", masked(self.address, self.prefix), self.prefix),
            "mask_bits" => self.prefix.to_string(),
            "netmask" => match self.address {
                IpAddr::V4(_) => masked(IpAddr::V4(Ipv4Addr::BROADCAST), self.prefix).to_string(),
                IpAddr::V6(_) => masked(IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)), self.prefix).to_string(),
            },
            "size" => self.size().to_string(),
            "type" => self.kind().to_owned(),
            "flags" => self.flags().join("|"),
            "string" | "" => format!("{}/{}", self.address, self.prefix),
            other => return Err(Fault::Message(format!("unsupported attribute name: {other:?}"))),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.address.is_ipv4() { "IPv4" } else { "IPv6" }
    }

    pub(super) fn flags(&self) -> Vec<&'static str> {
        [(self.is_up, "up"), (self.is_loopback, "loopback")].into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
    }

    /// How many addresses the network has.
    pub(super) fn size(&self) -> u128 {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        1u128.checked_shl(bits - u32::from(self.prefix)).unwrap_or(u128::MAX)
    }

    fn value(&self) -> Value {
        record(
            "sockaddr.IfAddr",
            vec![
                ("Name", Value::from(&self.name)),
                ("Address", Value::from(self.address.to_string())),
                ("Prefix", Value::int(self.prefix.into())),
                ("Up", Value::Bool(self.is_up)),
                ("Loopback", Value::Bool(self.is_loopback)),
                ("Default", Value::Bool(self.is_default)),
            ],
        )
    }

    fn read(value: &Value) -> Option<Self> {
        let Value::Object(object) = value else { return None };
        let text = |name: &str| object.field(name).as_ref().and_then(Value::text).map(|text| text.to_str().into_owned());
        let flag = |name: &str| object.field(name).is_some_and(|value| value.truth());
        Some(Self {
            name: text("Name")?,
            address: text("Address")?.parse().ok()?,
            prefix: u8::try_from(crate::go::function::integer(&object.field("Prefix")?)).ok()?,
            is_up: flag("Up"),
            is_loopback: flag("Loopback"),
            is_default: flag("Default"),
        })
    }
}

pub(super) fn list(addresses: Vec<Address>) -> Value {
    Value::list(ListType::Of(LIST), addresses.iter().map(Address::value).collect())
}

/// What a filter was given.
pub(super) fn given(value: &Value) -> Result<Vec<Address>, Fault> {
    match value {
        Value::List(list) if list.of == ListType::Of(LIST) => Ok(list.items.iter().filter_map(Address::read).collect()),
        other => Err(Fault::Message(format!("wrong type for value; expected {LIST}; got {}", other.type_name()))),
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

/// True if the address lies in `network/prefix`; a network without a prefix is one address.
pub(super) fn contains(network: &str, address: IpAddr) -> bool {
    let (base, prefix) = network.split_once('/').unwrap_or((network, "128"));
    let (Ok(base), Ok(prefix)) = (base.parse::<IpAddr>(), prefix.parse::<u8>()) else { return false };
    base.is_ipv4() == address.is_ipv4() && masked(base, prefix) == masked(address, prefix)
}
