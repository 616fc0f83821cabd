//! `strategy`, evaluated: rows of the matrix, and how they run.

use serde_json::Value;

use super::Expander;
use crate::{
    expr::Environment,
    matrix,
    syntax::{Diagnostic, Matrix, Place, Strategy},
};

pub(super) struct Evaluated {
    /// None where the job has no matrix.
    pub(super) rows: Option<matrix::Rows>,
    pub(super) fail_fast: bool,
    pub(super) max_parallel: Option<f64>,
}

impl Expander<'_> {
    pub(super) fn strategy(&self, environment: &Environment<'_>) -> Result<Evaluated, Box<Diagnostic>> {
        match &self.job.strategy {
            None => Ok(Evaluated { rows: None, fail_fast: true, max_parallel: None }),
            Some(Strategy::Written { matrix, fail_fast, max_parallel }) => Ok(Evaluated {
                rows: matrix.as_ref().map(|matrix| self.rows(matrix, environment)).transpose()?,
                fail_fast: self.boolean(fail_fast.as_ref(), true, environment)?,
                max_parallel: match max_parallel {
                    None => None,
                    Some(template) => Some(self.at_once(self.number(template, environment)?, template.at)?),
                },
            }),
            Some(Strategy::Expression(template)) => {
                let Value::Object(keys) = self.value(template, environment)? else {
                    return Err(self.failed(template.at, "`strategy` is a mapping"));
                };
                self.given(&keys, template.at)
            }
        }
    }

    /// What an expression gave. Its keys are those that may be written.
    fn given(&self, keys: &serde_json::Map<String, Value>, at: Place) -> Result<Evaluated, Box<Diagnostic>> {
        let mut evaluated = Evaluated { rows: None, fail_fast: true, max_parallel: None };
        for (key, value) in keys {
            match key.as_str() {
                "matrix" => evaluated.rows = Some(self.some(matrix::rows(value), at)?),
                "fail-fast" => evaluated.fail_fast = self.switch(value, true, at)?,
                "max-parallel" => evaluated.max_parallel = Some(self.at_once(self.amount(value, at)?, at)?),
                unknown => return Err(self.failed(at, &format!("`strategy` has no `{unknown}`"))),
            }
        }
        Ok(evaluated)
    }

    fn rows(&self, matrix: &Matrix, environment: &Environment<'_>) -> Result<matrix::Rows, Box<Diagnostic>> {
        match matrix {
            Matrix::Expression(template) => self.some(matrix::rows(&self.value(template, environment)?), template.at),
            Matrix::Vectors { vectors, include, exclude, at } => {
                let written = vectors.iter().map(|(name, vector)| (name.as_str(), vector));
                let entries = written
                    .chain([("include", include), ("exclude", exclude)])
                    .map(|(name, value)| Ok((name, self.resolved(value, *at, environment)?)))
                    .collect::<Result<Vec<_>, Box<Diagnostic>>>()?;
                self.some(matrix::rows_of(entries.iter().map(|(name, value)| (*name, value.as_ref()))), *at)
            }
        }
    }

    /// At least one row.
    fn some(
        &self,
        rows: Result<matrix::Rows, matrix::InvalidMatrix>,
        at: Place,
    ) -> Result<matrix::Rows, Box<Diagnostic>> {
        match rows {
            Ok(rows) if rows.rows.is_empty() => Err(self.failed(at, "the matrix makes no job")),
            rows => rows.map_err(|error| self.failed(at, &error.0)),
        }
    }

    /// How many jobs may run at once.
    fn at_once(&self, number: f64, at: Place) -> Result<f64, Box<Diagnostic>> {
        match number < 1.0 {
            true => Err(self.failed(at, "`max-parallel` is a number of 1 or more")),
            false => Ok(number.floor()),
        }
    }
}
