use std::collections::BTreeMap;

use super::*;
use crate::data::{Data, KeyPair, Secret};
use crate::dependency::{Dependency, Scope};
use crate::engine::{Environment, View};

fn key(name: &str) -> Dependency {
    Dependency::KvGet { key: name.into(), scope: Scope::default() }
}

fn view() -> View {
    let pair = |path: &str, value: &str| KeyPair { path: path.into(), value: value.into(), ..KeyPair::default() };
    let pairs = vec![pair("flags/a", "true"), pair("flags/b", "3"), pair("flags/x/y", "deep")];
    let serde_json::Value::Object(data) = serde_json::json!({"data": {"password": "p4ss"}}) else { panic!("it is an object") };
    let secret = Secret { data, ..Secret::default() };
    let entries = [
        (key("name"), Data::Key(Some(b"shop".to_vec()))),
        (Dependency::KvList { prefix: "flags".into(), scope: Scope::default() }, Data::Keys(pairs)),
        (Dependency::SecretRead { path: "s".into(), version: None }, Data::Secret(Some(secret))),
    ];
    entries.into_iter().map(|(dependency, data)| (dependency, Arc::new(data))).collect()
}

fn render_with(text: &str, options: &Options) -> Result<Outcome, Error> {
    let compiled = HandlebarsTemplates.compile(text, options)?;
    let environment: Environment = BTreeMap::from([("A".to_owned(), "1".to_owned())]).into_iter().collect();
    compiled.render(&Pass { view: &view(), environment: &environment, now: jiff::Timestamp::UNIX_EPOCH, host: None })
}

fn render(text: &str) -> Result<Outcome, Error> {
    render_with(text, &Options::default())
}

#[test]
fn the_same_functions_in_the_other_syntax() {
    for (text, want) in [
        (r#"{{key "name"}} {{toUpper (key "name")}} {{env "A"}}"#, "shop SHOP 1"),
        (r#"{{#each (ls "flags")}}{{Key}}={{Value}};{{/each}}"#, "a=true;b=3;"),
        (r#"{ {{#each (ls "flags")}}{{#unless @first}},{{/unless}} "{{Key}}": {{Value}}{{/each}} }"#, r#"{  "a": true, "b": 3 }"#),
        (r#"{{#with (secret "s")}}{{Data.data.password}}{{/with}}"#, "p4ss"),
        (r#"{{#with (explode (tree "flags"))}}{{a}} {{x.y}}{{/with}}"#, "true deep"),
        (r#"{{#each (split "," "b,a")}}<{{this}}>{{/each}}"#, "<b><a>"),
        (r#"{{#if (keyExists "name")}}yes{{else}}no{{/if}}"#, "yes"),
        (r#"{{#with (parseJSON "{\"n\":1,\"l\":[1,2.5]}")}}{{n}} {{l.[1]}}{{/with}}"#, "1 2.5"),
        (r#"{{add 1 2}} {{join "-" (split "," "a,b")}} {{base64Encode "<&>"}} {{printf "%05d" 42}}"#, "3 a-b PCY+ 00042"),
        (r#"{{timestamp}} {{sprig_default "d" ""}}"#, "1970-01-01T00:00:00Z d"),
        ("{{nothing}}|", "|"),
        (r#"{{#each (ls "flags")}}{{path}}={{value}};{{/each}}"#, "flags/a=true;flags/b=3;"),
        (r#"{{#with (secret "s")}}{{data.data.password}}{{/with}}"#, "p4ss"),
        (
            r#"{{toJSON (ls "flags")}}"#,
            r#"[{"CreateIndex":0,"Flags":0,"Key":"a","LockIndex":0,"ModifyIndex":0,"Path":"flags/a","Session":"","Value":"true"},{"CreateIndex":0,"Flags":0,"Key":"b","LockIndex":0,"ModifyIndex":0,"Path":"flags/b","Session":"","Value":"3"}]"#,
        ),
    ] {
        let outcome = render(text).unwrap();
        assert_eq!(String::from_utf8(outcome.text.unwrap()).unwrap(), want, "{text}");
    }
}

#[test]
fn what_is_missing_is_recorded() {
    let outcome = render(r#"{{key "other"}}{{#each (ls "none")}}x{{/each}}"#).unwrap();
    assert_eq!(outcome.text, None);
    assert!(outcome.missing.contains(&key("other")));
    assert_eq!(outcome.used.len(), 2);
}

#[test]
fn errors_have_a_place_and_no_secret() {
    for (text, want) in [
        ("a\n{{toUpper 1}}", "execute: template: :2:1: error calling toUpper: wrong type for value; expected string; got int"),
        ("{{toUpper}}", "execute: template: :1:1: error calling toUpper: wrong number of args for toUpper: want 1 got 0"),
        (
            r#"{{#with (secret "s")}}{{parseInt Data.data.password}}{{/with}}"#,
            "execute: template: :1:23: error calling parseInt: parseInt: strconv.ParseInt: parsing \"[redacted]\": invalid syntax",
        ),
        (r#"{{plugin "ls"}}"#, "execute: template: :1:1: error calling plugin: function is disabled"),
        ("{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}", "parse: template: :1: partials and decorators are not available in task templates"),
    ] {
        assert_eq!(render(text).unwrap_err().text, want, "{text}");
    }
    assert_eq!(render("{{#if 1}}").unwrap_err().kind, ErrorKind::Parse);
    let strict = Options { error_on_missing_key: true, ..Options::default() };
    assert!(render_with("{{nothing}}", &strict).unwrap_err().text.contains("nothing"));
    let delimiters = Options { left_delimiter: "<<".into(), ..Options::default() };
    assert_eq!(render_with("", &delimiters).unwrap_err().kind, ErrorKind::Parse);
}

#[test]
fn endless_templates_end() {
    let loops = format!("{}{}", r#"{{#each (loop 100000)}}"#.repeat(4), "{{/each}}".repeat(4));
    assert_eq!(render(&loops).unwrap_err().kind, ErrorKind::Limit);
    let inner = r#"{{#with (loop 100000)}}{{#each this}}{{#each ../this}}{{#each ../../this}}{{/each}}{{/each}}{{/each}}{{/with}}"#;
    assert_eq!(render(inner).unwrap_err().kind, ErrorKind::Limit);
    for (open, close) in [("{{#if 1}}", "{{/if}}"), ("{{#each (", ")}}{{/each}}")] {
        assert!(render(&format!("{}{}", open.repeat(3000), close.repeat(3000))).is_err());
    }
    assert!(render(&format!("{{{{add {}1 1{} 1}}}}", "(add ".repeat(3000), ")".repeat(3000))).is_err());
}
