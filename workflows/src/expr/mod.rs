//! The `${{ }}` language of GitHub Actions.
//!
//! text → tokens → tree → value. Parsing needs to know only the *names* of contexts and functions
//! ([`Names`]), so that a workflow file is checked before any value exists; evaluation reads values
//! where they lie and copies none.

mod error;
mod evaluate;
mod functions;
mod json;
mod lexer;
mod number;
mod parser;
mod template;
mod value;

#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use serde_json::Value;

pub(crate) use error::shortened;
pub use error::{Error, ErrorKind};
pub use functions::Function;
pub(crate) use number::radix;
pub(crate) use parser::{Expression, Node, Tree, parse};
pub use parser::{MAX_DEPTH, MAX_LENGTH, Names};
pub(crate) use template::{
    Condition, Segment, condition as condition_source, has_expression, has_expression_within, literal, segments,
};
pub use value::Datum;
pub(crate) use value::{equal_ignoring_case, folded};

/// What an expression can see.
#[derive(Default)]
pub struct Environment<'a> {
    /// Context name → value: `github`, `env`, `needs`, … A name that is absent is an error where it is
    /// used, so a context without content is an empty object.
    pub contexts: IndexMap<String, Value>,
    pub status: Status,
    /// `hashFiles(patterns)`: the runner reads files, this crate does not. None where it is not offered.
    pub hash_files: Option<HashFiles<'a>>,
}

/// Patterns → the hash of the files that they name, or why there is none.
pub type HashFiles<'a> = &'a dyn Fn(&[String]) -> Result<String, String>;

/// What `success()`, `failure()` and `cancelled()` answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    #[default]
    Success,
    Failure,
    Cancelled,
    /// Of a job, one of whose needs was skipped: none of the three functions is true.
    Skipped,
}

impl Names for Environment<'_> {
    fn has_context(&self, name: &str) -> bool {
        evaluate::context(self, name).is_some()
    }

    fn has_function(&self, function: functions::Function) -> bool {
        function != functions::Function::HashFiles || self.hash_files.is_some()
    }
}

/// Evaluates one expression, without its `${{ }}`.
///
/// A number that JSON cannot hold becomes its text (`NaN`, `Infinity`); [`evaluate_datum`] tells them
/// apart from strings.
pub fn evaluate(expression: &str, environment: &Environment<'_>) -> Result<Value, Error> {
    Ok(evaluate_datum(expression, environment)?.into_json())
}

/// Evaluates one expression to a value of the language, which borrows from the contexts.
pub fn evaluate_datum<'e>(expression: &'e str, environment: &'e Environment<'_>) -> Result<Datum<'e>, Error> {
    match parser::parse(expression, environment)? {
        Some(tree) => evaluate::evaluate(&tree, environment),
        None => Ok(Datum::Null),
    }
}

/// How long a text may be once its expressions are replaced, in bytes. One expression is bounded by itself; but a text
/// has as many as it likes, and each may be a whole context's text.
pub const MAX_INTERPOLATED: usize = 16 << 20;

/// Replaces every `${{ }}` in a text by its value as GitHub prints it.
pub fn interpolate(template: &str, environment: &Environment<'_>) -> Result<String, Error> {
    Prepared::new(template, environment)?.interpolate(environment)
}

/// A text whose expressions are parsed, to be evaluated for row after row.
pub(crate) struct Prepared<'s> {
    pieces: Vec<Piece<'s>>,
    bytes: usize,
}

enum Piece<'s> {
    Text(&'s str),
    /// Where it begins; none is an empty one.
    Expression(usize, Option<parser::Tree<'s>>),
}

impl<'s> Prepared<'s> {
    pub(crate) fn new(template: &'s str, names: &dyn Names) -> Result<Self, Error> {
        let piece = |segment| match segment? {
            Segment::Text(literal) => Ok(Piece::Text(literal)),
            Segment::Expression { source, at } => {
                Ok(Piece::Expression(at, parser::parse(source, names).map_err(|error| error.moved(at))?))
            }
        };
        Ok(Self { pieces: segments(template).map(piece).collect::<Result<_, Error>>()?, bytes: template.len() })
    }

    pub(crate) fn interpolate(&self, environment: &Environment<'_>) -> Result<String, Error> {
        let mut text = String::with_capacity(self.bytes);
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Expression(_, None) => {}
                Piece::Expression(at, Some(tree)) => {
                    let value = evaluate::evaluate(tree, environment).map_err(|error| error.moved(*at))?;
                    let value = value.to_text();
                    if text.len() + value.len() > MAX_INTERPOLATED {
                        let message = format!(
                            "the text has more than {MAX_INTERPOLATED} bytes once its expressions are replaced"
                        );
                        return Err(Error::evaluation(message).moved(*at));
                    }
                    text.push_str(&value);
                }
            }
        }
        Ok(text)
    }
}

/// The value of a template: the expression's own value where the text is one `${{ }}` and nothing
/// else, a string otherwise.
pub fn template_value(template: &str, environment: &Environment<'_>) -> Result<Value, Error> {
    if !has_expression(template) {
        return Ok(Value::String(template.to_owned()));
    }
    match template::whole(template)? {
        Some((source, at)) => evaluate(source, environment).map_err(|error| error.moved(at)),
        None => interpolate(template, environment).map(Value::String),
    }
}

/// A value as a text, as a template shows it; none of a list or a mapping.
pub fn text_of(value: &Value) -> Option<String> {
    let value = Datum::borrowed(value);
    value.is_primitive().then(|| value.to_text().into_owned())
}

/// Whether an `if:` holds: `${{ }}` is optional, and `success() &&` is added where no status function
/// is called. An absent condition is `success()`.
pub fn condition(condition: Option<&str>, environment: &Environment<'_>) -> Result<bool, Error> {
    let succeeded = environment.status == Status::Success;
    let Some(condition) = condition else { return Ok(succeeded) };
    let (value, asks_status) = match template::condition(condition)? {
        template::Condition::Expression { source, at } => {
            let tree = parser::parse(source, environment).map_err(|error| error.moved(at))?;
            let Some(tree) = tree else { return Ok(succeeded) };
            let asks_status = tree.asks_status();
            // What follows `success() &&` is not evaluated where that is false.
            if !asks_status && !succeeded {
                return Ok(false);
            }
            let value = evaluate::evaluate(&tree, environment).map_err(|error| error.moved(at))?;
            (value.is_truthy(), asks_status)
        }
        // `if: ${{ a }} && ${{ b }}` is a text in GitHub's eyes, and a text that is not empty is true.
        template::Condition::Text => {
            let mut asks_status = false;
            for segment in segments(condition) {
                if let Segment::Expression { source, at } = segment? {
                    let tree = parser::parse(source, environment).map_err(|error| error.moved(at))?;
                    asks_status |= tree.is_some_and(|tree| tree.asks_status());
                }
            }
            (!interpolate(condition, environment)?.is_empty(), asks_status)
        }
    };
    Ok(value && (asks_status || succeeded))
}
