//! The metrics of one class out of several, gathered example by example.
//!
//! Counts and sums are kept, not examples: memory does not grow with the data set, unless a metric of ranks
//! (ROC AUC, average precision) is wanted, which needs every score.

use super::{
    Average, Confusion,
    probability::{Calibration, brier_of, log_loss_of},
    ranking::{MultiClass, average_precision, average_precision_multiclass, in_top_k, roc_auc, roc_auc_multiclass},
    sum::Mean,
};

/// Metrics that need only decisions.
pub const OF_LABELS: [&str; 17] = [
    "accuracy",
    "balanced_accuracy",
    "exact_match",
    "precision",
    "recall",
    "f1",
    "precision_micro",
    "precision_macro",
    "precision_weighted",
    "recall_micro",
    "recall_macro",
    "recall_weighted",
    "f1_micro",
    "f1_macro",
    "f1_weighted",
    "matthews_corrcoef",
    "cohen_kappa",
];

/// Metrics that need scores of every class. `top_3_accuracy` and the like are besides ([`top_k`]).
pub const OF_SCORES: [&str; 12] = [
    "log_loss",
    "brier",
    "calibration_error",
    "roc_auc",
    "roc_auc_ovr",
    "roc_auc_ovr_weighted",
    "roc_auc_ovo",
    "roc_auc_ovo_weighted",
    "average_precision",
    "average_precision_micro",
    "average_precision_weighted",
    "top_2_accuracy",
];

/// Bins of the calibration error, the customary number.
const CALIBRATION_BINS: usize = 15;

/// `3` of `top_3_accuracy`.
pub fn top_k(name: &str) -> Option<usize> {
    name.strip_prefix("top_")?.strip_suffix("_accuracy")?.parse().ok().filter(|k| *k > 0)
}

/// Whether a metric needs the scores of all examples at once.
pub fn is_of_ranks(name: &str) -> bool {
    name.starts_with("roc_auc") || name.starts_with("average_precision")
}

/// Probabilities of one example's classes, and the machine epsilon of the type that the model gave them in.
#[derive(Debug, Clone, Copy)]
pub struct Scores<'a> {
    pub of_classes: &'a [f64],
    pub epsilon: f64,
}

/// What is known of the examples so far.
#[derive(Debug, Clone)]
pub struct Classified {
    confusion: Confusion,
    log_loss: Option<Mean>,
    brier: Option<Mean>,
    calibration: Option<Calibration>,
    /// k → the share of examples whose target is among the k highest scores.
    top: Vec<(usize, Mean)>,
    ranks: Option<Ranks>,
}

/// What metrics of ranks need: every score.
#[derive(Debug, Clone, Default)]
struct Ranks {
    targets: Vec<u32>,
    /// Rows of all classes' scores; of two classes only the second's.
    scores: Vec<f64>,
    /// None: all count the same.
    weights: Option<Vec<f64>>,
}

impl Classified {
    /// Gathers for these metrics (names of [`OF_LABELS`], [`OF_SCORES`], [`top_k`]).
    pub fn new<'n>(classes: usize, metrics: impl IntoIterator<Item = &'n str>) -> Self {
        let mut new = Self {
            confusion: Confusion::new(classes),
            log_loss: None,
            brier: None,
            calibration: None,
            top: Vec::new(),
            ranks: None,
        };
        for name in metrics {
            match name {
                "log_loss" => new.log_loss = Some(Mean::default()),
                "brier" => new.brier = Some(Mean::default()),
                "calibration_error" => new.calibration = Some(Calibration::new(CALIBRATION_BINS)),
                name if is_of_ranks(name) => _ = new.ranks.get_or_insert_default(),
                name => new.top.extend(top_k(name).map(|k| (k, Mean::default()))),
            }
        }
        new
    }

    /// Makes room for classes that come up later; only where there are no scores.
    pub fn grow(&mut self, classes: usize) {
        self.confusion.grow(classes);
    }

    /// Adds an example. Scores hold one number for each class.
    pub fn add(&mut self, target: u32, prediction: u32, scores: Option<Scores<'_>>, weight: f64) {
        self.confusion.add(target as usize, prediction as usize, weight);
        let Some(Scores { of_classes: row, epsilon }) = scores else { return };
        let goal = target as usize;
        if let Some(log_loss) = &mut self.log_loss {
            log_loss.add(log_loss_of(row[goal], epsilon), weight);
        }
        if let Some(brier) = &mut self.brier {
            brier.add(brier_of(row, goal), weight);
        }
        if let Some(calibration) = &mut self.calibration {
            calibration.add(row[prediction as usize], target == prediction, weight);
        }
        for (k, mean) in &mut self.top {
            mean.add(f64::from(u8::from(in_top_k(row, goal, *k))), weight);
        }
        if let Some(ranks) = &mut self.ranks {
            ranks.add(target, if row.len() == 2 { &row[1..] } else { row }, weight);
        }
    }

    pub fn confusion(&self) -> &Confusion {
        &self.confusion
    }

    /// One metric. None where the examples leave it undefined (or where it was not asked for at the start);
    /// an error, in words, where it makes no sense for these classes.
    pub fn metric(&self, name: &str) -> Result<Option<f64>, String> {
        let confusion = &self.confusion;
        let classes = confusion.classes();
        let of_second = |score: fn(&super::confusion::ClassScore) -> f64| match classes {
            // A class that never occurs has nothing right.
            2 if self.confusion.accuracy().is_some() => {
                Ok(Some(confusion.class_scores()[1].as_ref().map_or(0.0, score)))
            }
            2 => Ok(None),
            n => Err(format!(
                "`{name}` is for two classes, and there are {n}; take `{name}_macro`, `{name}_micro` or `{name}_weighted`"
            )),
        };
        Ok(match name {
            "accuracy" | "exact_match" => confusion.accuracy(),
            "balanced_accuracy" => confusion.balanced_accuracy(),
            "precision" => of_second(|s| s.precision)?,
            "recall" => of_second(|s| s.recall)?,
            "f1" => of_second(|s| s.f1)?,
            "precision_micro" => confusion.precision(Average::Micro),
            "precision_macro" => confusion.precision(Average::Macro),
            "precision_weighted" => confusion.precision(Average::Weighted),
            "recall_micro" => confusion.recall(Average::Micro),
            "recall_macro" => confusion.recall(Average::Macro),
            "recall_weighted" => confusion.recall(Average::Weighted),
            "f1_micro" => confusion.f1(Average::Micro),
            "f1_macro" => confusion.f1(Average::Macro),
            "f1_weighted" => confusion.f1(Average::Weighted),
            "matthews_corrcoef" => confusion.matthews_corrcoef(),
            "cohen_kappa" => confusion.cohen_kappa(),
            "log_loss" => self.log_loss.as_ref().and_then(Mean::get),
            "brier" => self.brier.as_ref().and_then(Mean::get),
            "calibration_error" => self.calibration.as_ref().and_then(Calibration::error),
            other => match (&self.ranks, top_k(other)) {
                (_, Some(k)) => self.top.iter().find(|(of, _)| *of == k).and_then(|(_, mean)| mean.get()),
                (Some(ranks), None) => ranks.metric(other, classes)?,
                (None, None) => None,
            },
        })
    }
}

impl Ranks {
    fn add(&mut self, target: u32, scores: &[f64], weight: f64) {
        if weight != 1.0 && self.weights.is_none() {
            self.weights = Some(vec![1.0; self.targets.len()]);
        }
        if let Some(weights) = &mut self.weights {
            weights.push(weight);
        }
        self.targets.push(target);
        self.scores.extend_from_slice(scores);
    }

    fn metric(&self, name: &str, classes: usize) -> Result<Option<f64>, String> {
        let Self { targets, scores, weights } = self;
        let weights = weights.as_deref();
        let second = || -> Vec<bool> { targets.iter().map(|target| *target == 1).collect() };
        let many = |how, by_support| {
            if classes == 2 {
                return Err(format!("`{name}` is for more than two classes; take `roc_auc`"));
            }
            Ok(roc_auc_multiclass(targets, scores, classes, how, by_support, weights))
        };
        Ok(match name {
            "roc_auc" if classes == 2 => roc_auc(&second(), scores, weights),
            "roc_auc" => {
                return Err(format!(
                    "`roc_auc` is for two classes, and there are {classes}; take `roc_auc_ovr` or `roc_auc_ovo`"
                ));
            }
            "roc_auc_ovr" => many(MultiClass::OneVsRest, false)?,
            "roc_auc_ovr_weighted" => many(MultiClass::OneVsRest, true)?,
            "roc_auc_ovo" => many(MultiClass::OneVsOne, false)?,
            "roc_auc_ovo_weighted" => many(MultiClass::OneVsOne, true)?,
            "average_precision" if classes == 2 => average_precision(&second(), scores, weights),
            _ if classes == 2 => {
                return Err(format!("`{name}` is for more than two classes; take `average_precision`"));
            }
            "average_precision" => average_precision_multiclass(targets, scores, classes, Average::Macro, weights),
            "average_precision_micro" => {
                average_precision_multiclass(targets, scores, classes, Average::Micro, weights)
            }
            "average_precision_weighted" => {
                average_precision_multiclass(targets, scores, classes, Average::Weighted, weights)
            }
            _ => None,
        })
    }
}
