//! WCAG 2's contrast of every text colour on every background that it is used on, read from the style sheet itself.

use std::collections::BTreeMap;

/// `--name: #rrggbb;` declarations of one theme.
fn colours(css: &str) -> BTreeMap<&str, [f64; 3]> {
    let declarations = css.split("--").skip(1).filter_map(|part| part.split(';').next()?.split_once(": #"));
    let channel = |hex: &str, i: usize| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal")) / 255.0;
    declarations.map(|(name, hex)| (name, [channel(hex, 0), channel(hex, 2), channel(hex, 4)])).collect()
}

/// Relative luminance: <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>.
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    let [r, g, b] = colour.map(linear);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_can_be_read_in_both_themes() {
    let css = include_str!("../../assets/style.css");
    let root = |from: &str| {
        let rest = &css[css.find(from).expect("the theme is there")..];
        &rest[..rest.find('}').expect("a block ends")]
    };
    let light = colours(root(":root {"));
    let dark_over_light: BTreeMap<_, _> =
        light.iter().map(|(k, v)| (*k, *v)).chain(colours(root("@media (prefers-color-scheme: dark)"))).collect();
    let texts = ["text", "muted", "link", "good", "bad", "warn", "busy"];
    let ansi: Vec<String> = (0..16).map(|i| format!("a{i}")).collect();
    for (theme, colours) in [("light", light), ("dark", dark_over_light)] {
        assert!(colours.len() > 30, "{theme}: {} colours were read", colours.len());
        let check = |text: &str, background: &str| {
            let ratio = contrast(colours[text], colours[background]);
            assert!(ratio >= 4.5, "{theme}: --{text} on --{background} has {ratio:.2}");
        };
        for text in texts {
            for background in ["bg", "bg-soft", "bg-hover", "log"] {
                check(text, background);
            }
        }
        for ansi in &ansi {
            check(ansi, "log");
            check(ansi, "bg-hover");
        }
        for tone in ["good", "bad", "warn"] {
            check(tone, &format!("{tone}-soft"));
        }
        check("text", "mark");
    }
}
