//! Verdict → what a reviewer reads: a check run within GitHub's limits in bytes, Markdown, a
//! terminal's table.
