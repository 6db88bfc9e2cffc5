//! One line per case: an expression and the text it becomes, or a part of the error.

use crate::{ParseOptions, parse, to_api_text};

fn run(expression: &str) -> Result<String, String> {
    let text = format!("job \"x\" {{\n  meta {{\n    a = {expression}\n  }}\n}}\n");
    let random = |bytes: &mut [u8]| bytes.fill(7);
    let options = ParseOptions { random: Some(&random), ..ParseOptions::default() };
    parse(&text, &options)
        .map(|(job, _)| job.meta.get("a").cloned().unwrap_or_else(|| "null".to_owned()))
        .map_err(|problems| to_api_text(&problems))
}

#[test]
fn expressions_become_text() {
    for (expression, expected) in [
        ("0.1 + 0.2", "0.3"),
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("-7 % 3", "-1"),
        ("1e3", "1000"),
        ("9007199254740993 + 2", "9007199254740995"),
        ("1 == 1.0 && !false || true", "true"),
        ("\"a\" == \"b\"", "false"),
        ("[1, 2] == [1, 2]", "true"),
        ("2 > 1 ? \"yes\" : \"no\"", "yes"),
        ("false ? 1 : \"s\"", "s"),
        ("null", "null"),
        ("\"${1}-${true}\"", "1-true"),
        ("\"$${a} %%{b}\"", "${a} %{b}"),
        ("\"%{ for x in [1, 2] }<${x}>%{ endfor }\"", "<1><2>"),
        ("\"a %{~ if false ~} b %{~ else ~} c %{~ endif ~} d\"", "acd"),
        ("attr.kernel.name", "${attr.kernel.name}"),
        ("\"${env[\"HOME\"]}\"", "${env[\"HOME\"]}"),
        ("NOMAD_PORT_http", "${NOMAD_PORT_http}"),
        ("upper(node.class)", "${NODE.CLASS}"),
        ("jsonencode({ for k, v in { a = 1, b = 2 } : v => k })", "{\"1\":\"a\",\"2\":\"b\"}"),
        ("jsonencode({ for s in [\"a1\", \"a2\", \"b\"] : substr(s, 0, 1) => s... })", "{\"a\":[\"a1\",\"a2\"],\"b\":[\"b\"]}"),
        ("jsonencode([{ n = [1] }, { n = [2] }].*.n[0])", "[1]"),
        ("jsonencode([{ n = [1] }, { n = [2] }][*].n[0])", "[1,2]"),
        ("[\"a\", \"b\"].1", "b"),
        ("{ \"k v\" = 1 }[\"k v\"]", "1"),
    ] {
        assert_eq!(run(expression).as_deref(), Ok(expected), "{expression}");
    }
}

#[test]
fn functions_give_what_their_names_say() {
    for (expression, expected) in [
        ("abs(-3)", "3"),
        ("base64decode(\"aGk=\")", "hi"),
        ("can(1 + \"x\")", "false"),
        ("ceil(-1.5)", "-1"),
        ("chomp(\"a\\n\\n\")", "a"),
        ("jsonencode(chunklist([1, 2, 3], 2))", "[[1,2],[3]]"),
        ("cidrhost(\"10.0.0.0/8\", -1)", "10.255.255.255"),
        ("cidrhost(\"fd00::/64\", 10)", "fd00::a"),
        ("cidrnetmask(\"172.16.0.0/12\")", "255.240.0.0"),
        ("cidrsubnet(\"fd00::/48\", 16, 162)", "fd00:0:0:a2::/64"),
        ("jsonencode(cidrsubnets(\"10.1.0.0/16\", 4, 4, 8, 4))", "[\"10.1.0.0/20\",\"10.1.16.0/20\",\"10.1.32.0/24\",\"10.1.48.0/20\"]"),
        ("jsonencode(coalescelist([], [1]))", "[1]"),
        ("jsonencode(compact([\"a\", \"\", null]))", "[\"a\"]"),
        ("contains([1, 2], 2)", "true"),
        ("jsonencode(convert([\"1\"], list(number)))", "[1]"),
        ("jsonencode(csvdecode(\"a,b\\n1,\\\"x,y\\\"\\n\"))", "[{\"a\":\"1\",\"b\":\"x,y\"}]"),
        ("element([\"a\", \"b\"], 3)", "b"),
        ("jsonencode(flatten([[1, [2]], 3]))", "[1,2,3]"),
        ("floor(1.9)", "1"),
        (
            "format(\"%s %d %5.2f|%-4s|%04d|%x|%q|%v|%%\", \"a\", 2, 3.14159, \"b\", 7, 255, \"q\", [1])",
            "a 2  3.14|b   |0007|ff|\"q\"|[1]|%",
        ),
        (
            "formatdate(\"EEE, DD MMM YYYY hh:mm:ss ZZZ 'at' H aa\", \"2024-03-05T15:02:03+02:00\")",
            "Tue, 05 Mar 2024 15:02:03 +0200 at 3 pm",
        ),
        ("jsonencode(formatlist(\"%s-%s\", \"a\", [1, 2]))", "[\"a-1\",\"a-2\"]"),
        ("index([\"a\", \"b\"], \"b\")", "1"),
        ("join(\",\", [1, 2], [\"c\"])", "1,2,c"),
        ("jsondecode(\"{\\\"a\\\": [true]}\").a[0]", "true"),
        ("jsonencode(\"<&>\")", "\"\\u003c\\u0026\\u003e\""),
        ("length({ a = 1 })", "1"),
        ("log(16, 2)", "4"),
        ("lower(\"ÄB\")", "äb"),
        ("min(3, 1, 2)", "1"),
        ("max([1, 5, 2]...)", "5"),
        ("jsonencode(merge({ a = 1 }, null, { a = 2 }))", "{\"a\":2}"),
        ("parseint(\"ff\", 16)", "255"),
        ("pow(2, 10)", "1024"),
        ("jsonencode(range(4, 0, -2))", "[4,2]"),
        ("regex_replace(\"a1b2\", \"([a-z])([0-9])\", \"$2$1\")", "1a2b"),
        ("jsonencode(reverse([1, 2]))", "[2,1]"),
        ("jsonencode(setintersection([\"b\", \"a\"], [\"a\"]))", "[\"a\"]"),
        ("jsonencode(setproduct([1, 2], [\"a\"]))", "[[1,\"a\"],[2,\"a\"]]"),
        ("jsonencode(setunion([2], [1, 2]))", "[1,2]"),
        (
            "sha512(\"\")",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
        ("signum(-4)", "-1"),
        ("jsonencode(slice([1, 2, 3], 1, 2))", "[2]"),
        ("strlen(\"äö\")", "2"),
        ("substr(\"hello\", -3, -1)", "llo"),
        ("timeadd(\"2024-01-31T23:59:00Z\", \"2m\")", "2024-02-01T00:01:00Z"),
        ("title(\"don't stop\")", "Don't Stop"),
        ("trim(\"xxaxx\", \"x\")", "a"),
        ("trimprefix(\"ab\", \"a\")", "b"),
        ("trimsuffix(\"ab\", \"b\")", "a"),
        ("try(jsondecode(\"{\").a, var.none, \"last\")", "last"),
        ("uuidv4()", "07070707-0707-4707-8707-070707070707"),
        ("uuidv5(\"dns\", \"www.terraform.io\")", "a5008fae-b28c-5ba5-96cd-82b4c53552d6"),
        ("yamlencode({ a = [1, { b = \"x\" }], c = {} })", "\"a\":\n- 1\n- \"b\": \"x\"\n\"c\": {}\n"),
        (
            "jsonencode(yamldecode(yamlencode({ a = [1, [2, \"x: y\"]], t = \"l1\\nl2\\n\" })))",
            "{\"a\":[1,[2,\"x: y\"]],\"t\":\"l1\\nl2\\n\"}",
        ),
        (
            "jsonencode(yamldecode(\"a: [1, # one\\n  'two\\n  words',\\n  {k: \\\"v\\\"}]  # end\\nb: 2\\n\"))",
            "{\"a\":[1,\"two words\",{\"k\":\"v\"}],\"b\":2}",
        ),
        (
            "jsonencode(yamldecode(\"a: 1 # one\\nlist:\\n- x\\n- k: [1, 'two', {d: null}]\\n  j: >\\n    folded\\n    text\\nb: true\\n\"))",
            "{\"a\":1,\"b\":true,\"list\":[\"x\",{\"j\":\"folded text\\n\",\"k\":[1,\"two\",{\"d\":null}]}]}",
        ),
    ] {
        assert_eq!(run(expression).as_deref(), Ok(expected), "{expression}");
    }
}

#[test]
fn mistakes_are_named() {
    for (expression, expected) in [
        ("1 / 0", "3,13-14: Division by zero"),
        ("\"a\" + 1", "3,10-11: Invalid operand; Unsuitable value for left operand: a number is required."),
        ("[1][5]", "3,12-15: Invalid index"),
        ("{ a = 1 }.b", "3,18-20: Unsupported attribute"),
        ("upper()", "3,9-15: Not enough function arguments; Function \"upper\" expects 1 argument(s). Missing value for \"str\"."),
        ("upper(\"a\", 1)", "Too many function arguments"),
        ("upper([])", "3,15-17: Invalid function argument; Invalid value for \"str\" parameter: string required."),
        ("upperr(\"a\")", "There is no function named \"upperr\". Did you mean \"upper\"?"),
        ("tostring(1)", "There is no function named \"tostring\"."),
        ("bcrypt(\"x\")", "bcrypt is not available"),
        ("\"${null}\"", "null"),
        ("\"a${null}\"", "Invalid template interpolation value"),
        ("\"a${[1]}\"", "Cannot include the given value in a string template: string required."),
        ("[for x in 5 : x]", "Iteration over non-iterable value"),
        ("{ for x in [1, 1] : \"k\" => x }", "Duplicate object key"),
        ("try(var.none)", "no expression succeeded"),
        ("yamldecode(\"a: &x 1\")", "anchors"),
        ("[1, 2]", "Unsuitable value: string required"),
    ] {
        let outcome = run(expression);
        let text = outcome.as_ref().unwrap_or_else(|text| text);
        assert!(text.contains(expected), "{expression}: {outcome:?}");
    }
}
