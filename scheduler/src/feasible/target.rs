//! What `${...}` means on a node.

use std::borrow::Cow;

use drover_model::node::Node;

/// The text between `${` and `}`; none for a literal.
fn path(target: &str) -> Option<&str> {
    target.strip_prefix("${")?.strip_suffix('}').map(str::trim)
}

/// The value of a target on a node; none where the node has no such attribute.
pub(crate) fn resolve<'a>(node: &'a Node, target: &'a str) -> Option<Cow<'a, str>> {
    let Some(path) = path(target) else { return Some(Cow::Borrowed(target)) };
    let value = match path {
        "node.unique.id" => return Some(Cow::Owned(node.id.to_string())),
        "node.unique.name" => &node.name,
        "node.datacenter" => &node.datacenter,
        "node.class" => &node.node_class,
        "node.pool" => &node.node_pool,
        _ => match path.split_once('.')? {
            ("attr", key) => node.attributes.get(key)?,
            ("meta", key) => node.meta.get(key)?,
            _ => return None,
        },
    };
    Some(Cow::Borrowed(value))
}

/// Whether a target's value may differ between nodes of one class.
pub(crate) fn is_unique(target: &str) -> bool {
    path(target).is_some_and(|path| ["node.unique.", "attr.unique.", "meta.unique."].iter().any(|unique| path.starts_with(unique)))
}

pub(crate) fn is_literal(target: &str) -> bool {
    path(target).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_from_the_node() {
        let mut node = Node { name: "n1".to_owned(), datacenter: "dc2".to_owned(), node_class: "big".to_owned(), ..Node::default() };
        node.attributes.insert("kernel.name".to_owned(), "linux".to_owned());
        node.meta.insert("rack".to_owned(), "r1".to_owned());
        let id = node.id.to_string();
        for (target, want) in [
            ("plain", Some("plain")),
            ("${attr.kernel.name}", Some("linux")),
            ("${meta.rack}", Some("r1")),
            ("${node.unique.id}", Some(id.as_str())),
            ("${node.unique.name}", Some("n1")),
            ("${node.datacenter}", Some("dc2")),
            ("${node.class}", Some("big")),
            ("${node.pool}", Some("default")),
            ("${attr.missing}", None),
            ("${node.missing}", None),
            ("${nonsense}", None),
        ] {
            assert_eq!(resolve(&node, target).as_deref(), want, "{target}");
        }
        assert!(
            is_unique("${attr.unique.hostname}")
                && is_unique("${node.unique.id}")
                && !is_unique("${node.class}")
                && !is_unique("node.unique.id")
        );
    }
}
