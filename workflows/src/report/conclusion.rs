use crate::{
    gate::{Answer, Defaults, OnUnknown, Verdict},
    run::Conclusion,
};

/// How the check run `assay/gate` concludes. Every line is looked at, since the policy may block for want
/// of a baseline and not for want of data, or the other way round.
pub fn conclusion(verdict: &Verdict, defaults: &Defaults) -> Conclusion {
    let of_line = |answer: Answer| match answer {
        Answer::Pass => Conclusion::Success,
        Answer::Fail => Conclusion::Failure,
        Answer::Inconclusive => unknown(defaults.on_inconclusive),
        Answer::NoBaseline => unknown(defaults.on_no_baseline),
    };
    let mut worst = of_line(verdict.verdict);
    for rule in &verdict.rules {
        worst = worse(worst, of_line(rule.verdict));
    }
    worst
}

fn unknown(policy: OnUnknown) -> Conclusion {
    match policy {
        OnUnknown::Neutral => Conclusion::Neutral,
        OnUnknown::Failure => Conclusion::Failure,
    }
}

fn worse(a: Conclusion, b: Conclusion) -> Conclusion {
    match (a, b) {
        (Conclusion::Failure, _) | (_, Conclusion::Failure) => Conclusion::Failure,
        (Conclusion::Success, other) => other,
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::sample;

    #[test]
    fn every_answer_concludes_as_the_policy_says() {
        let strict = Defaults { on_no_baseline: OnUnknown::Failure, ..Defaults::default() };
        let check = |answers: &[Answer], defaults: &Defaults, expected: Conclusion| {
            assert_eq!(conclusion(&sample(answers), defaults), expected, "{answers:?}");
        };
        let lax = Defaults::default();
        check(&[Answer::Pass, Answer::Pass], &lax, Conclusion::Success);
        check(&[], &lax, Conclusion::Success);
        check(&[Answer::Pass, Answer::Fail], &lax, Conclusion::Failure);
        check(&[Answer::Inconclusive, Answer::Pass], &lax, Conclusion::Neutral);
        check(&[Answer::NoBaseline, Answer::Inconclusive], &lax, Conclusion::Neutral);
        check(&[Answer::NoBaseline, Answer::Inconclusive], &strict, Conclusion::Failure);
        check(&[Answer::Inconclusive], &strict, Conclusion::Neutral);
    }
}
