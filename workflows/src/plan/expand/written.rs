//! What is written in a job, evaluated: trees, texts, numbers and switches.

use std::borrow::Cow;

use serde_json::Value;

use super::Expander;
use crate::{
    expr::{self, Datum, Environment},
    syntax::{Diagnostic, Located, Place, Severity, Template},
};

impl Expander<'_> {
    /// A tree with every expression in it evaluated; most have none. Its depth was bounded when it was read.
    pub(super) fn resolved<'v>(
        &self,
        value: &'v Value,
        at: Place,
        environment: &Environment<'_>,
    ) -> Result<Cow<'v, Value>, Box<Diagnostic>> {
        match expr::has_expression_within(value) {
            true => self.evaluated(value, at, environment).map(Cow::Owned),
            false => Ok(Cow::Borrowed(value)),
        }
    }

    pub(super) fn evaluated(
        &self,
        value: &Value,
        at: Place,
        environment: &Environment<'_>,
    ) -> Result<Value, Box<Diagnostic>> {
        Ok(match value {
            Value::String(text) if expr::has_expression(text) => {
                expr::template_value(text, environment).map_err(|error| self.failed(at, &error.message))?
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.evaluated(item, at, environment)).collect::<Result<_, _>>()?)
            }
            Value::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(name, item)| Ok((name.clone(), self.evaluated(item, at, environment)?)))
                    .collect::<Result<_, Box<Diagnostic>>>()?,
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        })
    }

    pub(super) fn value(&self, template: &Template, environment: &Environment<'_>) -> Result<Value, Box<Diagnostic>> {
        expr::template_value(&template.value, environment).map_err(|error| self.failed(template.at, &error.message))
    }

    pub(super) fn text(&self, template: &Template, environment: &Environment<'_>) -> Result<String, Box<Diagnostic>> {
        expr::interpolate(&template.value, environment).map_err(|error| self.failed(template.at, &error.message))
    }

    pub(super) fn number(
        &self,
        template: &Located<String>,
        environment: &Environment<'_>,
    ) -> Result<f64, Box<Diagnostic>> {
        self.amount(&self.value(template, environment)?, template.at)
    }

    pub(super) fn amount(&self, value: &Value, at: Place) -> Result<f64, Box<Diagnostic>> {
        let value = Datum::borrowed(value);
        match value.to_number() {
            number if number.is_nan() || value.to_text().is_empty() => Err(self.failed(at, "expected a number")),
            number => Ok(number),
        }
    }

    pub(super) fn boolean(
        &self,
        template: Option<&Template>,
        default: bool,
        environment: &Environment<'_>,
    ) -> Result<bool, Box<Diagnostic>> {
        let Some(template) = template else { return Ok(default) };
        self.switch(&self.value(template, environment)?, default, template.at)
    }

    pub(super) fn switch(&self, value: &Value, default: bool, at: Place) -> Result<bool, Box<Diagnostic>> {
        match value {
            Value::Bool(value) => Ok(*value),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            // A matrix row without the key: `${{ matrix.experimental }}`.
            Value::Null => Ok(default),
            Value::String(text) if text.is_empty() => Ok(default),
            _ => Err(self.failed(at, "expected `true` or `false`")),
        }
    }

    pub(super) fn failed(&self, at: Place, message: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic {
            file: self.workflow.file.clone(),
            line: at.line,
            column: at.column,
            length: 1,
            severity: Severity::Error,
            code: "expression-evaluation".to_owned(),
            message: format!("job `{}`: {message}", self.id),
            help: None,
        })
    }
}
