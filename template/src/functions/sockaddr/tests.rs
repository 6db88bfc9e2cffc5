use std::sync::Arc;

use crate::engine::{Engine, Environment, GoTemplates, Options, Pass, View};
use crate::host::{Host, InterfaceAddress};

/// A machine with a loopback, a private and a public address.
#[derive(Debug)]
struct Machine;

impl Host for Machine {
    fn run(&self, program: &str, arguments: &[String]) -> Result<Vec<u8>, String> {
        if program == "echo" { Ok(format!("{}\n", arguments.join(" ")).into_bytes()) } else { Err(format!("exec: {program:?}: not found")) }
    }

    fn interfaces(&self) -> Vec<InterfaceAddress> {
        let one = |name: &str, address: &str, prefix| InterfaceAddress {
            name: name.to_owned(),
            address: address.parse().unwrap(),
            prefix,
            is_up: true,
            is_loopback: name == "lo",
            is_default: name == "eth0",
        };
        vec![
            one("lo", "127.0.0.1", 8),
            one("lo", "::1", 128),
            one("eth1", "192.168.7.2", 24),
            one("eth0", "10.1.2.3", 16),
            one("eth0", "fe80::1", 64),
            one("wan", "8.8.4.4", 30),
        ]
    }
}

fn render(text: &str, host: Option<&Arc<dyn Host>>) -> Result<String, String> {
    let options = Options { denied: Vec::new(), ..Options::default() };
    let compiled = GoTemplates.compile(text, &options).map_err(|error| error.text)?;
    let (view, environment) = (View::new(), Environment::default());
    let pass = Pass { view: &view, environment: &environment, now: jiff::Timestamp::UNIX_EPOCH, host };
    let outcome = compiled.render(&pass).map_err(|error| error.text)?;
    Ok(String::from_utf8(outcome.text.unwrap()).unwrap())
}

#[test]
fn expressions() {
    let host: Arc<dyn Host> = Arc::new(Machine);
    for (expression, want) in [
        ("GetPrivateIP", "10.1.2.3"),
        ("GetPrivateIPs", "10.1.2.3 192.168.7.2"),
        ("GetPublicIP", "8.8.4.4"),
        ("GetInterfaceIP `eth1`", "192.168.7.2"),
        (
            "GetAllInterfaces | include `type` `IPv4` | exclude `flags` `loopback` | sort `address` | join `address` `,`",
            "8.8.4.4,10.1.2.3,192.168.7.2",
        ),
        ("GetAllInterfaces | include `rfc` `1122` | attr `name`", "lo"),
        ("GetAllInterfaces | include `network` `10.0.0.0/8` | attr `network`", "10.1.0.0/16"),
        ("GetAllInterfaces | include `name` `^eth` | sort `-size` | limit 1 | attr `address`", "fe80::1"),
        ("GetAllInterfaces | unique `name` | offset -1 | attr `netmask`", "255.255.255.252"),
        ("GetDefaultInterfaces | include `size` `<=65536` | attr `size`", "65536"),
        ("GetPublicInterfaces | include `name` `none` | attr `address`", ""),
    ] {
        assert_eq!(render(&format!("{{{{sockaddr \"{expression}\"}}}}"), Some(&host)).unwrap(), want, "{expression}");
    }
    assert_eq!(render(r#"{{plugin "echo" " a" "b "}}|"#, Some(&host)).unwrap(), "a b|");
}

#[test]
fn errors_and_no_machine() {
    let host: Arc<dyn Host> = Arc::new(Machine);
    let error = render(r#"{{sockaddr "GetNope"}}"#, Some(&host)).unwrap_err();
    assert!(
        error.ends_with(r#"unable to parse template "{{ GetNope }}": template: sockaddr.Parse:1: function "GetNope" not defined"#),
        "{error}"
    );
    assert!(render(r#"{{sockaddr "GetAllInterfaces | sort `x`"}}"#, Some(&host)).unwrap_err().contains("unknown sort type"));
    assert!(render(r#"{{plugin "none"}}"#, Some(&host)).unwrap_err().contains("not found"));
    for text in [r#"{{plugin "echo"}}"#, r#"{{sockaddr "GetPrivateIP"}}"#] {
        assert!(render(text, None).unwrap_err().contains("function is disabled"), "{text}");
    }
}
