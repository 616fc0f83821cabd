//! One plain sentence for each line.

use super::{
    Answer, Bound,
    choose::{Values, sign},
    comparison::{Comparison, SampleUnit},
    number,
};

pub(super) struct Line<'a> {
    pub(super) metric: &'a str,
    pub(super) bound: &'a Bound,
    pub(super) alpha: f64,
    /// Claims in the family that the p-values were corrected over.
    pub(super) family: usize,
}

impl Line<'_> {
    fn values(&self, values: Values) -> String {
        let metric = self.metric;
        let verb = match values.head.total_cmp(&values.base) {
            std::cmp::Ordering::Less => "fell",
            std::cmp::Ordering::Greater => "rose",
            std::cmp::Ordering::Equal => return format!("{metric} is {} on both", number::value(metric, values.head)),
        };
        let (base, head) = (number::value(metric, values.base), number::value(metric, values.head));
        if base == head {
            return format!("{metric} {verb} by {}", number::size(metric, values.head - values.base));
        }
        format!("{metric} {verb} from {base} to {head}, by {}", number::size(metric, values.head - values.base))
    }

    /// `d` in words: "a drop of 1.2 pp", "a rise of 0.3 pp".
    fn amount(&self, d: f64) -> String {
        let change = sign(self.bound) * d;
        let noun = if change < 0.0 { "a drop" } else { "a rise" };
        if change == 0.0 { "no change".to_owned() } else { format!("{noun} of {}", number::size(self.metric, change)) }
    }

    fn allowed(&self, margin: f64) -> String {
        match (margin == 0.0, self.bound) {
            (true, Bound::MaxDrop(_)) => "no drop is allowed".to_owned(),
            (true, _) => "no rise is allowed".to_owned(),
            (false, Bound::MaxDrop(_)) => format!("a drop of {} is allowed", number::size(self.metric, margin)),
            (false, _) => format!("a rise of {} is allowed", number::size(self.metric, margin)),
        }
    }

    pub(super) fn identical(&self, values: Values, n: u64) -> String {
        let examples = number::thousands(n);
        let value = number::value(self.metric, values.head);
        match n {
            0 => format!("identical: the same model, and {} is {value} on both", self.metric),
            _ => format!("identical: none of {examples} examples changed, and {} is {value} on both", self.metric),
        }
    }

    pub(super) fn exact(&self, values: Values, margin: f64) -> String {
        format!("{}; {}", self.values(values), self.allowed(margin))
    }

    pub(super) fn nondeterministic(&self, differing: u64, n: u64) -> String {
        format!(
            "the same model bytes answered {} of {} examples differently: the evaluation is not deterministic, and \
             this says nothing about the model",
            number::thousands(differing),
            number::thousands(n)
        )
    }

    pub(super) fn compared(
        &self,
        found: &Comparison,
        values: Values,
        margin: f64,
        answer: Answer,
        needed: Option<u64>,
    ) -> String {
        let confidence =
            number::digits((1.0 - self.alpha) * 100.0, 3).trim_end_matches('0').trim_end_matches('.').to_owned();
        let (values, allowed) = (self.values(values), self.allowed(margin));
        match answer {
            Answer::Fail => {
                let least = self.amount(found.lower);
                format!("{values}; with {confidence} % confidence the truth is at least {least}, and {allowed}")
            }
            Answer::Pass => {
                let most = self.amount(found.upper);
                format!("{values}; with {confidence} % confidence the truth is no worse than {most}, and {allowed}")
            }
            Answer::Inconclusive | Answer::NoBaseline => {
                if found.p_worse <= self.alpha {
                    return format!(
                        "{values}; alone this would be proof of more than is allowed, but among {} comparisons one \
                         such difference is to be expected by chance ({allowed})",
                        self.family
                    );
                }
                if !found.lower.is_finite() || !found.upper.is_finite() {
                    let n = number::thousands(found.n);
                    return format!("{values}; {n} repetitions are too few to bound the change, and {allowed}");
                }
                let (best, worst) = (self.amount(found.lower), self.amount(found.upper));
                let more = match needed {
                    Some(needed) => {
                        let what = match found.unit {
                            SampleUnit::Examples => "examples",
                            SampleUnit::Blocks => "repetitions",
                            SampleUnit::EarlierValues => "earlier values",
                        };
                        let (needed, n) = (number::thousands(number::round_up(needed)), number::thousands(found.n));
                        format!("about {needed} {what} would probably tell; there are {n}")
                    }
                    None => {
                        "no practicable number of samples would tell, the change is so near what is allowed".to_owned()
                    }
                };
                format!("{values}; the truth may be anything from {best} to {worst}, and {allowed}: {more}")
            }
        }
    }

    pub(super) fn quantile(
        &self,
        answer: Answer,
        over: u64,
        n: u64,
        q: f64,
        limit: f64,
        needed: Option<u64>,
    ) -> String {
        let (share, limit) = (number::digits((1.0 - q) * 100.0, 3), number::value(self.metric, limit));
        let seen = format!("{} of {} measurements are above {limit}", number::thousands(over), number::thousands(n));
        match (answer, needed) {
            (Answer::Fail, _) => format!("{seen}: proof that more than {share} % are"),
            (Answer::Pass, _) => format!("{seen}: proof that at most {share} % are"),
            (_, Some(needed)) => {
                let needed = number::thousands(needed);
                format!("{seen}: {needed} with no more of them above would prove that at most {share} % are")
            }
            (_, None) => format!("{seen}: so near the {share} % that are allowed that it cannot be told"),
        }
    }

    pub(super) fn bound(&self, value: f64, limit: f64, holds: bool) -> String {
        let (metric, value, limit) =
            (self.metric, number::value(self.metric, value), number::value(self.metric, limit));
        match (self.bound, holds) {
            (Bound::Min(_), true) => format!("{metric} is {value}, at least the {limit} that are asked for"),
            (Bound::Min(_), false) => format!("{metric} is {value}, below the {limit} that are asked for"),
            (_, true) => format!("{metric} is {value}, within the {limit} that are allowed"),
            (_, false) => format!("{metric} is {value}, above the {limit} that are allowed"),
        }
    }
}
