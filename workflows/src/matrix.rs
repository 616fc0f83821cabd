//! Matrices: vectors, `exclude`, `include` → rows.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::expr::Datum;

/// How many jobs one matrix may make, as on GitHub.
pub const MAX_ROWS: usize = 256;

/// One row: the `matrix` context of one job.
pub type Row = IndexMap<String, Value>;

/// Why there are no rows: a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMatrix(pub String);

/// The rows of a matrix whose expressions are evaluated: an object with vectors, `include`, `exclude`.
///
/// As on GitHub: the product of the vectors, the first varying slowest; rows that a member of
/// `exclude` matches are dropped; each member of `include` is then added to every remaining row of the
/// product none of whose original values it would overwrite, and is a row of its own where there is
/// no such row. Values are compared as `==` compares them.
pub fn rows(matrix: &Value) -> Result<Rows, InvalidMatrix> {
    let Value::Object(entries) = matrix else {
        return Err(InvalidMatrix("a matrix is a mapping from names to lists".to_owned()));
    };
    rows_of(entries.iter().map(|(name, values)| (name.as_str(), values)))
}

/// [`rows`], of a matrix's entries.
pub(crate) fn rows_of<'m>(entries: impl Iterator<Item = (&'m str, &'m Value)>) -> Result<Rows, InvalidMatrix> {
    Parts::read(entries)?.rows()
}

/// The rows of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    pub rows: Vec<Row>,
    /// How many of them, the first, are of the product of the vectors.
    product: usize,
    vectors: usize,
}

impl Rows {
    /// What a row's values are called in its job's name: `ubuntu, 3.11`; objects and lists are looked into. As on GitHub,
    /// what `include` added to a row of the product is not among them.
    pub(crate) fn label(&self, row: usize) -> String {
        fn collect(value: &Value, texts: &mut Vec<String>) {
            match value {
                Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
                Value::Object(entries) => entries.values().for_each(|item| collect(item, texts)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    let text = Datum::borrowed(value).to_text().into_owned();
                    if !text.is_empty() {
                        texts.push(text);
                    }
                }
            }
        }
        let named = if row < self.product { self.vectors } else { usize::MAX };
        let mut texts = Vec::new();
        self.rows[row].values().take(named).for_each(|value| collect(value, &mut texts));
        texts.join(", ")
    }
}

/// Whether [`rows_of`] gives rows, without making them where their number cannot be too large.
pub(crate) fn check<'m>(entries: impl Iterator<Item = (&'m str, &'m Value)>) -> Result<(), InvalidMatrix> {
    let parts = Parts::read(entries)?;
    match parts.count + parts.include.len() <= MAX_ROWS {
        true => Ok(()),
        false => parts.rows().map(drop),
    }
}

/// What a matrix is made of.
struct Parts<'m> {
    vectors: Vec<(&'m str, &'m Vec<Value>)>,
    /// Rows of the product of the vectors.
    count: usize,
    include: Vec<&'m Map<String, Value>>,
    exclude: Vec<&'m Map<String, Value>>,
}

impl<'m> Parts<'m> {
    fn read(entries: impl Iterator<Item = (&'m str, &'m Value)>) -> Result<Self, InvalidMatrix> {
        let mut vectors: Vec<(&str, &Vec<Value>)> = Vec::new();
        let (mut include, mut exclude): (&[Value], &[Value]) = (&[], &[]);
        for (name, values) in entries {
            let Value::Array(values) = values else {
                if values.is_null() && (name == "include" || name == "exclude") {
                    continue;
                }
                return Err(InvalidMatrix(format!("`{name}` of the matrix is no list")));
            };
            match name {
                "include" => include = values,
                "exclude" => exclude = values,
                _ if values.is_empty() => {
                    return Err(InvalidMatrix(format!("the matrix vector `{name}` has no values")));
                }
                _ => vectors.push((name, values)),
            }
        }
        let count = match vectors.is_empty() {
            true => 0,
            false => vectors.iter().fold(1_usize, |count, (_, values)| count.saturating_mul(values.len())),
        };
        // Before `exclude`, as on GitHub; and before a product of hostile size is made.
        if count > MAX_ROWS {
            return Err(too_many(count));
        }
        let exclude = exclude.iter().map(|each| mapping(each, "exclude")).collect::<Result<_, _>>()?;
        let include = include.iter().map(|each| mapping(each, "include")).collect::<Result<_, _>>()?;
        let parts = Self { vectors, count, include, exclude };
        for excluded in &parts.exclude {
            if excluded.is_empty() {
                return Err(InvalidMatrix("a member of `exclude` names no key".to_owned()));
            }
            if let Some(name) = excluded.keys().find(|name| !parts.has_vector(name)) {
                return Err(InvalidMatrix(no_such_vector(name)));
            }
        }
        Ok(parts)
    }

    fn has_vector(&self, name: &str) -> bool {
        self.vectors.iter().any(|(each, _)| each.eq_ignore_ascii_case(name))
    }

    fn rows(&self) -> Result<Rows, InvalidMatrix> {
        let mut rows = self.product();
        for excluded in &self.exclude {
            rows.retain(|row| !excluded.iter().all(|(name, value)| matches(get(row, name), value)));
        }
        let product = rows.len();
        for &included in &self.include {
            let mut added = false;
            for row in &mut rows[..product] {
                let fits = included
                    .iter()
                    .filter(|(name, _)| self.has_vector(name))
                    .all(|(name, value)| matches(get(row, name), value));
                if fits {
                    added = true;
                    let more = included.iter().filter(|(name, _)| !self.has_vector(name));
                    row.extend(more.map(|(name, value)| (name.clone(), value.clone())));
                }
            }
            if !added {
                // The values of the vectors come first.
                let (of_vectors, others): (Vec<_>, Vec<_>) =
                    included.iter().partition(|(name, _)| self.has_vector(name));
                let entries = of_vectors.into_iter().chain(others);
                rows.push(entries.map(|(name, value)| (name.clone(), value.clone())).collect());
            }
            if rows.len() > MAX_ROWS {
                return Err(too_many(rows.len()));
            }
        }
        Ok(Rows { rows, product, vectors: self.vectors.len() })
    }

    fn product(&self) -> Vec<Row> {
        // Every row has the same names: they are hashed for one of them.
        let names: Row = self.vectors.iter().map(|(name, _)| ((*name).to_owned(), Value::Null)).collect();
        // The last vector's values change fastest. Each row is made from its number: grown vector by vector, a matrix of
        // many vectors would be copied for each of them.
        let row = |number: usize| {
            let mut row = names.clone();
            let mut every = self.count;
            for (value, (_, values)) in row.values_mut().zip(&self.vectors) {
                every /= values.len();
                value.clone_from(&values[number / every % values.len()]);
            }
            row
        };
        (0..self.count).map(row).collect()
    }
}

/// What is said of a key under `exclude` that no vector has.
pub(crate) fn no_such_vector(name: &str) -> String {
    format!("the key `{}` under `exclude` is no vector of the matrix", crate::expr::shortened(name))
}

/// By name without case, as everywhere in the language.
fn get<'r>(row: &'r Row, name: &str) -> Option<&'r Value> {
    row.get(name).or_else(|| row.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn too_many(count: usize) -> InvalidMatrix {
    InvalidMatrix(format!("the matrix makes {count} jobs; at most {MAX_ROWS} are allowed"))
}

fn mapping<'v>(value: &'v Value, name: &str) -> Result<&'v Map<String, Value>, InvalidMatrix> {
    value.as_object().ok_or_else(|| InvalidMatrix(format!("a member of `{name}` is a mapping")))
}

/// Whether a row's value is what a filter asks for: a mapping or a list asks only for the members that it names, and a
/// value that is not there is null. As on GitHub, where each value of a filter is an expression.
fn matches(own: Option<&Value>, filter: &Value) -> bool {
    match filter {
        Value::Object(filter) => filter.iter().all(|(name, value)| {
            let entries = own.and_then(Value::as_object).into_iter().flatten();
            let member =
                entries.into_iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, member)| member);
            matches(member, value)
        }),
        Value::Array(filter) => {
            filter.iter().enumerate().all(|(index, value)| matches(own.and_then(|own| own.get(index)), value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            own.map_or(Datum::Null, Datum::borrowed).equals(&Datum::borrowed(filter))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(matrix: Value, expected: Value) {
        assert_eq!(serde_json::to_value(rows(&matrix).unwrap().rows).unwrap(), expected);
    }

    #[test]
    fn the_first_vector_varies_slowest() {
        check(
            json!({"a": [1, 2], "b": ["x", "y"]}),
            json!([{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]),
        );
    }

    /// The example of GitHub's documentation of `include`.
    #[test]
    fn include_extends_rows_or_adds_them() {
        check(
            json!({
                "fruit": ["apple", "pear"],
                "animal": ["cat", "dog"],
                "include": [
                    {"color": "green"},
                    {"color": "pink", "animal": "cat"},
                    {"fruit": "apple", "shape": "circle"},
                    {"fruit": "banana"},
                    {"fruit": "banana", "animal": "cat"},
                ],
            }),
            json!([
                {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
                {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
                {"fruit": "pear", "animal": "cat", "color": "pink"},
                {"fruit": "pear", "animal": "dog", "color": "green"},
                {"fruit": "banana"},
                {"fruit": "banana", "animal": "cat"},
            ]),
        );
    }

    #[test]
    fn exclude_comes_before_include() {
        check(
            json!({"os": ["l", "w"], "v": [1, 2], "exclude": [{"os": "w"}], "include": [{"os": "w", "v": 1}]}),
            json!([{"os": "l", "v": 1}, {"os": "l", "v": 2}, {"os": "w", "v": 1}]),
        );
        check(json!({"include": [{"a": 1}, {"b": 2}]}), json!([{"a": 1}, {"b": 2}]));
        check(json!({"os": ["l", "w"], "exclude": [{"OS": "w"}]}), json!([{"os": "l"}]));
    }

    #[test]
    fn a_matrix_has_its_limits() {
        let many: Vec<u32> = (0..257).collect();
        assert!(rows(&json!({"a": many})).unwrap_err().0.contains("257"));
        let wide: Vec<u32> = (0..250).collect();
        assert!(rows(&json!({"a": wide, "b": wide, "c": wide, "d": wide, "e": wide})).is_err());
        assert!(rows(&json!({"a": []})).is_err() && rows(&json!({"a": 1})).is_err() && rows(&json!([])).is_err());
    }

    #[test]
    fn exclude_names_vectors() {
        let wrong = |exclude: Value| rows(&json!({"a": [1], "include": [{"b": 2}], "exclude": exclude})).unwrap_err().0;
        assert!(wrong(json!([{"b": 2}])).contains("`b`"));
        assert!(wrong(json!([{}])).contains("names no key"));
    }

    #[test]
    fn a_row_is_named_by_its_values() {
        let labels = |matrix: Value| {
            let rows = rows(&matrix).unwrap();
            (0..rows.rows.len()).map(|row| rows.label(row)).collect::<Vec<_>>()
        };
        assert_eq!(labels(json!({"a": [{"x": 1.5, "y": ["p", null, "q"]}], "b": [true]})), ["1.5, p, q, true"]);
        let include = json!([{"more": "x", "A": 1}, {"more": "y", "a": 3}, {"z": 0}]);
        assert_eq!(labels(json!({"a": [1, 2], "include": include})), ["1", "2", "3, y"]);
        assert_eq!(labels(json!({"include": [{"b": 2, "a": 1}]})), ["2, 1"]);
    }

    /// GitHub makes an expression of each value under `include` and `exclude`: `matrix['os'] == 'Linux'`.
    #[test]
    fn filters_compare_as_expressions_do() {
        let left = |exclude: Value| {
            let matrix = json!({"os": ["linux", "mac"], "v": [3.1, true, {"a": 1, "b": [1, 2]}], "exclude": [exclude]});
            rows(&matrix).unwrap().rows.len()
        };
        assert_eq!(left(json!({"os": "Linux"})), 3);
        assert_eq!(left(json!({"v": "3.10"})), 4);
        assert_eq!(left(json!({"v": 1})), 4);
        assert_eq!(left(json!({"v": {"A": "1"}})), 4);
        assert_eq!(left(json!({"v": {"b": [1]}})), 4);
        assert_eq!(left(json!({"v": {"b": [2]}})), 6);
        // What is not there is null.
        assert_eq!(left(json!({"v": {"c": null}})), 0);
        assert_eq!(left(json!({"os": []})), 0);
        assert_eq!(left(json!({"os": "lin"})), 6);
    }
}
