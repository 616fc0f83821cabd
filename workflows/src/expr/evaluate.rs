use std::{borrow::Cow, cell::Cell, cmp::Ordering};

use serde_json::Value;

use super::{
    Environment, Error, Expression, Node, Status, Tree,
    functions::{self, Function},
    json,
    parser::Comparison,
    value::{Datum, equal_ignoring_case},
};

/// How much text the functions of one expression may make, in bytes of UTF-16 as GitHub counts.
const MAX_MEMORY: usize = 1 << 20;

/// How much text `fromJSON` may read in one expression, in bytes: a context's text is no function's, and may be long.
const MAX_PARSED: usize = 16 << 20;

pub(super) fn evaluate<'e>(tree: &Tree<'e>, environment: &'e Environment<'_>) -> Result<Datum<'e>, Error> {
    Evaluator { environment, memory: Cell::new(0), read: Cell::new(0) }.value(&tree.root)
}

/// A context by its name, without case.
pub(super) fn context<'e>(environment: &'e Environment<'_>, name: &str) -> Option<&'e Value> {
    let contexts = &environment.contexts;
    contexts
        .get(name)
        .or_else(|| contexts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

struct Evaluator<'e, 'h> {
    environment: &'e Environment<'h>,
    memory: Cell<usize>,
    read: Cell<usize>,
}

impl<'e> Evaluator<'e, '_> {
    fn value(&self, expression: &Expression<'e>) -> Result<Datum<'e>, Error> {
        Ok(match &expression.node {
            Node::Null => Datum::Null,
            Node::Boolean(value) => Datum::Boolean(*value),
            Node::Number(value) => Datum::Number(*value),
            Node::Text(text) => Datum::Text(text.clone()),
            Node::Context(name) => context(self.environment, name).map_or(Datum::Null, Datum::borrowed),
            Node::Index(object, index) => match (self.value(object)?, &object.node) {
                // Its index is not evaluated, as on GitHub.
                (value, _) if value.is_primitive() => Datum::Null,
                (value, Node::Context(name)) if name.eq_ignore_ascii_case("env") => {
                    variable(value, &self.value(index)?)
                }
                (value, _) => access(value, &self.value(index)?),
            },
            Node::All(object) => Datum::Filtered(all(self.value(object)?)),
            Node::Not(operand) => Datum::Boolean(!self.value(operand)?.is_truthy()),
            Node::Compare(first, others) => {
                let mut left = self.value(first)?;
                for (comparison, right) in others {
                    left = Datum::Boolean(compare(*comparison, &left, &self.value(right)?));
                }
                left
            }
            Node::And(operands) => self.first(operands, |value| !value.is_truthy())?,
            Node::Or(operands) => self.first(operands, Datum::is_truthy)?,
            Node::Call(function, arguments) => {
                self.call(*function, arguments).map_err(|error| error.moved(expression.at))?
            }
        })
    }

    /// The first operand that decides, or the last; those after it are not evaluated.
    fn first(&self, operands: &[Expression<'e>], decides: fn(&Datum<'e>) -> bool) -> Result<Datum<'e>, Error> {
        let mut value = Datum::Null;
        for operand in operands {
            value = self.value(operand)?;
            if decides(&value) {
                break;
            }
        }
        Ok(value)
    }

    /// An argument that does not count is not evaluated, as on GitHub: it may be wrong.
    fn call(&self, function: Function, arguments: &[Expression<'e>]) -> Result<Datum<'e>, Error> {
        let status = self.environment.status;
        let value = |index: usize| self.value(&arguments[index]);
        Ok(match function {
            Function::Always => Datum::Boolean(true),
            Function::Success => Datum::Boolean(status == Status::Success),
            Function::Failure => Datum::Boolean(status == Status::Failure),
            Function::Cancelled => Datum::Boolean(status == Status::Cancelled),
            Function::Contains => self.in_both(arguments, functions::may_contain, functions::contains)?,
            Function::StartsWith => self.in_both(arguments, Datum::is_primitive, functions::starts_with)?,
            Function::EndsWith => self.in_both(arguments, Datum::is_primitive, functions::ends_with)?,
            Function::Format => {
                let mut values = Vec::new();
                values.resize_with(arguments.len() - 1, || None);
                let mut argument = |index: usize, text: &mut String| {
                    let known: &mut Option<Datum<'e>> = &mut values[index];
                    let known = match known {
                        Some(known) => known,
                        None => known.insert(value(index + 1)?),
                    };
                    text.push_str(&known.to_text());
                    Ok(())
                };
                self.text(functions::format(&value(0)?.to_text(), arguments.len() - 1, &mut argument)?)?
            }
            Function::Join => {
                let items = value(0)?;
                let separator = match arguments.get(1) {
                    Some(separator) if functions::needs_separator(&items) => Some(self.value(separator)?),
                    Some(_) | None => None,
                };
                self.text(functions::join(&items, separator.as_ref()))?
            }
            Function::ToJson => self.text(functions::to_json(&value(0)?))?,
            Function::FromJson => self.parsed(&value(0)?.to_text())?,
            Function::Case => self.case(arguments)?,
            Function::HashFiles => {
                let patterns = arguments.iter().map(|each| Ok(self.value(each)?.to_text().into_owned()));
                let patterns = patterns.collect::<Result<Vec<String>, Error>>()?;
                let hash = self.environment.hash_files.map_or(Ok(String::new()), |hash| hash(&patterns));
                self.text(hash.map_err(Error::evaluation)?)?
            }
        })
    }

    /// What is asked of two values; false where the first one settles it.
    fn in_both(
        &self,
        arguments: &[Expression<'e>],
        may_hold: fn(&Datum<'e>) -> bool,
        holds: fn(&Datum<'_>, &Datum<'_>) -> bool,
    ) -> Result<Datum<'e>, Error> {
        let first = self.value(&arguments[0])?;
        Ok(Datum::Boolean(may_hold(&first) && holds(&first, &self.value(&arguments[1])?)))
    }

    /// Pairs of a predicate and a value, and the value where no predicate holds; that it is there, the parser saw to.
    fn case(&self, arguments: &[Expression<'e>]) -> Result<Datum<'e>, Error> {
        for pair in arguments.chunks(2) {
            match pair {
                [predicate, value] => match self.value(predicate)? {
                    Datum::Boolean(true) => return self.value(value),
                    Datum::Boolean(false) => {}
                    _ => return Err(Error::evaluation("case predicate must evaluate to a boolean value")),
                },
                [default] => return self.value(default),
                _ => {}
            }
        }
        Ok(Datum::Null)
    }

    fn parsed(&self, text: &str) -> Result<Datum<'e>, Error> {
        self.read.set(self.read.get().saturating_add(text.len()));
        if self.read.get() > MAX_PARSED {
            return Err(Error::evaluation("The maximum allowed memory size was exceeded"));
        }
        json::read(text)
    }

    fn text(&self, text: String) -> Result<Datum<'e>, Error> {
        let used = self.memory.get().saturating_add(text.len().saturating_mul(2));
        if used > MAX_MEMORY {
            return Err(Error::evaluation("The maximum allowed memory size was exceeded"));
        }
        self.memory.set(used);
        Ok(Datum::Text(Cow::Owned(text)))
    }
}

fn compare(comparison: Comparison, left: &Datum<'_>, right: &Datum<'_>) -> bool {
    match comparison {
        Comparison::Equal => left.equals(right),
        Comparison::NotEqual => !left.equals(right),
        Comparison::Less => left.order(right) == Some(Ordering::Less),
        Comparison::Greater => left.order(right) == Some(Ordering::Greater),
        Comparison::LessOrEqual => left.equals(right) || left.order(right) == Some(Ordering::Less),
        Comparison::GreaterOrEqual => left.equals(right) || left.order(right) == Some(Ordering::Greater),
    }
}

/// `env[index]`: the one context whose names have a case, as the variables of a process have.
fn variable<'e>(env: Datum<'e>, index: &Datum<'_>) -> Datum<'e> {
    match env {
        Datum::Tree(Cow::Borrowed(Value::Object(entries))) if index.is_primitive() => {
            entries.get(&*index.to_text()).map_or(Datum::Null, Datum::borrowed)
        }
        other => access(other, index),
    }
}

/// `object[index]`; of a filtered array, of each of its items that has it.
fn access<'e>(object: Datum<'e>, index: &Datum<'_>) -> Datum<'e> {
    match object {
        Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => Datum::Null,
        Datum::Tree(tree) => member(tree, index).unwrap_or(Datum::Null),
        Datum::Filtered(items) => Datum::Filtered(
            items
                .into_iter()
                .filter_map(|item| match item {
                    Datum::Tree(tree) => member(tree, index),
                    Datum::Filtered(nested) => position(index).and_then(|at| nested.into_iter().nth(at)),
                    Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => None,
                })
                .collect(),
        ),
    }
}

fn member<'e>(tree: Cow<'e, Value>, index: &Datum<'_>) -> Option<Datum<'e>> {
    match tree {
        Cow::Borrowed(Value::Object(entries)) => {
            let key = index.is_primitive().then(|| index.to_text())?;
            find(entries, &key).map(|(_, value)| Datum::borrowed(value))
        }
        Cow::Borrowed(Value::Array(items)) => items.get(position(index)?).map(Datum::borrowed),
        Cow::Owned(Value::Object(mut entries)) => {
            let key = index.is_primitive().then(|| index.to_text())?;
            let key = find(&entries, &key)?.0.clone();
            entries.swap_remove(&key).map(Datum::owned)
        }
        Cow::Owned(Value::Array(items)) => items.into_iter().nth(position(index)?).map(Datum::owned),
        Cow::Borrowed(_) | Cow::Owned(_) => None,
    }
}

fn find<'m>(entries: &'m serde_json::Map<String, Value>, key: &str) -> Option<(&'m String, &'m Value)> {
    entries.get_key_value(key).or_else(|| entries.iter().find(|(each, _)| equal_ignoring_case(each, key)))
}

/// An index into an array: a number of 0 or more, rounded down.
fn position(index: &Datum<'_>) -> Option<usize> {
    let number = index.to_number();
    (number.is_finite() && number >= 0.0).then_some(number as usize)
}

/// `object.*`
fn all(object: Datum<'_>) -> Vec<Datum<'_>> {
    match object {
        Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => Vec::new(),
        Datum::Tree(tree) => children(tree),
        Datum::Filtered(items) => items
            .into_iter()
            .flat_map(|item| match item {
                Datum::Tree(tree) => children(tree),
                Datum::Filtered(nested) => nested,
                Datum::Null | Datum::Boolean(_) | Datum::Number(_) | Datum::Text(_) => Vec::new(),
            })
            .collect(),
    }
}

fn children(tree: Cow<'_, Value>) -> Vec<Datum<'_>> {
    match tree {
        Cow::Borrowed(Value::Object(entries)) => entries.values().map(Datum::borrowed).collect(),
        Cow::Borrowed(Value::Array(items)) => items.iter().map(Datum::borrowed).collect(),
        Cow::Owned(Value::Object(entries)) => entries.into_iter().map(|(_, value)| Datum::owned(value)).collect(),
        Cow::Owned(Value::Array(items)) => items.into_iter().map(Datum::owned).collect(),
        Cow::Borrowed(_) | Cow::Owned(_) => Vec::new(),
    }
}
