//! Filters on branches, tags and paths, in the glob language of GitHub.
//!
//! `*` any characters but `/`; `**` any characters; `?` zero or one of the preceding character; `+` one
//! or more of it; `[a-z]` one of a set; `\` takes the next character as it is; a leading `!` excludes.
//! A pattern matches the whole name, case counts.

mod glob;

pub use glob::{Glob, InvalidGlob};

/// Whether an ordered list of patterns takes a name: the last one that matches decides, so that a
/// later pattern takes back what an earlier `!` one excluded.
///
/// A pattern that cannot be read matches nothing; `assay check` reports it.
pub fn matches(patterns: &[String], name: &str) -> bool {
    Filter::new(patterns).matches(name)
}

/// Whether any of the paths is taken: of `paths`, the workflow runs.
pub fn any_path(patterns: &[String], paths: &[String]) -> bool {
    let filter = Filter::new(patterns);
    paths.iter().any(|path| filter.matches(path))
}

/// Whether some path is *not* taken: of `paths-ignore`, the workflow runs.
pub fn any_other_path(patterns: &[String], paths: &[String]) -> bool {
    let filter = Filter::new(patterns);
    paths.iter().any(|path| !filter.matches(path))
}

struct Filter {
    rules: Vec<(bool, Glob)>,
}

impl Filter {
    fn new(patterns: &[String]) -> Self {
        let rule = |pattern: &String| {
            let (takes, pattern) = match pattern.strip_prefix('!') {
                Some(rest) => (false, rest),
                None => (true, pattern.as_str()),
            };
            Glob::new(pattern).ok().map(|glob| (takes, glob))
        };
        Self { rules: patterns.iter().filter_map(rule).collect() }
    }

    fn matches(&self, name: &str) -> bool {
        self.rules.iter().rev().find(|(_, glob)| glob.matches(name)).is_some_and(|(takes, _)| *takes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], yes: &[&str], no: &[&str]) {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        for name in yes {
            assert!(matches(&patterns, name), "{patterns:?} must take {name}");
        }
        for name in no {
            assert!(!matches(&patterns, name), "{patterns:?} must not take {name}");
        }
    }

    /// GitHub's cheat sheet for branches and tags.
    #[test]
    fn refs() {
        check(&["feature/*"], &["feature/my-branch", "feature/your-branch"], &["feature/a/b", "feature"]);
        check(&["feature/**"], &["feature/beta-a/my-branch", "feature/a"], &["features/a"]);
        check(&["main"], &["main"], &["Main", "mainx", "x/main"]);
        check(&["*"], &["main", "releases"], &["all/the/branches"]);
        check(&["**"], &["all/the/branches", "every/tag", "x"], &[]);
        check(&["*feature"], &["mona-feature", "feature", "ver-10-feature"], &["a/feature"]);
        check(&["v2*"], &["v2", "v2.0", "v2.9"], &["v1"]);
        check(&["v[12].[0-9]+.[0-9]+"], &["v1.10.1", "v2.0.0"], &["v3.0.0", "v1.a.0", "v1.0"]);
    }

    /// GitHub's cheat sheet for paths.
    #[test]
    fn paths() {
        check(&["*.jsx?"], &["page.js", "page.jsx"], &["page.jsxx", "a/page.js"]);
        check(&["**.js"], &["index.js", "js/index.js", "src/js/app.js"], &["index.jsx"]);
        check(&["docs/*"], &["docs/README.md"], &["docs/a/b.md"]);
        check(&["docs/**"], &["docs/README.md", "docs/mona/octocat.txt"], &["docs"]);
        check(&["docs/**/*.md"], &["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"], &["a.md"]);
        check(&["**/docs/**"], &["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"], &["mydocs/x"]);
        check(&["**/README.md"], &["README.md", "js/README.md"], &["XREADME.md"]);
        check(&["**/*src/**"], &["a/src/app.js", "my-src/code/js/app.js"], &["srcx/a"]);
        check(&["**/*-post.md"], &["my-post.md", "path/their-post.md"], &["post.md"]);
        check(&["**/migrate-*.sql"], &["migrate-10909.sql", "db/migrate-v1.0.sql"], &["migrate.sql"]);
    }

    #[test]
    fn the_last_match_decides() {
        check(&["*.md", "!README.md"], &["hello.md"], &["README.md", "docs/hello.md"]);
        check(&["*.md", "!README.md", "README*"], &["hello.md", "README.md", "README.doc"], &[]);
        check(&["releases/**", "!releases/**-alpha"], &["releases/10", "releases/beta/mona"], &["releases/10-alpha"]);
        check(&["!main"], &[], &["main", "other"]);
        check(&[], &[], &["main"]);
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let pattern = "**a".repeat(400);
        assert!(!Glob::new(&pattern).unwrap().matches(&"a".repeat(399)));
        assert!(Glob::new("[a").is_err() && Glob::new("[]").is_err() && Glob::new("[z-a]").is_err());
        assert!(Glob::new("+a").is_err() && Glob::new("?a").is_err());
        check(&["a\\*", "[\\]]", "é+"], &["a*", "]", "éé"], &["ab", "e"]);
    }

    #[test]
    fn ignoring_needs_one_path_outside() {
        let ignore = ["docs/**".to_owned()];
        let paths = |list: &[&str]| list.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
        assert!(!any_other_path(&ignore, &paths(&["docs/a"])));
        assert!(any_other_path(&ignore, &paths(&["docs/a", "src/b"])));
        assert!(!any_path(&ignore, &paths(&[])) && any_path(&ignore, &paths(&["src/b", "docs/a"])));
    }
}
