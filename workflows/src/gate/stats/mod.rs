//! The gate's own statistics: functions of numbers, with no knowledge of metrics or policies.

pub mod binomial;
pub mod bootstrap;
pub mod history;
pub mod hodges_lehmann;
pub mod mcnemar;
pub mod multiple;
pub mod paired_t;
pub mod quantile;
pub mod random;
pub mod share;
pub mod special;
pub mod tango;
pub mod unconditional;
