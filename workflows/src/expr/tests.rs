use serde_json::json;

use super::*;

fn environment(contexts: Value) -> Environment<'static> {
    let Value::Object(contexts) = contexts else { panic!("contexts are an object") };
    Environment { contexts: contexts.into_iter().collect(), ..Environment::default() }
}

#[track_caller]
fn check(expression: &str, expected: Value) {
    let environment = environment(json!({"github": {"event": {"labels": [{"name": "a"}, {"name": "b"}]}, "ref": "x"}}));
    assert_eq!(evaluate(expression, &environment), Ok(expected), "{expression}");
}

#[test]
fn filters_reach_into_every_item() {
    check("join(github.event.labels.*.name, '+')", json!("a+b"));
    check("contains(github.event.labels.*.name, 'B')", json!(true));
    check("fromJSON('{\"a\":[{\"b\":1},{\"c\":2},{\"b\":3}]}').a.*.b", json!([1, 3]));
    check("github.nosuch.deeper", Value::Null);
}

#[test]
fn numbers_print_with_fifteen_digits() {
    for (number, text) in [
        (1e15, "1E+15"),
        (1e14, "100000000000000"),
        (0.000_001_5, "1.5E-06"),
        (0.000_015, "1.5E-05"),
        (0.000_15, "0.00015"),
        (1.0 / 3.0, "0.333333333333333"),
        (-123_456.789, "-123456.789"),
        (1e21, "1E+21"),
        (f64::MAX, "1.79769313486232E+308"),
    ] {
        assert_eq!(number::format(number), text);
    }
}

#[test]
fn a_template_keeps_a_lone_expressions_type() {
    let environment = environment(json!({"matrix": {"n": 3, "list": [1]}}));
    assert_eq!(template_value("${{ matrix.n }}", &environment), Ok(json!(3)));
    assert_eq!(template_value("n=${{ matrix.n }}", &environment), Ok(json!("n=3")));
    assert_eq!(interpolate("${{ '}}' }}${{ matrix.list }}", &environment), Ok("}}Array".to_owned()));
    let error = interpolate("ab ${{ nosuch }}", &environment).unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::Parsing, 7));
    assert!(interpolate("${{ 'a' ", &environment).unwrap_err().message.contains("not closed"));
}

#[test]
fn success_is_implied_unless_a_status_function_is_called() {
    let holds = |text: Option<&str>, status| {
        let environment = Environment { status, ..environment(json!({"github": {}})) };
        condition(text, &environment).unwrap()
    };
    assert!(holds(None, Status::Success) && !holds(None, Status::Failure));
    assert!(holds(Some("true"), Status::Success) && !holds(Some("true"), Status::Failure));
    assert!(holds(Some("failure()"), Status::Failure) && !holds(Some("failure()"), Status::Cancelled));
    assert!(holds(Some("${{ always() && true }}"), Status::Cancelled));
    // A text with an expression in it is a text, and true: GitHub's own trap.
    assert!(holds(Some("${{ false }} && ${{ false }}"), Status::Success));
    // What stands outside of the braces calls nothing; what stands within does.
    let (outside, within) = ("always() && ${{ true }}", "${{ always() }} && true");
    assert!(!holds(Some(outside), Status::Failure) && holds(Some(outside), Status::Success));
    assert!(holds(Some(within), Status::Failure) && holds(Some("!cancelled()"), Status::Failure));
}

#[test]
fn a_condition_is_not_evaluated_after_a_failure_unless_it_asks() {
    let environment = Environment { status: Status::Failure, ..environment(json!({})) };
    assert_eq!(condition(Some("fromJSON('') == 1"), &environment), Ok(false));
    assert!(condition(Some("always() && fromJSON('') == 1"), &environment).is_err());
}

#[test]
fn what_contexts_hold_is_not_copied_without_end() {
    let text = "x".repeat(1 << 20);
    let environment = environment(json!({"env": {"LONG": text, "LIST": format!("[{}1]", "1,".repeat(1 << 19))}}));
    assert_eq!(interpolate(&"${{ env.LONG }}".repeat(16), &environment).unwrap().len(), MAX_INTERPOLATED);
    let error = interpolate(&"${{ env.LONG }}".repeat(17), &environment).unwrap_err();
    assert!(error.message.contains("more than 16777216 bytes"), "{error}");
    let often = vec!["fromJSON(env.LIST)[1] == 2"; 16].join(" || ");
    let error = evaluate(&often, &environment).unwrap_err();
    assert!(error.message.contains("memory size was exceeded"), "{error}");
}

/// All of it as GitHub's service has it (`Expressions` of actions/runner, run beside ours).
#[test]
fn an_argument_that_does_not_count_is_not_evaluated() {
    check("case(true, 'a', fromJSON('{'), 'b', fromJSON('{'))", json!("a"));
    check("format('a', fromJSON('{'))", json!("a"));
    check("format('{1}{1}', fromJSON('{'), 1)", json!("11"));
    check("contains(github.event.labels.*.none, fromJSON('{'))", json!(false));
    check("startsWith(github, fromJSON('{')) || endsWith(github, fromJSON('{'))", json!(false));
    check("join('a', fromJSON('{'))", json!("a"));
    check("github.ref[fromJSON('{')]", Value::Null);
    let environment = environment(json!({"github": {"list": []}}));
    assert!(evaluate("contains('a', fromJSON('{'))", &environment).is_err());
    assert!(evaluate("fromJSON('true/')", &environment).is_err());
    assert!(evaluate("github.list[fromJSON('{')]", &environment).is_err());
}

#[test]
fn json_is_read_as_json_net_reads_it() {
    check("fromJSON('[1, 2,]')", json!([1, 2]));
    check("fromJSON('[''a'', // b\n1,,/* c */undefined]')", json!(["a", 1, "", ""]));
    check("fromJSON('{a: 1, \"b\": .5, ''c'': 010, d$: 0x1f,}')", json!({"a": 1, "b": 0.5, "c": 8, "d$": 31}));
    check("fromJSON('{\"A\": 1, \"b\": 2, \"a\": 3}')", json!({"A": 3, "b": 2}));
    check("fromJSON('1 2') == 1 && fromJSON('[1]x')[0] == 1", json!(true));
    check("fromJSON('\"\\u0041\\ud83d\\ude00\\ud83d\\n\"')", json!("A😀\u{fffd}\n"));
    check("toJSON(fromJSON('NaN')) == 'NaN' && fromJSON('-Infinity') < fromJSON('1E400')", json!(true));
    let environment = environment(json!({}));
    let deep = |depth: usize| format!("fromJSON('{}{}')", "[".repeat(depth), "]".repeat(depth));
    assert!(evaluate(&deep(64), &environment).is_ok());
    for bad in [
        "fromJSON('')",
        "fromJSON('[1 2]')",
        "fromJSON('[1}')",
        "fromJSON('{a}')",
        "fromJSON('08')",
        "fromJSON('0X-F')",
        &deep(65),
    ] {
        assert!(evaluate(bad, &environment).unwrap_err().message.starts_with("Error parsing JSON"), "{bad}");
    }
    let error = evaluate("fromJSON('[1,\n x]')", &environment).unwrap_err();
    assert!(error.message.ends_with("unexpected `x` at line 2 column 2"), "{error}");
}

#[test]
fn a_large_object_has_each_name_once() {
    let entries: Vec<String> = (0..100).map(|n| format!("\"K{n}\": 1, \"k{n}\": {n}")).collect();
    let text = format!("fromJSON('{{{}}}')", entries.join(","));
    let environment = environment(json!({}));
    let Ok(Value::Object(object)) = evaluate(&text, &environment) else { panic!("it is an object") };
    assert_eq!((object.len(), &object["K42"]), (100, &json!(42)));
}

#[test]
fn numbers_have_the_forms_of_dot_net() {
    for (text, number) in [
        ("0x7fffffff", 2_147_483_647.0),
        ("0xffffffff", -1.0),
        ("0x00000000ff", 255.0),
        ("0o20000000000", -2_147_483_648.0),
        ("-infinity", f64::NEG_INFINITY),
        ("+INFINITY", f64::INFINITY),
        ("-.5e1", -5.0),
        ("1e400", f64::INFINITY),
    ] {
        assert_eq!(number::parse(text), number, "{text}");
    }
    for text in ["0x100000000", "0o40000000000", "0x+1", "-0x1", "0X1", "1e", "inf", "nan"] {
        assert!(number::parse(text).is_nan(), "{text}");
    }
}

#[test]
fn names_are_compared_without_case_in_every_script() {
    let environment = environment(json!({"github": {"ÉTÉ": 1, "ß": 2, "s": 3}}));
    for (expression, value) in [
        ("github['été']", json!(1)),
        ("github['SS']", Value::Null),
        ("github['ſ']", Value::Null),
        ("'ᾳ' == 'ᾼ' && 'ß' != 'ẞ' && 'ı' != 'I' && 'ǆ' == 'ǅ'", json!(true)),
    ] {
        assert_eq!(evaluate(expression, &environment), Ok(value), "{expression}");
    }
}

#[test]
fn depth_is_counted_as_github_counts_it() {
    let environment = environment(json!({"github": {}}));
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        let text = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
        evaluate(&text, &environment).map_err(|error| error.message)
    };
    let too_deep = Err("Exceeded max expression depth 50".to_owned());
    for (open, inner, close) in [
        ("!", "1", ""),
        ("github[", "1", "]"),
        ("1 == ", "1", ""),
        ("join(", "1", ")"),
        ("", "github", ".*"),
        ("!(", "1", ")"),
    ] {
        assert!(nested(open, inner, close, 49).is_ok(), "{open}{close}");
        assert_eq!(nested(open, inner, close, 50), too_deep, "{open}{close}");
    }
    // Parentheses do not count, nor does one `||` within another.
    assert!(nested("(", "1", ")", 60).is_ok() && nested("null || (", "1", ")", 60).is_ok());
    assert_eq!(nested("null || (1 && (", "1", "))", 25), too_deep);
    assert_eq!(nested("(", "1", ")", 10_000), too_deep);
}

#[test]
fn format_takes_numbers_alone() {
    let environment = environment(json!({}));
    check("format('{0:}{{{1}}}', 'a', 'b')", json!("a{b}"));
    for bad in ["{0:x}", "{0 }", "{ 0}", "{0:}}", "{}", "{-1}"] {
        let error = evaluate(&format!("format('{bad}', 'a')"), &environment).map(drop);
        assert!(error.unwrap_err().message.contains("is invalid"), "{bad}");
    }
    assert!(evaluate("format('a',)", &environment).is_err());
}
