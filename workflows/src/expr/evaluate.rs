use std::{borrow::Cow, cell::Cell, cmp::Ordering};

use serde_json::Value;

use super::{
    Environment, Error, Expression, Node, Status, Tree,
    functions::{self, Function},
    parser::Comparison,
    value::Datum,
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
            Node::Index(object, index) => {
                let index = self.value(index)?;
                match &object.node {
                    Node::Context(name) if name.eq_ignore_ascii_case("env") => variable(self.value(object)?, &index),
                    _ => access(self.value(object)?, &index),
                }
            }
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

    fn call(&self, function: Function, arguments: &[Expression<'e>]) -> Result<Datum<'e>, Error> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument)?);
        }
        let status = self.environment.status;
        Ok(match function {
            Function::Always => Datum::Boolean(true),
            Function::Success => Datum::Boolean(status == Status::Success),
            Function::Failure => Datum::Boolean(status == Status::Failure),
            Function::Cancelled => Datum::Boolean(status == Status::Cancelled),
            Function::Contains => Datum::Boolean(functions::contains(&values[0], &values[1])),
            Function::StartsWith => Datum::Boolean(functions::starts_with(&values[0], &values[1])),
            Function::EndsWith => Datum::Boolean(functions::ends_with(&values[0], &values[1])),
            Function::Format => self.text(functions::format(&values[0].to_text(), &values[1..])?)?,
            Function::Join => self.text(functions::join(&values[0], values.get(1)))?,
            Function::ToJson => self.text(functions::to_json(&values[0]))?,
            Function::FromJson => self.parsed(&values[0].to_text())?,
            Function::Case => return case(values),
            Function::HashFiles => {
                let patterns: Vec<String> = values.iter().map(|value| value.to_text().into_owned()).collect();
                let hash = self.environment.hash_files.map_or(Ok(String::new()), |hash| hash(&patterns));
                self.text(hash.map_err(Error::evaluation)?)?
            }
        })
    }

    fn parsed(&self, text: &str) -> Result<Datum<'e>, Error> {
        self.read.set(self.read.get().saturating_add(text.len()));
        if self.read.get() > MAX_PARSED {
            return Err(Error::evaluation("The maximum allowed memory size was exceeded"));
        }
        functions::from_json(text).map(Datum::owned)
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

fn case(values: Vec<Datum<'_>>) -> Result<Datum<'_>, Error> {
    let mut values = values.into_iter();
    loop {
        // An odd number of arguments was checked by the parser: the last one stands alone.
        let (predicate, value) = (values.next().unwrap_or(Datum::Null), values.next());
        match (predicate, value) {
            (default, None) => return Ok(default),
            (Datum::Boolean(true), Some(value)) => return Ok(value),
            (Datum::Boolean(false), Some(_)) => {}
            (_, Some(_)) => return Err(Error::evaluation("case predicate must evaluate to a boolean value")),
        }
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
    entries.get_key_value(key).or_else(|| entries.iter().find(|(each, _)| each.eq_ignore_ascii_case(key)))
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
