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
