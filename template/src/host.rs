//! What a few functions ask of the machine itself. Whoever runs templates decides whether there is one: without it they are disabled.

use std::fmt;
use std::net::IpAddr;

/// The machine, as far as templates may see it. Calls are short and bounded by the implementor: a pass waits for them.
pub trait Host: Send + Sync + fmt::Debug {
    /// Runs a program and gives its standard output (`plugin`). The error is what a template author sees.
    fn run(&self, program: &str, arguments: &[String]) -> Result<Vec<u8>, String>;

    /// The addresses of all network interfaces (`sockaddr`).
    fn interfaces(&self) -> Vec<InterfaceAddress>;
}

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    pub name: String,
    pub address: IpAddr,
    /// Bits of the network.
    pub prefix: u8,
    pub is_up: bool,
    pub is_loopback: bool,
    /// The default route leaves through it.
    pub is_default: bool,
}
