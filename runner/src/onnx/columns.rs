//! Columns with a meaning of their own: targets, names, groups, slices.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
};

use super::{error::EvalError, settings::EvalSettings, tasks::TaskKind};
use crate::dataset::{Dataset, Values, list};

/// Where they are.
pub(super) struct Columns {
    targets: Vec<String>,
    id: Option<String>,
    group: Option<String>,
    slices: Vec<String>,
}

/// What they say of a chunk of rows, but for the targets.
pub(super) struct Labels {
    /// None: rows are named by their number from 0.
    pub ids: Option<Vec<String>>,
    pub groups: Option<Vec<String>>,
    /// One per slice column.
    pub slices: Vec<Vec<String>>,
}

impl Columns {
    pub(super) fn find(settings: &EvalSettings, dataset: &Dataset) -> Result<Self, EvalError> {
        let id = settings.id.clone().or_else(|| dataset.column("id").map(|column| column.name.clone()));
        // An id that is said to be the group or the target is not an id.
        let taken = |name: &String| settings.target.contains(name) || settings.group.as_ref() == Some(name);
        let id = id.filter(|name| settings.id.is_some() || !taken(name));
        let columns = Self {
            targets: settings.target.clone(),
            id,
            group: settings.group.clone(),
            slices: settings.slices.clone(),
        };
        let wide = settings.task == TaskKind::Multilabel;
        if settings.target.len() != 1 && !wide {
            return Err(EvalError::Usage(format!("{} has one target, not {}", settings.task, settings.target.len())));
        }
        for name in columns.names() {
            let Some(column) = dataset.column(name) else {
                let known: Vec<&str> = dataset.columns().iter().map(|column| column.name.as_str()).collect();
                let message = format!("there is no column `{name}`; it has {}", list(&known));
                return Err(dataset.error(None, None, message).into());
            };
            if column.width() != 1 && !(wide && settings.target.contains(&column.name)) {
                let message = format!("it holds {} values a row; one is needed", column.width());
                return Err(dataset.error(None, Some(name), message).into());
            }
        }
        Ok(columns)
    }

    /// In the order in which [`Columns::take`] expects them.
    pub(super) fn names(&self) -> Vec<&str> {
        let optional = [self.id.as_deref(), self.group.as_deref()].into_iter().flatten();
        let targets = self.targets.iter().map(String::as_str);
        targets.chain(optional).chain(self.slices.iter().map(String::as_str)).collect()
    }

    /// The targets, and the rest, of a chunk of rows after `done` others.
    pub(super) fn take(
        &self,
        values: impl IntoIterator<Item = Values>,
        dataset: &Dataset,
        done: usize,
        seen: &mut Ids,
    ) -> Result<(Vec<Values>, Labels), EvalError> {
        let mut values = values.into_iter();
        let targets: Vec<Values> = values.by_ref().take(self.targets.len()).collect();
        let mut rest = values.map(Values::texts);
        let mut next = || rest.next().expect("a column for each name");
        let ids = match &self.id {
            Some(column) => {
                let ids = next();
                seen.check(&ids).map_err(|(index, message)| {
                    dataset.error(Some((done + index) as u64 + 1), Some(column), message)
                })?;
                Some(ids)
            }
            None => None,
        };
        let groups = self.group.as_ref().map(|_| next());
        let slices = self.slices.iter().map(|_| next()).collect();
        Ok((targets, Labels { ids, groups, slices }))
    }
}

/// Ids seen so far, as 128-bit hashes: a million of them take 32 MB, and two different ids meet in
/// fewer than one of 10^26 data sets of that size.
#[derive(Default)]
pub(super) struct Ids {
    hashers: (RandomState, RandomState),
    seen: HashSet<(u64, u64)>,
}

impl Ids {
    fn check(&mut self, ids: &[String]) -> Result<(), (usize, String)> {
        for (index, id) in ids.iter().enumerate() {
            if id.trim().is_empty() {
                return Err((index, "the id is missing".to_owned()));
            }
            if !self.seen.insert((self.hashers.0.hash_one(id), self.hashers.1.hash_one(id))) {
                return Err((index, format!("the id `{id}` was there before")));
            }
        }
        Ok(())
    }
}

/// Numbers of the slices, `column=value`, in the order in which they come up.
pub(super) struct Slices {
    columns: Vec<String>,
    numbers: Vec<HashMap<String, u32>>,
    names: Vec<String>,
}

/// More values than this and a column is no slice.
const MOST_SLICES: usize = 1000;

impl Slices {
    pub(super) fn new(settings: &EvalSettings) -> Self {
        Self {
            columns: settings.slices.clone(),
            numbers: vec![HashMap::new(); settings.slices.len()],
            names: Vec::new(),
        }
    }

    /// For each slice column, each row's slice.
    pub(super) fn numbers(&mut self, labels: &Labels) -> Result<Vec<Vec<u32>>, EvalError> {
        let mut result = Vec::with_capacity(self.columns.len());
        for ((column, known), values) in self.columns.iter().zip(&mut self.numbers).zip(&labels.slices) {
            let mut of_column = Vec::with_capacity(values.len());
            for value in values {
                let number = match known.get(value) {
                    Some(number) => *number,
                    None => {
                        let number = self.names.len() as u32;
                        self.names.push(format!("{column}={value}"));
                        known.insert(value.clone(), number);
                        number
                    }
                };
                of_column.push(number);
            }
            if self.names.len() > MOST_SLICES {
                return Err(EvalError::Usage(format!(
                    "slices: {} have more than {MOST_SLICES} different values",
                    self.columns.join(", ")
                )));
            }
            result.push(of_column);
        }
        Ok(result)
    }

    /// What each slice has.
    pub(super) fn each<T>(
        &self,
        mut of: impl FnMut(usize) -> Result<T, EvalError>,
    ) -> Result<BTreeMap<String, T>, EvalError> {
        self.names.iter().enumerate().map(|(number, name)| Ok((name.clone(), of(number)?))).collect()
    }

    /// `time=day,place=home`; none where nothing is told apart.
    pub(super) fn of_row(&self, labels: &Labels, row: usize) -> Option<String> {
        let parts: Vec<String> =
            self.columns.iter().zip(&labels.slices).map(|(name, values)| format!("{name}={}", values[row])).collect();
        (!parts.is_empty()).then(|| parts.join(","))
    }
}
