/// A sum with Neumaier's compensation: its error does not grow with the number of terms.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let next = self.total + value;
        // A NaN or an infinity in `lost` would hide an infinite total.
        if next.is_finite() {
            self.lost +=
                if self.total.abs() >= value.abs() { (self.total - next) + value } else { (value - next) + self.total };
        }
        self.total = next;
    }

    fn get(self) -> f64 {
        self.total + self.lost
    }
}

/// The sum; its error does not grow with the number of terms.
pub fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    values.into_iter().for_each(|value| sum.add(value));
    sum.get()
}

/// A weighted mean that grows value by value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mean {
    values: Sum,
    weights: Sum,
}

impl Mean {
    pub fn add(&mut self, value: f64, weight: f64) {
        self.values.add(value * weight);
        self.weights.add(weight);
    }

    /// None where there is nothing to average.
    pub fn get(&self) -> Option<f64> {
        defined(self.sum() / self.weight())
    }

    pub fn sum(&self) -> f64 {
        self.values.get()
    }

    pub fn weight(&self) -> f64 {
        self.weights.get()
    }
}

/// The mean, weighted where weights are given; none where there is nothing to average.
pub fn mean(values: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let (total, weight) = match weights {
        None => (sum(values.iter().copied()), values.len() as f64),
        Some(weights) => (sum(values.iter().zip(weights).map(|(v, w)| v * w)), sum(weights.iter().copied())),
    };
    defined(total / weight)
}

/// NaN is absent.
pub(super) fn defined(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}
