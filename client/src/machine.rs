//! This machine, as templates may see it: its addresses, and programs where the node's operator lets templates run them.

use std::{
    fs,
    io::Read,
    net::IpAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use drover_template::{Host, InterfaceAddress};
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags, sys::socket::SockaddrStorage};

use crate::{fingerprint::network::default_route, limits};

/// The machine that this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Host for Machine {
    /// Bounded in time and in what is read of its output: whoever renders waits for it.
    fn run(&self, program: &str, arguments: &[String]) -> Result<Vec<u8>, String> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let output = read_output(&mut child);
        if output.is_err() {
            // One that goes on has nobody left who listens to it.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        let output = output?;
        if status.success() { Ok(output) } else { Err(status.to_string()) }
    }

    fn interfaces(&self) -> Vec<InterfaceAddress> {
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        let default = default_route(&routes);
        let found = getifaddrs().into_iter().flatten().filter_map(|one| interface(&one));
        found.map(|one| InterfaceAddress { is_default: default.as_deref() == Some(&one.name), ..one }).collect()
    }
}

fn read_output(child: &mut Child) -> Result<Vec<u8>, String> {
    let Some(stdout) = child.stdout.take() else { return Err("its output cannot be read".to_owned()) };
    let (sender, receiver) = mpsc::channel();
    // Ends with the program, at the latest when that is killed.
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(limits::PLUGIN_OUTPUT_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes);
        let _ = sender.send(read);
    });
    match receiver.recv_timeout(limits::PLUGIN_RUN) {
        Ok(Ok(bytes)) if bytes.len() as u64 > limits::PLUGIN_OUTPUT_BYTES => {
            Err(format!("it printed more than {} bytes", limits::PLUGIN_OUTPUT_BYTES))
        }
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it did not end within {:?}", limits::PLUGIN_RUN)),
    }
}

fn interface(one: &nix::ifaddrs::InterfaceAddress) -> Option<InterfaceAddress> {
    let ip = |storage: Option<SockaddrStorage>| {
        let storage = storage?;
        let v4 = storage.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    let address = ip(one.address)?;
    let prefix = match ip(one.netmask)? {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    Some(InterfaceAddress {
        name: one.interface_name.clone(),
        address,
        prefix: u8::try_from(prefix).ok()?,
        is_up: one.flags.contains(InterfaceFlags::IFF_UP),
        is_loopback: one.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        is_default: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_answer_with_what_they_print() {
        assert_eq!(Machine.run("echo", &["a b".to_owned()]).unwrap(), b"a b\n");
        assert!(Machine.run("false", &[]).unwrap_err().contains('1'));
        assert!(Machine.run("/no/such/program", &[]).is_err());
    }

    #[test]
    fn the_loopback_is_there() {
        assert!(Machine.interfaces().iter().any(|one| one.is_loopback && one.address.is_loopback()));
    }
}
