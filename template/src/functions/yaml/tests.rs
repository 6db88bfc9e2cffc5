use super::*;
use crate::functions::json;
use crate::go::format;
use crate::go::function::Fault;

#[test]
fn words_have_their_old_meaning() {
    for (text, want) in [
        ("[yes, Off, y, N]", "[true false true false]"),
        ("[012, 0x1F, 0b11, 1_000]", "[10 31 3 1000]"),
        ("[1.5, 1e3, .5, -2.0]", "[1.5 1000 0.5 -2]"),
        ("[~, null, '', \"1\"]", "[<nil> <nil>  1]"),
        ("[2001-01-01, 1.2.3, 10:20, 08]", "[2001-01-01 1.2.3 10:20 8]"),
        ("{yes: 1, 2: two}", "map[2:two true:1]"),
        ("[!!str 5, !!float 5, !!binary aGk=]", "[5 5 hi]"),
    ] {
        assert_eq!(format::to_string(&decode(text).unwrap()), want, "{text}");
    }
}

#[test]
fn anchors_and_merges() {
    let text = "base: &b {a: 1, c: 3}\nlist: [*b]\nmore:\n  <<: *b\n  a: 2\n";
    let want = "map[base:map[a:1 c:3] list:[map[a:1 c:3]] more:map[a:2 c:3]]";
    assert_eq!(format::to_string(&decode(text).unwrap()), want);
}

#[test]
fn a_small_text_cannot_stand_for_a_huge_value() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{below}]\n");
    }
    assert!(matches!(decode(&text), Err(Fault::Limit(_))));
    assert!(decode(&"[".repeat(1000)).is_err());
}

#[test]
fn errors_name_the_line() {
    for (text, want) in
        [("a: 1\nb: *nope\n", "yaml: line 2: "), ("a: 1\nb: c: d", "yaml: line 2: mapping values"), ("{[1]: 2}", "yaml: a map")]
    {
        let Err(Fault::Message(error)) = decode(text) else { panic!("{text} must fail") };
        assert!(error.starts_with(want), "{error}");
    }
}

#[test]
fn written_as_people_write_it() {
    for (value, want) in [
        (r#"{"a":[{"b":1,"c":[2,[3]]}],"e":[],"m":{}}"#, "a:\n- b: 1\n  c:\n  - 2\n  - - 3\ne: []\nm: {}"),
        (r#"{"k10":1,"k9":2,"K":3}"#, "K: 3\nk9: 2\nk10: 1"),
        (r#"{"t":"a\nb\n","u":"x\n y"}"#, "t: |\n  a\n  b\nu: |-\n  x\n   y"),
        (
            r#"["it's", "it's: x", "a:b", "x:", "a #b", "-x", "[x", "tab\t"]"#,
            "- it's\n- 'it''s: x'\n- a:b\n- 'x:'\n- 'a #b'\n- -x\n- '[x'\n- \"tab\\t\"",
        ),
        (r#"[1.5, 2100000, true, null]"#, "- 1.5\n- 2.1e+06\n- true\n- null"),
    ] {
        let value = json::decode(value).unwrap();
        assert_eq!(encode(&value).unwrap(), want);
        let plain = format::to_string(&value);
        assert_eq!(format::to_string(&decode(&encode(&value).unwrap()).unwrap()), plain, "it reads back");
    }
}
