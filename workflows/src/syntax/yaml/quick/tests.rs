use super::{Builder, read};
use crate::syntax::yaml::{lines::Lines, parser};

/// False where the parser is asked; else the tree was found to be the parser's.
#[track_caller]
fn is_plain(text: &str) -> bool {
    let Some(own) = read(text) else { return false };
    let mut builder = Builder::default();
    let outcome = parser::read(text, Lines::of(text), &mut builder);
    assert!(outcome.is_ok(), "the parser refuses {text:?}");
    assert_eq!(format!("{:#?}", own.finish().0), format!("{:#?}", builder.finish().0), "{text:?}");
    true
}

#[test]
fn what_is_plain_is_read_as_the_parser_reads_it() {
    for text in [
        "",
        "# nothing\n\n",
        "on: push\njobs:\n  a:\n    runs-on: x\n",
        "a:\n  b:\n    c: 1\n  d: 'it''s' # why\ne: \"two  words \"",
        "a: # later\n\n# and\n  b:\nc:\nd: -x\n",
        "on:\n- push\n- [a]\nb:\n  - 'on': x\n    y: z\n  - - 1\n    - 2\n  -   deep: 1\n      er: 2\n",
        "l:\n- a: 1\n  b:\n  - c\n  - {}\n- 'x'\nm: x\n",
        "a: [b, 'c', \"d\", 1.5, [], {}, [e, [f]], { g: h, i: { j: [k] } }] # end\n",
        "a: { 'b': c d, \"e\": http://f }\nb: [-1, a-b, a#b]\n",
        "run: |\n  a\n\n    b # no comment\n  \n  \tc\n",
        "run: |\n  a\n   \n\n\n  # text\n # remark\nb: |-\n c\n\n",
        "a: >\n  b\n  c\n\n  d\n    e\n  f\n\n\n  g\nh: >-\n  i\n  j",
        "a:\n  - |\n    b\n  - >\n    c\n   # remark\n  - d: |\n      e\n    f: g\n",
        "ключ: [значение, { ü: ö }] # é\nb: \"é\" \nc: |\n  é\n",
    ] {
        assert!(is_plain(text), "{text:?}");
    }
}

#[test]
fn what_is_not_plain_is_the_parsers() {
    for text in [
        "a: b\r\n",
        "a:\tb\n",
        "\ta: b\n",
        "a: 'b\tc'\n",
        "a: \"\\n\"\n",
        "a: \"b\n  c\"\n",
        "a: b\n  c\n",
        "a: &x b\n",
        "a: *x\n",
        "a: !!str b\n",
        "? a\n: b\n",
        "--- \na: b\n",
        "---\n",
        "a: b\n...\n",
        "%YAML 1.2\n",
        "- a\n",
        " a: b\n",
        "a\n",
        "a: [b\n]\n",
        "a: [b]: c\n",
        "a: [b,]\n",
        "a: [b: c]\n",
        "a: {b}\n",
        "a: [b] c\n",
        "a: [b]#c\n",
        "a: 'b'#c\n",
        "a: 'b' c\n",
        "a : b\n",
        "a: b : c\n",
        "a:\n    b: c\n  d: e\n",
        "a:\n- b\n - c\n",
        "a: b\n- c\n",
        "a:\n- b\nc\n",
        "a: |\n\n  b\n",
        "a: |+\n  b\n",
        "a: |2\n   b\n",
        "a: |\nb: c\n",
        "a: |\n  b\n ",
        "a: |",
        "a: @b\n",
        "a: `b\n",
        "a: ]\n",
        "a: \u{feff}\n",
        "a: \u{1}\n",
        "a:\n  - b\n    c\n",
        "-",
        "a:\n  -\n    b: c\n",
        "a: [b -]\n",
    ] {
        assert!(!is_plain(text), "{text:?}");
    }
}
