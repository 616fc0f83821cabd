//! What a mistake in an expression was most likely meant to be.

use super::{
    nearest::nearest,
    scope::{self, Scope},
};
use crate::expr::{Error, Function, Names};

/// A hint for whoever wrote it; `scope` is what its place offers.
pub(super) fn of(error: &Error, scope: Scope) -> Option<String> {
    let quoted = |prefix: &str| error.message.strip_prefix(prefix).and_then(|rest| rest.split("'.").next());
    if let Some(name) = quoted("Unrecognized named-value: '") {
        return Some(context(name, scope));
    }
    if let Some(name) = quoted("Unrecognized function: '") {
        return Some(function(name, scope));
    }
    let symbol = quoted("Unexpected symbol: '")?;
    if symbol.starts_with('"') {
        Some("texts are written in single quotes".to_owned())
    } else if symbol == "=" {
        Some("whether two values are equal is asked with `==`".to_owned())
    } else if symbol.starts_with('?') {
        Some("there is no `? :`; write `case(condition, value, otherwise)`".to_owned())
    } else if symbol.starts_with(['+', '-', '*', '/', '%']) {
        Some("the language has no arithmetic".to_owned())
    } else {
        None
    }
}

fn context(name: &str, scope: Scope) -> String {
    let available = scope.contexts().join(", ");
    if scope::is_context(name) {
        format!("`{name}` is not available here; available are: {available}")
    } else if Function::ALL.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        format!("`{name}` is a function, or, as a text, is written in single quotes")
    } else if let Some(near) = nearest(name, scope.contexts()) {
        format!("did you mean `{near}`?")
    } else {
        format!("available here are: {available}; texts are written in single quotes")
    }
}

fn function(name: &str, scope: Scope) -> String {
    let available =
        || Function::ALL.iter().filter(|(_, function)| scope.has_function(*function)).map(|(name, _)| *name);
    match Function::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| function) {
        Some(Function::Always | Function::Cancelled | Function::Failure | Function::Success) => {
            format!("`{name}()` is available under `if`")
        }
        Some(_) => {
            format!("`{name}()` is not available here; available are: {}", available().collect::<Vec<_>>().join(", "))
        }
        None => {
            let lower: Vec<(String, &str)> = available().map(|known| (known.to_ascii_lowercase(), known)).collect();
            let near = nearest(name, lower.iter().map(|(lower, _)| lower.as_str()));
            match lower.iter().find(|(lower, _)| Some(lower.as_str()) == near) {
                Some((_, near)) => format!("did you mean `{near}`?"),
                None => format!("available here are: {}", available().collect::<Vec<_>>().join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::syntax::parse;

    #[test]
    fn mistakes_have_their_hints() {
        for (expression, hint) in [
            ("contians('a', 'b')", "did you mean `contains`?"),
            ("tojsn(github)", "did you mean `toJSON`?"),
            // `toJSON` is near too, and comes first.
            ("romJSON('1')", "did you mean `fromJSON`?"),
            ("success()", "`success()` is available under `if`"),
            ("gihtub.ref", "did you mean `github`?"),
            ("jobs.a", "`jobs` is not available here"),
            ("env.A == success", "is a function"),
            ("env.A == \"x\"", "single quotes"),
            ("env.A = 'x'", "`==`"),
            ("env.A ? 1 : 2", "`case(condition"),
            ("env.A + 1", "no arithmetic"),
        ] {
            let file = format!(
                "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          echo ${{{{ {expression} }}}}\n"
            );
            let (_, diagnostics) = parse("w.yml", &file);
            let help = diagnostics[0].help.as_deref().unwrap_or_default();
            assert!(help.contains(hint), "{expression}: {diagnostics:?}");
        }
    }
}
