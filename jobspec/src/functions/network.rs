//! Addresses and prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

pub(super) const TABLE: &[Function] = &[
    function("cidrhost", &["prefix", "hostnum"], None, |_, a| cidrhost(a)),
    function("cidrnetmask", &["prefix"], None, |_, a| cidrnetmask(a)),
    function("cidrsubnet", &["prefix", "newbits", "netnum"], None, |_, a| cidrsubnet(a)),
    function("cidrsubnets", &["prefix"], Some("newbits"), |_, a| cidrsubnets(a)),
];

/// A network: its address as a number, how many bits of it are fixed, of how many.
#[derive(Clone, Copy)]
struct Prefix {
    base: u128,
    length: u32,
    bits: u32,
}

impl Prefix {
    fn parse(text: &str) -> Result<Self, Failure> {
        let invalid = || Failure::Call(format!("invalid CIDR expression: invalid CIDR address: {text}"));
        let (address, length) = text.split_once('/').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let length: u32 = length.parse().map_err(|_| invalid())?;
        let (value, bits) = match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        if length > bits {
            return Err(invalid());
        }
        let prefix = Self { base: value, length, bits };
        Ok(Self { base: value & !prefix.host_mask(), ..prefix })
    }

    /// Ones where the host part is.
    fn host_mask(self) -> u128 {
        let free = self.bits - self.length;
        if free >= 128 { u128::MAX } else { (1_u128 << free) - 1 }
    }

    fn address(self, value: u128) -> IpAddr {
        match u32::try_from(value) {
            Ok(value) if self.bits == 32 => IpAddr::V4(Ipv4Addr::from(value)),
            _ => IpAddr::V6(Ipv6Addr::from(value)),
        }
    }

    fn text(self) -> String {
        format!("{}/{}", self.address(self.base), self.length)
    }
}

fn cidrhost(arguments: Arguments<'_>) -> Outcome {
    let prefix = Prefix::parse(&arguments.text(0)?)?;
    let number = arguments.int(1)?;
    let hosts = prefix.host_mask();
    let distance = u128::from(number.unsigned_abs());
    // Negative numbers count back from the end of the range.
    let host = if number >= 0 { Some(distance).filter(|d| *d <= hosts) } else { hosts.checked_sub(distance - 1) };
    match host {
        Some(host) => Ok(Value::from(prefix.address(prefix.base | host).to_string())),
        None => failure(format!("prefix of {} does not accommodate a host numbered {number}", prefix.length)),
    }
}

fn cidrnetmask(arguments: Arguments<'_>) -> Outcome {
    let prefix = Prefix::parse(&arguments.text(0)?)?;
    if prefix.bits != 32 {
        return failure("IPv6 addresses cannot have a netmask");
    }
    Ok(Value::from(prefix.address(!prefix.host_mask() & u128::from(u32::MAX)).to_string()))
}

/// The network of `newbits` more bits whose number is `netnum`.
fn subnet(prefix: Prefix, newbits: i64, netnum: u128) -> Result<Prefix, Failure> {
    let new = u32::try_from(newbits).ok().filter(|new| prefix.length + new <= prefix.bits);
    let Some(new) = new else {
        return failure(format!("insufficient address space to extend prefix of {} by {newbits}", prefix.length));
    };
    if new < 128 && netnum >> new != 0 {
        return failure(format!("prefix extension of {newbits} does not accommodate a subnet numbered {netnum}"));
    }
    let length = prefix.length + new;
    let shift = prefix.bits - length;
    let shifted = if shift >= 128 { 0 } else { netnum << shift };
    Ok(Prefix { base: prefix.base | shifted, length, bits: prefix.bits })
}

fn cidrsubnet(arguments: Arguments<'_>) -> Outcome {
    let prefix = Prefix::parse(&arguments.text(0)?)?;
    let Ok(number) = u128::try_from(arguments.int(2)?) else { return Err(Failure::Argument(2, "must not be negative".to_owned())) };
    Ok(Value::from(subnet(prefix, arguments.int(1)?, number)?.text()))
}

/// Networks of the asked sizes, one after the other without overlap.
fn cidrsubnets(arguments: Arguments<'_>) -> Outcome {
    let prefix = Prefix::parse(&arguments.text(0)?)?;
    let end = prefix.base | prefix.host_mask();
    let mut next = Some(prefix.base);
    let mut networks = Vec::new();
    for at in 1..arguments.len() {
        let sized = subnet(prefix, arguments.int(at)?, 0)?;
        let mask = sized.host_mask();
        // Up to the next boundary of this size.
        let aligned = next.and_then(|next| next.checked_add(mask)).map(|raised| raised & !mask);
        let Some(base) = aligned.filter(|base| *base <= end && base | mask <= end) else {
            return failure(format!("not enough remaining address space for a subnet with a prefix of {} bits", sized.length));
        };
        networks.push(Value::from(Prefix { base, ..sized }.text()));
        next = (base | mask).checked_add(1);
    }
    Ok(Value::list(networks))
}
