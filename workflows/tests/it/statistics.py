"""References for the gate's statistics, computed by scipy and statsmodels.

Reads {case: arguments} as JSON, writes {case: numbers} with the same shape as the Rust side's answers.
"""
import json
import sys
from itertools import product
from types import SimpleNamespace

import numpy as np
import statsmodels.api as sm
from scipy import special, stats
from scipy.optimize import brentq
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower, normal_sample_size_one_tail
from statsmodels.stats.proportion import proportion_confint


def score(b, c, n, delta):
    """Tango's score: P(better) at its restricted maximum likelihood, found as the root of the derivative."""
    slope = lambda q: b / (q + delta) + c / q - 2 * (n - b - c) / (1 - 2 * q - delta)
    low, high = max(0.0, -delta), 0.5 * (1 - delta)
    width = high - low
    inside = [low + width * 1e-12, high - width * 1e-12]
    if b + c == 0 or width < 1e-9 or slope(inside[0]) <= 0:
        better = low
    elif slope(inside[1]) >= 0:
        better = high
    else:
        better = brentq(slope, *inside, xtol=1e-300, rtol=1e-15, maxiter=1000)
    return (b - c - n * delta) / np.sqrt(n * (2 * better + delta * (1 - delta)))


def tango(b, c, n, alpha):
    z = stats.norm.isf(alpha)
    estimate = (b - c) / n
    eps = 1e-9
    lower = brentq(lambda d: score(b, c, n, d) - z, -1 + eps, estimate - eps, xtol=1e-15)
    upper = brentq(lambda d: score(b, c, n, d) + z, estimate + eps, 1 - eps, xtol=1e-15)
    return [lower, upper]


def scores(b, c, n, delta):
    """The same for whole tables, by the quadratic's root."""
    linear = (2 * n - b + c) * delta - b - c
    q = (np.sqrt(linear**2 + 8 * n * c * delta * (1 - delta)) - linear) / (4 * n)
    return (b - c - n * delta) / np.sqrt(n * (2 * q + delta * (1 - delta)))


def unconditional(worse, better, n, margin):
    """The trinomial over all tables, at each nuisance parameter of the confidence interval."""
    low, high = proportion_confint(worse + better, n, alpha=1e-6, method="beta")
    low, high = max(low, abs(margin)), min(max(high, abs(margin)), 1.0)
    b, c = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    keep = b + c <= n
    b, c = b[keep], c[keep]
    beyond = scores(b, c, n, margin) >= score(worse, better, n, margin) - 1e-9
    b, c = b[beyond], c[beyond]
    ways = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(c + 1) - special.gammaln(n - b - c + 1)
    tail = lambda psi: np.exp(
        ways + special.xlogy(b, (psi + margin) / 2) + special.xlogy(c, (psi - margin) / 2) + special.xlogy(n - b - c, 1 - psi)
    ).sum()
    return [min(max(tail(low + (high - low) * i / 24) for i in range(25)) + 1e-6, 1.0)]


def one_sample(differences, margin, alpha):
    greater = stats.ttest_1samp(differences, margin, alternative="greater")
    less = stats.ttest_1samp(differences, margin, alternative="less")
    interval = stats.ttest_1samp(differences, margin).confidence_interval(1 - 2 * alpha)
    paired = stats.ttest_rel(np.array(differences) + 3.0, np.full(len(differences), 3.0 + margin), alternative="greater")
    assert abs(paired.pvalue - greater.pvalue) < 1e-12
    return [greater.pvalue, less.pvalue, interval.low, interval.high]


def clustered(differences, groups, margin, alpha):
    ones = np.ones(len(differences))
    fit = sm.OLS(differences, ones).fit(cov_type="cluster", cov_kwds={"groups": groups, "df_correction": True}, use_t=True)
    test = fit.t_test(([[1.0]], [margin]))
    t = float(np.squeeze(test.tvalue))
    df = len(set(groups)) - 1
    low, high = fit.conf_int(2 * alpha)[0]
    return [float(fit.bse[0]), stats.t.sf(t, df), stats.t.cdf(t, df), low, high]


def bca(data, resampled, alpha):
    found = stats.bootstrap(
        (np.array(data),), np.mean, n_resamples=0, confidence_level=1 - 2 * alpha, method="BCa",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=np.array(resampled)),
    )
    percentile = stats.bootstrap(
        (np.array(data),), np.mean, n_resamples=0, confidence_level=1 - 2 * alpha, method="percentile",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=np.array(resampled)),
    )
    return [found.confidence_interval.low, found.confidence_interval.high, found.standard_error,
            percentile.confidence_interval.low, percentile.confidence_interval.high]


def signed_rank(differences, margin, alpha):
    d = np.array(differences)
    walsh = np.sort([(d[i] + d[j]) / 2 for i in range(len(d)) for j in range(i, len(d))])
    p = lambda theta, side: stats.wilcoxon(d - theta, alternative=side, method="exact").pvalue
    # The p-value only changes at Walsh averages: it is asked between them.
    between = np.concatenate([[walsh[0] - 1], (walsh[1:] + walsh[:-1]) / 2, [walsh[-1] + 1]])
    lower = walsh[next(i for i, theta in enumerate(between) if p(theta, "greater") > alpha) - 1]
    upper = walsh[max(i for i, theta in enumerate(between) if p(theta, "less") > alpha)]
    return [float(np.median(walsh)), p(margin, "greater"), p(margin, "less"), lower, upper]


def prediction(history, value, alpha):
    fit = sm.OLS(history, np.ones(len(history))).fit()
    low, high = fit.get_prediction([[1.0]]).conf_int(obs=True, alpha=2 * alpha)[0]
    # The value's excess over the mean, bounded as the prediction is.
    mean = float(fit.params[0])
    return [value - high, value - low, value - mean]


def mcnemar_p(b, c):
    exact = stats.binomtest(b, b + c, 0.5, alternative="greater").pvalue
    two_sided = mcnemar([[0, b], [c, 0]], exact=True).pvalue
    return [exact, exact - 0.5 * stats.binom.pmf(b, b + c, 0.5), two_sided]


def quantile_p(over, n, q):
    test = lambda side: stats.binomtest(over, n, 1 - q, alternative=side).pvalue
    return [test("greater"), test("less")]


def mean_of_groups(values, drawn):
    return sum(sum(values[group]) for group in drawn) / sum(len(values[group]) for group in drawn)


def group_shares(values, limits):
    """All ways of drawing as many groups as there are: the bootstrap itself, without drawing."""
    groups = range(len(values))
    means = np.array([mean_of_groups(values, drawn) for drawn in product(groups, repeat=len(values))])
    return [np.mean(means <= limit) for limit in limits]


def group_bca(values, resampled, alpha):
    """scipy's, of groups as the units that are drawn and left out."""
    found = stats.bootstrap(
        (np.arange(len(values)),), lambda drawn: mean_of_groups(values, drawn.astype(int)), n_resamples=0, vectorized=False,
        confidence_level=1 - 2 * alpha, method="BCa",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=np.array(resampled)),
    )
    return [found.confidence_interval.low, found.confidence_interval.high, found.standard_error]


def sample_size(estimate, deviation, n, margin, alpha, power):
    """The change that n find, and how many would find the estimate; `deviation` is of one of them."""
    effect = (stats.norm.isf(alpha) + stats.norm.ppf(power)) / np.sqrt(n)
    found = NormalIndPower().power(effect, nobs1=n, alpha=alpha, ratio=0, alternative="larger")
    assert abs(found - power) < 1e-12, (found, power)
    needed = normal_sample_size_one_tail(estimate - margin, power, alpha, deviation)
    return [margin + effect * deviation, max(np.ceil(needed), n + 1)]


def sample_size_of_means(differences, margin, alpha, power):
    return sample_size(np.mean(differences), np.std(differences, ddof=1), len(differences), margin, alpha, power)


def sample_size_of_groups(differences, groups, margin, alpha, power):
    error = clustered(differences, groups, margin, alpha)[0]
    n = len(differences)
    return sample_size(np.mean(differences), error * np.sqrt(n), n, margin, alpha, power)


def sample_size_of_pairs(worse, better, n, margin, alpha, power):
    changes = np.repeat([1.0, -1.0, 0.0], [worse, better, n - worse - better])
    return sample_size(np.mean(changes), np.std(changes), n, margin, alpha, power)


def sample_size_of_blocks(differences, margin, alpha, power):
    estimate, _, _, lower, upper = signed_rank(differences, margin, alpha)
    n = len(differences)
    deviation = (upper - lower) / (2 * stats.norm.isf(alpha)) * np.sqrt(n)
    return sample_size(estimate, deviation, n, margin, alpha, power)


def sample_size_of_quantile(over, q, alpha):
    return [next(n for n in range(over + 1, 10**6) if stats.binom.cdf(over, n, 1 - q) <= alpha)]


FUNCTIONS = {
    "normal_cdf": lambda x: [stats.norm.cdf(x)],
    "normal_quantile": lambda p: [stats.norm.ppf(p)],
    "t_upper": lambda t, df: [stats.t.sf(t, df)],
    "t_upper_quantile": lambda p, df: [stats.t.isf(p, df)],
    "binomial_half_upper": lambda k, n: [stats.binom.sf(k - 1, n, 0.5)],
    "beta_inc": lambda a, b, x: [special.betainc(a, b, x)],
    "mcnemar": mcnemar_p,
    "tango_score": lambda b, c, n, delta: [score(b, c, n, delta)],
    "tango_interval": tango,
    "unconditional": unconditional,
    "paired_t": one_sample,
    "clustered": clustered,
    "bca": bca,
    "signed_rank": signed_rank,
    "holm": lambda p: list(multipletests(p, method="holm")[1]),
    "benjamini_hochberg": lambda p: list(multipletests(p, method="fdr_bh")[1]),
    "prediction": prediction,
    "quantile": quantile_p,
    "group_shares": group_shares,
    "group_bca": group_bca,
    "sample_size": sample_size_of_means,
    "sample_size_of_groups": sample_size_of_groups,
    "sample_size_of_pairs": sample_size_of_pairs,
    "sample_size_of_blocks": sample_size_of_blocks,
    "sample_size_of_quantile": sample_size_of_quantile,
    "clopper_pearson": lambda hits, of, gamma: list(proportion_confint(hits, of, alpha=gamma, method="beta")),
}

cases = json.load(sys.stdin)
json.dump([[float(x) for x in FUNCTIONS[name](*arguments)] for name, arguments in cases], sys.stdout)
