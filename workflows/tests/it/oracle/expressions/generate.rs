//! Made-up expressions: every kind of atom, every operator and every function with arguments that fit and that do not.
//!
//! What `SERVICE_…` names is where npm's package differs from GitHub's service, of which the runner's repository has the
//! source: it is made up only where the service's own parser is asked.

use serde_json::{Value, json};

use crate::mutation::Random;

pub(super) fn contexts(service: bool) -> serde_json::Map<String, Value> {
    let contexts = json!({
        "github": {
            "ref": "refs/heads/main", "Event_Name": "push", "run_number": 17, "empty": "", "nothing": null, "yes": true,
            "event": {
                "labels": [{"name": "a", "n": 1}, {"name": "B"}, 3, ["x", "y"], null],
                "commits": [{"author": {"name": "ada"}}, {"author": {"name": "grace"}}],
                "k0": "zero", "1.5": "one and a half", "true": "yes", "": "unnamed", "É": "accent", "1E+15": "large"
            }
        },
        "matrix": {"n": 1.5, "list": [1, "1", true, null, "é"], "o": {}},
        "env": {
            "A": "1", "hex": "0xff", "octal": "0o17", "exp": "1e3", "space": " 12 ", "word": "abc", "i": "Infinity",
            "minus": "-0x10", "plus": "+7", "wide": "0xFFFFFFFF", "zeros": "007", "lines": "a\nb", "none": []
        }
    });
    let mut contexts = contexts.as_object().expect("it is an object").clone();
    if service {
        contexts["matrix"]["big"] = json!(123_456_789_012_345_680.0);
        contexts["matrix"]["small"] = json!(1e-7);
    }
    contexts
}

#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "0", "-0", "+0", "1", "-1", "+1", "2", "10", "1.5", "-.5", ".5", "1.", "1e3", "0xff", "0xFG", "0x", "0o17", "0o8",
    "0o", "0x7fffffff", "0o17777777777", "00", "007", "-007", "00.5", "1_000", "1.2.3", "1e", "1e+", "1e+5", "--1",
    "+-1", "-", "+", ".", "..", "0.1", "999999999999999", "0.0001", "NaN", "Infinity", "-Infinity", "nan", "1x", "1-2",
];

/// The package reads these as JavaScript does, or prints them so: the service has 32 bits for hexadecimal numbers, one case
/// for `0x`, and prints 15 digits.
#[rustfmt::skip]
const SERVICE_NUMBERS: &[&str] = &[
    "0xffffffff", "0x80000000", "0x100000000", "0o20000000000", "0o40000000000", "0O7", "0XFF", "0b1", "-0xff", "+0o7",
    "1e400", "-1e400", "1E-7", "1e308", "4.9e-324", "1e-400", "123456789012345678", "0.30000000000000004", "1e21",
    "1e15", "999999999999999.9", "0.00001", "5e-5", "1e-5", "infinity", "+Infinity", "-NaN", "1234567.891",
    "123456789.123456789",
];

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "null", "true", "false", "Null", "TRUE", "''", "'a'", "'A'", "'it''s'", "''''", "' '", "'1'", "'0x10'", "'0o17'",
    "'1e1'", "'-1'", "'+1'", "' 1 '", "'1 2'", "'.'", "'1,000'", "'Infinity'", "'NaN'", "'-Infinity'", "'∞'", "'é'",
    "'É'", "'SS'", "'ı'", "'I'", "'i'", "'İ'", "'s'", "'µ'", "'ǆ'", "'ǅ'", "'ς'", "'σ'", "'Σ'", "'FI'", "'😀'",
    "'\u{fffd}'", "'𐐨'", "'𐐀'", "'{0}'", "'true'", "'null'", "'[1, 2, [3]]'", "'{\"a\": {\"b\": [1, null]}}'", "'a,b'",
    "'Array'", "'Object'", "'abcabc'", "'\t'", "'\n'", "'a", "\"a\"", "a'",
];

/// JavaScript makes `SS` of `ß`, and of others several characters too.
#[rustfmt::skip]
const SERVICE_WORDS: &[&str] = &[
    "'0xFFFFFFFF'", "'infinity'", "'ß'", "'ẞ'", "'ᾳ'", "'ᾼ'", "'ﬁ'", "'ſ'",
];

#[rustfmt::skip]
const NAMES: &[&str] = &[
    "github", "GitHub", "github.ref", "GITHUB.event_name", "github.event", "github.event.labels",
    "github.event.labels.*.name", "github.event.labels[*].name", "github.event.commits.*.author.name",
    "github.event.labels[0].name", "github.event.labels[3][1]", "github.event.labels.*[1]", "github.event.*",
    "github.*.*", "github.nothing", "github.nothing.more", "github.empty", "github.yes", "github['ref']",
    "github['REF']", "github.event[1.5]", "github.event[true]", "github.event['']", "github.event['é']",
    "github.event[null]", "matrix", "matrix.n", "matrix.list", "matrix.list[1]", "matrix.list['1']", "matrix.list[-1]",
    "matrix.list[1.9]", "matrix.list[99]", "matrix.list[NaN]", "matrix.list[Infinity]", "matrix.list[null]",
    "matrix.list[true]", "matrix.list['']", "matrix.list['x']", "matrix.list.*", "matrix.list.*.*", "matrix.o",
    "matrix.o.*", "env.word", "env['hex']", "env.octal", "env.exp", "env.space", "env.minus", "env.plus", "env.zeros",
    "env.lines", "env.none", "env.nope.more", "foo", "foo.bar", "github.1", "github.-a", "github.a-b", "github._a",
    "github.true", "github.null",
];

/// Of numbers as above; and the package knows no space beside a dot.
const SERVICE_NAMES: &[&str] =
    &["github.event[1e15]", "matrix.big", "matrix.small", "env.wide", "github. ref", "github .ref", "env.i"];

#[rustfmt::skip]
const FORMATS: &[&str] = &[
    "{0}", "{1}", "{{0}}", "{{{0}}}", "{", "}", "{}", "{a}", "{0", "0}", "{ 0}", "{00}", "{-1}", "a{0}b{1}c", "{{",
    "}}", "{0}}", "{{0}", "{0}{0}", "{254}", "{٣}", "", "it''s {0}", "{0}{1}{2}",
];

/// The package reads no further than the number.
#[rustfmt::skip]
const SERVICE_FORMATS: &[&str] = &[
    "{0:x}", "{0:}", "{0:}}", "{0:{}", "{0 }", "{255}", "{256}", "{999999999999}",
];

#[rustfmt::skip]
const JSON: &[&str] = &[
    "1", " 1 ", "-0", "-1.50", "1e3", "+1", "\"a\"", "\"\\u0041\\n\"", "\"\\x\"", "true", "True", "null", "nul", "",
    " ", "[]", "[1,2]", "[1 2]", "[", "]", "{}", "{\"a\":1}", "{\"b\":1,\"a\":[2,{\"c\":null}]}", "{\"a\"}", "{\"a\":}",
    "08", "-0x1", "truex", "nullnull", "-", "--1", "1e", "0e1", "[1)", "[1}", "{\"a\" 1}", "{a b:1}", "{a-b:1}",
    "\"\\u00zz\"", "\"a", "[\"é\", \"\\ud83d\\ude00\"]", "{\"a\":{\"b\":{\"c\":[[[1]]]}}}", "0.1",
    "{\"1\":\"x\",\"true\":\"y\"}", "\"2020-01-01T00:00:00Z\"", "[[\"a\",\"b\"],[\"c\"]]",
    "[{\"name\":\"x\"},{\"name\":\"y\"},{\"other\":1}]",
];

/// Json.NET takes them, and the package's `JSON.parse` does not, or otherwise.
#[rustfmt::skip]
const SERVICE_JSON: &[&str] = &[
    "1E400", "01", ".5", "1.", "0x10", "NaN", "Infinity", "-Infinity", "undefined", "[1,]", "[,1]", "{\"a\":1,\"a\":2}",
    "{\"A\":1,\"a\":2}", "{\"a\":1,}", "{a:1}", "{1:2}", "[NaN]", "[1]x", "1 2", "[1] [2]", "[,]", "{\"a\":,}",
    "[1,,2]", "[undefined]", "010", "-010", "0X1F", "1/2", "true x", "0.", "{é:1}", "\"\\ud83d\"", "\"\\'\"",
    "\"a\nb\"", "123456789012345678", "1e15", "''x''",
];

#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "contains", "startsWith", "endsWith", "format", "join", "toJSON", "fromJSON", "case", "CONTAINS", "tojson",
    "FormaT", "nope", "github", "hashFiles",
];

pub(super) struct Maker {
    pub(super) random: Random,
    /// Whether the service's own parser is asked.
    pub(super) service: bool,
}

impl Maker {
    fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    /// One of both lists where the service is asked.
    fn pick_of(&mut self, both: &[&'static str], service: &[&'static str]) -> &'static str {
        let at = self.below(both.len() + if self.service { service.len() } else { 0 });
        both.get(at).copied().unwrap_or_else(|| service[at - both.len()])
    }

    fn atom(&mut self) -> String {
        match self.below(8) {
            0 | 1 => self.pick_of(NUMBERS, SERVICE_NUMBERS).to_owned(),
            2 | 3 => self.pick_of(WORDS, SERVICE_WORDS).to_owned(),
            4..=6 => self.pick_of(NAMES, SERVICE_NAMES).to_owned(),
            _ => format!("fromJSON('{}')", self.pick_of(JSON, SERVICE_JSON)),
        }
    }

    fn list(&mut self, most: usize, depth: usize) -> Vec<String> {
        (0..self.below(most)).map(|_| self.made(depth)).collect()
    }

    fn made(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(5) == 0 {
            return self.atom();
        }
        let within = depth - 1;
        match self.below(16) {
            0..=3 => {
                let operator = self.pick(&["==", "!=", "<", "<=", ">", ">=", "&&", "||", "=", "<>", "&", "+", " "]);
                let space = self.pick(&[" ", " ", "", "\n", "\t"]);
                format!("{}{space}{operator}{space}{}", self.made(within), self.made(within))
            }
            4 => format!("!{}", self.made(within)),
            5 => format!("({})", self.made(within)),
            6 => format!("({})[{}]", self.made(within), self.made(within)),
            7 => format!("{}[{}]", self.pick_of(NAMES, SERVICE_NAMES), self.made(within)),
            8 => format!("({}).*", self.made(within)),
            9 => {
                let name = self.pick(&["name", "a", "*.name", "*.*", "A", "0", "length"]);
                format!("({}).{name}", self.made(within))
            }
            10 => {
                let format = format!("'{}'", self.pick_of(FORMATS, SERVICE_FORMATS));
                let arguments: Vec<String> = std::iter::once(format).chain(self.list(4, within)).collect();
                format!("format({})", arguments.join(", "))
            }
            11 => {
                let mut arguments = self.list(6, within);
                // With predicates of any kind most would end at the first one.
                for predicate in arguments.iter_mut().step_by(2) {
                    *predicate = format!("!{predicate}");
                }
                format!("case({})", arguments.join(", "))
            }
            12 => format!("join({}, {})", self.made(within), self.made(within)),
            13 => format!("{}({}, {})", self.pick(FUNCTIONS), self.made(within), self.made(within)),
            14 => format!("{}({})", self.pick(FUNCTIONS), self.made(within)),
            _ => format!("{}({})", self.pick(FUNCTIONS), self.list(4, within).join(",")),
        }
    }

    /// A nesting that is nearly or just too deep. The package counts only `(`, `!` and the brackets of calls.
    fn deep(&mut self) -> String {
        let depth = 44 + self.below(10);
        let inner = self.atom();
        let around =
            |open: &str, close: &str, depth: usize| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
        match self.below(9) {
            0 => around("(", ")", depth / 2),
            1 => around("!", "", depth),
            2 => around("!(", ")", depth),
            3 => format!("github{}", self.pick(&[".a", ".*", "['a']"]).repeat(depth)),
            4 => around("join(", ")", depth),
            5 => around("github[", "]", depth),
            6 => around("1 == ", "", depth),
            7 => around("null || (true && (", "))", depth / 2),
            _ => around("null || (", ")", depth / 2),
        }
    }

    /// A character more, less or other.
    fn damaged(&mut self, text: &str) -> String {
        const PIECES: &[&str] = &[
            "", " ", "'", "(", ")", "[", "]", ".", "*", ",", "!", "=", "&", "|", "-", "1", "x", "$", "\"", "_", "{",
            "}", "+", "/", "%", "?", ":", "\\", "é",
        ];
        let mut chars: Vec<char> = text.chars().collect();
        let at = self.below(chars.len());
        let (removed, piece) = (self.below(2), self.pick_of(PIECES, &["\u{a0}"]));
        chars.splice(at..at + removed, piece.chars());
        chars.into_iter().collect()
    }

    pub(super) fn expression(&mut self) -> String {
        if self.service && self.below(40) == 0 {
            return self.deep();
        }
        let depth = self.below(4);
        let text = self.made(depth);
        if self.below(5) == 0 { self.damaged(&text) } else { text }
    }
}
