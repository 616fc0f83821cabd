//! GitHub's official OpenAPI description, as judge of every request of ours and of every reply and
//! payload of the fake; and as the source of what the fake has nothing to say about.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::OnceLock,
};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::npm::file_of_package;

/// What Assay may ask of GitHub. A request to anything else is a failure of the test.
pub const OPERATIONS: &[(&str, &str)] = &[
    ("POST", "/repos/{owner}/{repo}/check-runs"),
    ("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}"),
    ("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}"),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs"),
    ("GET", "/repos/{owner}/{repo}/contents/{path}"),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}"),
    ("GET", "/repos/{owner}/{repo}/git/commits/{commit_sha}"),
    ("GET", "/repos/{owner}/{repo}/compare/{basehead}"),
    ("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission"),
    ("GET", "/repos/{owner}/{repo}/installation"),
    ("POST", "/app/installations/{installation_id}/access_tokens"),
    ("GET", "/app/hook/deliveries"),
    ("POST", "/app/hook/deliveries/{delivery_id}/attempts"),
    ("POST", "/app-manifests/{code}/conversions"),
];

/// Webhooks that the fake sends, in the description's spelling.
const WEBHOOKS: &[&str] = &[
    "push",
    "pull-request-opened",
    "pull-request-synchronize",
    "pull-request-edited",
    "merge-group-checks-requested",
    "merge-group-destroyed",
    "check-run-rerequested",
    "check-run-requested-action",
    "check-suite-rerequested",
    // Under the one type that it is described by.
    "repository-dispatch-sample.collected",
];

/// The description of one operation, compiled.
struct Operation {
    query: BTreeMap<String, Value>,
    request: Option<Validator>,
    replies: BTreeMap<u16, Option<Validator>>,
}

pub struct Contract {
    rest: Value,
    hooks: Value,
    operations: BTreeMap<(&'static str, &'static str), Operation>,
    webhooks: BTreeMap<&'static str, Validator>,
}

/// Compiled once per test process.
pub fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(Contract::load)
}

impl Contract {
    fn load() -> Self {
        let rest = read("@octokit/openapi", "23.0.2");
        let hooks = read("@octokit/openapi-webhooks", "12.1.0");
        let operations = OPERATIONS.iter().map(|&key| (key, operation(&rest, key))).collect();
        let webhooks = WEBHOOKS
            .iter()
            .map(|&name| {
                let schema = &hooks["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"];
                assert!(schema.is_object(), "the description has no webhook {name}");
                let document = document(&hooks, schema.clone());
                (name, jsonschema::draft202012::new(&document).expect("the description is a schema"))
            })
            .collect();
        Self { rest, hooks, operations, webhooks }
    }

    /// What is wrong with a request, in the description's eyes; empty if nothing is.
    pub fn request(&self, key: (&str, &str), query: &[(String, String)], body: &Value) -> Vec<String> {
        let operation = self.operation(key);
        let mut wrong: Vec<String> = query
            .iter()
            .filter_map(|(name, value)| match operation.query.get(name) {
                None => Some(format!("unknown query parameter {name}")),
                Some(schema) => query_value(schema, value).err().map(|why| format!("query parameter {name}: {why}")),
            })
            .collect();
        match &operation.request {
            Some(validator) => wrong.extend(errors(validator, body)),
            None if body.as_object().is_none_or(|fields| !fields.is_empty()) && !body.is_null() => {
                wrong.push(format!("takes no body, got {body}"));
            }
            None => {}
        }
        wrong
    }

    pub fn reply(&self, key: (&str, &str), status: u16, body: &Value) -> Vec<String> {
        match self.operation(key).replies.get(&status) {
            // 401 and 5xx are not part of the description; the shape of an error is.
            None if status >= 400 && body["message"].is_string() => Vec::new(),
            None => vec![format!("status {status} is not described")],
            Some(None) => Vec::new(),
            Some(Some(validator)) => errors(validator, body),
        }
    }

    /// `name` is the event and its action: `check-run-rerequested`.
    pub fn webhook(&self, name: &str, payload: &Value) -> Vec<String> {
        let validator = self.webhooks.get(name).unwrap_or_else(|| panic!("{name} is not among WEBHOOKS"));
        errors(validator, payload)
    }

    fn operation(&self, (method, template): (&str, &str)) -> &Operation {
        let found = self.operations.iter().find(|((m, t), _)| *m == method && *t == template);
        found.unwrap_or_else(|| panic!("{method} {template} is not among OPERATIONS")).1
    }

    /// A value of a REST schema: what is `known`, and the smallest that the schema asks for beside it.
    pub fn sample(&self, schema: &str, known: &Value) -> Value {
        filled(&self.rest, &self.rest["components"]["schemas"][schema], Some(known))
    }

    /// As [`Self::sample`], of a webhook's payload.
    pub fn sample_webhook(&self, name: &str, known: &Value) -> Value {
        let schema = &self.hooks["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"];
        filled(&self.hooks, schema, Some(known))
    }
}

fn read(package: &str, version: &str) -> Value {
    let path = file_of_package(package, version, "generated/api.github.com.json");
    let bytes = fs::read(&path).expect("just fetched");
    serde_json::from_slice(&bytes).expect("the description is JSON")
}

fn operation(rest: &Value, (method, template): (&str, &str)) -> Operation {
    let described = &rest["paths"][template][method.to_lowercase()];
    assert!(described.is_object(), "the description has no {method} {template}");
    let compile = |schema: Value| {
        jsonschema::draft4::new(&document(rest, schema)).expect("the description is a schema, once made JSON Schema")
    };
    let query = described["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| resolve(rest, parameter))
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| (text(&parameter["name"]), parameter["schema"].clone()))
        .collect();
    let request = described["requestBody"]["content"]["application/json"]["schema"].as_object().map(|schema| {
        let mut schema = Value::Object(schema.clone());
        // GitHub ignores a field that it does not know; we would have misspelt it.
        close(&mut schema);
        compile(schema)
    });
    let replies = described["responses"]
        .as_object()
        .expect("every operation has replies")
        .iter()
        .filter_map(|(status, reply)| {
            let reply = resolve(rest, reply);
            let schema = reply["content"]["application/json"]["schema"].as_object();
            Some((status.parse().ok()?, schema.map(|schema| compile(Value::Object(schema.clone())))))
        })
        .collect();
    Operation { query, request, replies }
}

/// `schema` as a document of its own, with every component that it refers to.
fn document(description: &Value, schema: Value) -> Value {
    let mut wanted = Vec::new();
    references(&schema, &mut wanted);
    let mut schemas: Map<String, Value> = Map::new();
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if seen.insert(name.clone()) {
            let component = description["components"]["schemas"][&name].clone();
            references(&component, &mut wanted);
            schemas.insert(name, component);
        }
    }
    let mut document = json!({ "allOf": [schema], "components": { "schemas": schemas } });
    if is_3_0(description) {
        make_nullable(&mut document);
    }
    document
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(component) {
                found.push(name.to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn component(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/components/schemas/")
}

/// OpenAPI 3.0's `nullable` in JSON Schema's words.
fn make_nullable(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(make_nullable);
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                fields.remove("nullable");
                let inner = Value::Object(std::mem::take(fields));
                *value = json!({ "anyOf": [inner, { "type": "null" }] });
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_nullable),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn close(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(close);
        fields.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    if let Some(items) = fields.get_mut("items") {
        close(items);
    }
}

fn query_value(schema: &Value, value: &str) -> Result<(), String> {
    if schema["type"] == "integer" && value.parse::<i64>().is_err() {
        return Err(format!("{value} is not an integer"));
    }
    match schema["enum"].as_array() {
        Some(allowed) if !allowed.iter().any(|one| one == value) => Err(format!("{value} is none of {allowed:?}")),
        Some(_) | None => Ok(()),
    }
}

fn errors(validator: &Validator, value: &Value) -> Vec<String> {
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {}", error.instance_path(), error.to_string().chars().take(300).collect::<String>()))
        .collect()
}

fn resolve<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => resolve(
            description,
            description.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("no {reference}")),
        ),
        None => value,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `known` where it says something; else the smallest value that the schema allows: required fields alone,
/// null where it may be, no items.
fn filled(description: &Value, schema: &Value, known: Option<&Value>) -> Value {
    let schema = resolve(description, schema);
    assert!(schema.is_object(), "the description has no such schema; known: {known:?}");
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| filled(description, part, known));
        return parts.reduce(joined).expect("allOf has parts");
    }
    let choices = || ["oneOf", "anyOf"].iter().filter_map(|name| schema[*name].as_array()).flatten();
    if !schema["properties"].is_object()
        && let Some(choice) = choices().find(|choice| choice["type"] != "null")
    {
        return filled(description, choice, known);
    }
    match known {
        None => smallest(description, schema),
        Some(Value::Object(fields)) if schema["properties"].is_object() => {
            let mut value = required_fields(description, schema, Some(fields));
            for (name, field) in fields {
                if !value.contains_key(name) {
                    let described = &schema["properties"][name];
                    let field =
                        if described.is_object() { filled(description, described, Some(field)) } else { field.clone() };
                    value.insert(name.clone(), field);
                }
            }
            Value::Object(value)
        }
        Some(known) => known.clone(),
    }
}

fn required_fields(description: &Value, schema: &Value, known: Option<&Map<String, Value>>) -> Map<String, Value> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required
        .map(|name| {
            let described = &schema["properties"][name];
            let known = known.and_then(|known| known.get(name));
            let field = if described.is_object() { filled(description, described, known) } else { Value::Null };
            (name.to_owned(), field)
        })
        .collect()
}

fn smallest(description: &Value, schema: &Value) -> Value {
    let types = &schema["type"];
    let may_be = |name: &str| types == name || types.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    if may_be("null") || (is_3_0(description) && schema["nullable"] == true) {
        return Value::Null;
    }
    let fixed = schema.get("const").or_else(|| schema["enum"].as_array().and_then(|all| all.first()));
    if let Some(fixed) = fixed {
        return fixed.clone();
    }
    if may_be("array") {
        json!([])
    } else if may_be("boolean") {
        json!(false)
    } else if may_be("integer") || may_be("number") {
        schema.get("minimum").cloned().unwrap_or(json!(1))
    } else if may_be("string") {
        json!(match schema["format"].as_str() {
            Some("date-time") => "2026-01-01T00:00:00Z",
            Some("date") => "2026-01-01",
            Some("uri") => "https://github.example/x",
            Some("uri-template") => "https://github.example/{x}",
            Some("email") => "x@github.example",
            Some(_) | None => "x",
        })
    } else {
        Value::Object(required_fields(description, schema, None))
    }
}

/// `nullable` is a word of OpenAPI 3.0; in 3.1 it means nothing.
fn is_3_0(description: &Value) -> bool {
    description["openapi"].as_str().is_some_and(|version| version.starts_with("3.0"))
}

/// Both objects' fields, at every depth; where both say something, the second's word.
fn joined(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (name, value) in other {
                let value = match one.remove(&name) {
                    Some(before) => joined(before, value),
                    None => value,
                };
                one.insert(name, value);
            }
            Value::Object(one)
        }
        (_, other) => other,
    }
}
