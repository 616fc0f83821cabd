//! Terminal output → HTML: colours and weights as classes, everything else of the terminal's language left out.
//!
//! `assets/app.js` holds the same rules for the bytes that arrive while a page is open; a browser test compares the two.

use std::fmt::Write;

use crate::html::push_escaped;

/// What the escape sequences so far have switched on. It goes on from line to line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    /// Of the 16 colours.
    foreground: Option<u8>,
    background: Option<u8>,
}

impl Style {
    /// What the page calls it: classes, as the style sheet and the script know them.
    pub(crate) fn classes(self) -> String {
        let mut classes = String::new();
        let mut push = |class: &str| {
            if !classes.is_empty() {
                classes.push(' ');
            }
            classes.push_str(class);
        };
        for (on, class) in [(self.bold, "b"), (self.dim, "d"), (self.italic, "i"), (self.underline, "u")] {
            if on {
                push(class);
            }
        }
        if let Some(colour) = self.foreground {
            push(&format!("f{colour}"));
        }
        if let Some(colour) = self.background {
            push(&format!("g{colour}"));
        }
        classes
    }

    /// Applies one `ESC [ … m`.
    fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split([';', ':']).map(|code| code.parse::<u16>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                30..=37 => self.foreground = Some((code - 30) as u8),
                38 => self.foreground = extended(&mut codes),
                39 => self.foreground = None,
                40..=47 => self.background = Some((code - 40) as u8),
                48 => self.background = extended(&mut codes),
                49 => self.background = None,
                90..=97 => self.foreground = Some((code - 82) as u8),
                100..=107 => self.background = Some((code - 92) as u8),
                _ => {}
            }
        }
    }
}

/// `5;n` or `2;r;g;b` as the nearest of the eight bright or dark colours: a page in two themes has only those.
fn extended(codes: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match codes.next()? {
        5 => Some(match codes.next()? {
            n @ 0..=15 => n as u8,
            n @ 16..=231 => nearest([(n - 16) / 36 * 51, (n - 16) / 6 % 6 * 51, (n - 16) % 6 * 51]),
            n => nearest([(n.min(255) - 232) * 10 + 8; 3]),
        }),
        2 => Some(nearest([codes.next()?, codes.next()?, codes.next()?])),
        _ => None,
    }
}

fn nearest(rgb: [u16; 3]) -> u8 {
    let most = rgb.into_iter().max().unwrap_or(0);
    let bit = |i: usize| u8::from(most > 0 && rgb[i] * 2 > most) << i;
    let base = if most < 64 { 0 } else { bit(0) | bit(1) | bit(2) };
    if most > 200 { base + 8 } else { base }
}

/// One line of a log as HTML. Of text that a carriage return overwrites (progress bars) the last state is shown.
pub(crate) fn line(style: &mut Style, text: &str) -> String {
    let text = text.trim_end_matches('\r');
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let stop = rest.find(['\u{1b}', '\r', '\u{8}']);
        let plain = &rest[..stop.unwrap_or(rest.len())];
        if !plain.is_empty() {
            let classes = style.classes();
            if classes.is_empty() {
                push_escaped(&mut out, plain);
            } else {
                let _ = write!(out, "<span class=\"{classes}\">");
                push_escaped(&mut out, plain);
                out.push_str("</span>");
            }
        }
        let Some(stop) = stop else { return out };
        rest = match rest.as_bytes()[stop] {
            b'\r' => {
                out.clear();
                &rest[stop + 1..]
            }
            0x1b => sequence(style, &rest[stop + 1..]),
            // A backspace.
            _ => &rest[stop + 1..],
        };
    }
}

/// Reads one escape sequence (its ESC already read) and returns what follows it.
fn sequence<'a>(style: &mut Style, text: &'a str) -> &'a str {
    let mut chars = text.char_indices();
    match chars.next() {
        Some((_, '[')) => {
            let end = chars.find(|(_, c)| ('@'..='~').contains(c));
            let Some((end, last)) = end else { return "" };
            if last == 'm' {
                style.apply(&text[1..end]);
            }
            &text[end + 1..]
        }
        // An operating system command (a title, a link): to its BEL or ESC \.
        Some((_, ']')) => match text.find(['\u{7}', '\u{1b}']) {
            Some(end) if text.as_bytes()[end] == 7 => &text[end + 1..],
            Some(end) => text[end + 1..].strip_prefix('\\').unwrap_or(&text[end + 1..]),
            None => "",
        },
        Some((at, c)) => &text[at + c.len_utf8()..],
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        line(&mut Style::default(), text)
    }

    #[test]
    fn colours_become_classes_and_text_is_escaped() {
        assert_eq!(html("plain <b> & \"q\""), "plain &lt;b&gt; &amp; &quot;q&quot;");
        assert_eq!(html("\u{1b}[1;31mred\u{1b}[0m on"), "<span class=\"b f1\">red</span> on");
        assert_eq!(html("\u{1b}[93my\u{1b}[39m\u{1b}[44mz"), "<span class=\"f11\">y</span><span class=\"g4\">z</span>");
        assert_eq!(html("\u{1b}[38;5;196mr"), "<span class=\"f9\">r</span>");
        assert_eq!(html("\u{1b}[38;2;0;100;0mg"), "<span class=\"f2\">g</span>");
        assert_eq!(html("\u{1b}[mx"), "x");
    }

    #[test]
    fn a_style_goes_on_over_lines() {
        let mut style = Style::default();
        assert_eq!(line(&mut style, "\u{1b}[32mone"), "<span class=\"f2\">one</span>");
        assert_eq!(line(&mut style, "two"), "<span class=\"f2\">two</span>");
        assert_eq!(line(&mut style, "\u{1b}[0mthree"), "three");
    }

    #[test]
    fn what_is_for_terminals_alone_is_left_out() {
        assert_eq!(html("\u{1b}[2K\u{1b}[1Aup"), "up");
        assert_eq!(html("\u{1b}]0;title\u{7}text"), "text");
        assert_eq!(html("\u{1b}]8;;x\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "link");
        assert_eq!(html("10 %\r50 %\r100 %"), "100 %");
        assert_eq!(html("windows\r"), "windows");
        assert_eq!(html("a\u{0}b\u{202e}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn broken_sequences_end_quietly() {
        for text in ["\u{1b}", "\u{1b}[", "\u{1b}[31", "\u{1b}]0;t", "\u{1b}[38;5m", "\u{1b}[38;2;1mx", "\u{1b}é"] {
            html(text);
        }
        assert_eq!(html("\u{1b}[999999999999mx"), "x");
        assert_eq!(html("\u{1b}[38;5;999mx"), "<span class=\"f15\">x</span>");
    }
}
