//! Text that is HTML already, and the escaping of text that is not.

use std::fmt::{self, Display};

/// Markup made here, of escaped parts: templates write it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Html(pub(crate) String);

impl Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}

/// Escapes text for an element's content or a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    push_escaped(&mut out, text);
    out
}

/// [`escape`], onto the end of `out`.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(if is_forbidden(c) { char::REPLACEMENT_CHARACTER } else { c }),
        }
    }
}

/// Controls, which HTML forbids but logs and names may hold, and the characters that reorder text: a name must not be
/// able to pretend to be another.
fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text in which `backticks` mark code, as diagnostics write it.
pub(crate) fn with_code(text: &str) -> Html {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, code, after)) =
        rest.split_once('`').and_then(|(before, rest)| rest.split_once('`').map(|(code, after)| (before, code, after)))
    {
        push_escaped(&mut out, before);
        out.push_str("<code>");
        push_escaped(&mut out, code);
        out.push_str("</code>");
        rest = after;
    }
    push_escaped(&mut out, rest);
    Html(out)
}

/// Renders a template. Formatting into a String fails only if a `Display` of our own does, and none can.
///
/// Askama escapes what is markup; what is no text at all is replaced here, for the whole page at once.
pub(crate) fn render(template: &impl askama::Template) -> String {
    let html = template.render().expect("formatting owned data into a String cannot fail");
    if html.contains(is_forbidden) { html.replace(is_forbidden, "\u{fffd}") } else { html }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escape("<a href='x'>\u{0}\u{202e}&"), "&lt;a href=&#39;x&#39;&gt;\u{fffd}\u{fffd}&amp;");
        assert_eq!(escape("naïve 数字 🙂\n"), "naïve 数字 🙂\n");
    }

    #[test]
    fn backticks_mark_code_in_pairs() {
        assert_eq!(with_code("no key `<b>`, or `x`").0, "no key <code>&lt;b&gt;</code>, or <code>x</code>");
        assert_eq!(with_code("a ` alone").0, "a ` alone");
        assert_eq!(with_code("").0, "");
    }
}
