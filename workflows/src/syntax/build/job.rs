use indexmap::IndexMap;
use serde_json::Value;

use super::{
    concurrency, defaults, get, key, list, located, not_applicable, pairs, scalar_value, step, template, templates,
    texts, value,
};
use crate::{
    expr::{has_expression, has_expression_within},
    matrix,
    syntax::{
        CallSecrets, Container, Credentials, Job, JobBody, Located, Matrix, Permissions, RunsOn, Strategy,
        diagnostic::Sink,
        size,
        yaml::{Kind, Node},
    },
};

pub(super) fn read(id: &Node, node: &Node, sink: &mut Sink<'_>) -> Job {
    if let Some(key) = key(node, "permissions") {
        not_applicable(key, "permissions", sink);
    }
    for name in ["services", "environment", "snapshot", "cancel-timeout-minutes"] {
        if let Some(key) = key(node, name) {
            sink.warn(key.at, key.length, "not-applicable", format!("`{name}` is read and has no effect in Assay"));
        }
    }
    if let Some(services) = get(node, "services")
        && let Kind::Mapping(entries) = &services.kind
    {
        entries.iter().for_each(|(_, service)| needs_image(service, sink));
    }
    if let Some(snapshot) = get(node, "snapshot") {
        check_snapshot(snapshot, sink);
    }
    // With both, which is an error, it counts as a job of its own.
    let body = match get(node, "uses").filter(|_| get(node, "runs-on").is_none()) {
        Some(uses) => call(node, uses, sink),
        None => JobBody::Steps(get(node, "steps").map(|steps| step::list(steps, sink)).unwrap_or_default()),
    };
    Job {
        at: id.at,
        name: template(node, "name"),
        needs: needs(node, sink),
        condition: template(node, "if"),
        permissions: get(node, "permissions").and_then(Permissions::read),
        runs_on: get(node, "runs-on").map(|node| runs_on(node, sink)).unwrap_or_default(),
        strategy: get(node, "strategy").and_then(|node| strategy(node, sink)),
        outputs: templates(node, "outputs"),
        env: texts(node, "env"),
        defaults: get(node, "defaults").and_then(|node| keys_of(node, "run", sink)).map(defaults),
        timeout_minutes: template(node, "timeout-minutes"),
        continue_on_error: template(node, "continue-on-error"),
        concurrency: concurrency(node, sink),
        container: get(node, "container").and_then(|node| container(node, sink)),
        body,
    }
}

/// Whether the jobs are there is asked in [`crate::syntax::graph`]; what is no id is the id of none.
fn needs(node: &Node, sink: &mut Sink<'_>) -> Vec<Located<crate::ids::JobId>> {
    let mut needs = Vec::new();
    for Located { value, at } in get(node, "needs").map(list).unwrap_or_default() {
        match value.parse() {
            Ok(value) => needs.push(Located { value, at }),
            // Complained about already.
            Err(_) if value.is_empty() || has_expression(&value) => {}
            Err(_) => {
                let message = format!("`{}` is no job of this workflow", crate::expr::shortened(&value));
                sink.error(at, value.chars().count().clamp(1, 200) as u32, "unknown-need", message);
            }
        }
    }
    needs
}

fn call(node: &Node, uses: &Node, sink: &mut Sink<'_>) -> JobBody {
    let path = uses.to_text().unwrap_or_default();
    if !path.starts_with("./") {
        let message = "Assay calls workflows of the same repository: `./.assay/workflows/<name>.yml`; this job fails";
        sink.warn(uses.at, uses.length, "workflow-not-local", message);
    }
    let with: IndexMap<String, Located<Value>> = pairs(node, "with")
        .into_iter()
        .map(|(name, node)| (name, Located { value: scalar_value(node), at: node.at }))
        .collect();
    let secrets = match get(node, "secrets").map(|node| &node.kind) {
        // Any other word was complained about; taken for `inherit` it causes no further complaints.
        Some(Kind::Scalar { .. }) => CallSecrets::Inherit,
        Some(_) | None => CallSecrets::Given(templates(node, "secrets")),
    };
    JobBody::Call { uses: Located { value: path, at: uses.at }, with, secrets }
}

fn runs_on(node: &Node, sink: &mut Sink<'_>) -> RunsOn {
    if !matches!(node.kind, Kind::Mapping(_)) {
        return RunsOn { labels: list(node), ..RunsOn::default() };
    }
    let mut runs_on = RunsOn {
        labels: get(node, "labels").map(list).unwrap_or_default(),
        group: template(node, "group"),
        gpu_name: get(node, "gpu-name").and_then(Node::to_text),
        ..RunsOn::default()
    };
    if let Some(group) = get(node, "group") {
        check_group(group, sink);
    }
    if let Some(gpus) = get(node, "gpus") {
        match scalar_value(gpus).as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count <= 64) {
            Some(count) => runs_on.gpus = count,
            None => sink.error(gpus.at, gpus.length, "gpus", "`gpus` is a whole number from 0 to 64"),
        }
    }
    if let Some(memory) = get(node, "gpu-memory") {
        match memory.text().as_deref().and_then(size::parse) {
            Some(bytes) => runs_on.gpu_memory_bytes = Some(bytes),
            None => {
                sink.error(memory.at, memory.length, "gpu-memory", "expected an amount of memory, such as `40GB`");
            }
        }
    }
    if runs_on.gpus == 0 && (runs_on.gpu_memory_bytes.is_some() || runs_on.gpu_name.is_some()) {
        runs_on.gpus = 1;
    }
    runs_on
}

/// A group of runners with a `/` in its name is one of an organization or an enterprise, as on GitHub.
fn check_group(node: &Node, sink: &mut Sink<'_>) {
    let name = node.text().unwrap_or_default();
    let Some((owner, group)) = name.split_once('/') else { return };
    let known = ["org", "organization", "ent", "enterprise"].contains(&owner);
    if !has_expression(&name) && (!known || group.is_empty() || group.contains('/')) {
        let message = "a group is a name, or `organization/` or `enterprise/` and a name";
        sink.error(node.at, node.length, "runner-group", message.to_owned());
    }
}

/// A mapping that GitHub takes from an expression and we do not: that is said, not passed over.
fn keys_of<'n>(parent: &'n Node<'n>, name: &str, sink: &mut Sink<'_>) -> Option<&'n Node<'n>> {
    let node = get(parent, name)?;
    if node.text().is_some_and(|text| has_expression(&text)) {
        let message = format!("the keys of `{name}` must be written out: an expression cannot be all of it");
        sink.error(node.at, node.length, "expression-not-allowed", message);
    }
    Some(node)
}

fn strategy(node: &Node, sink: &mut Sink<'_>) -> Option<Strategy> {
    match &node.kind {
        Kind::Scalar { text, .. } => has_expression(text).then(|| located(node).map(Strategy::Expression))?,
        Kind::Sequence(_) => None,
        Kind::Mapping(_) => Some(Strategy::Written {
            matrix: get(node, "matrix").and_then(|node| read_matrix(node, sink)).map(Box::new),
            fail_fast: template(node, "fail-fast"),
            max_parallel: template(node, "max-parallel"),
        }),
    }
}

fn read_matrix(node: &Node, sink: &mut Sink<'_>) -> Option<Matrix> {
    match &node.kind {
        Kind::Scalar { text, .. } => has_expression(text).then(|| located(node).map(Matrix::Expression))?,
        Kind::Sequence(_) => None,
        Kind::Mapping(entries) => {
            let rows = |name| get(node, name).map_or(Value::Array(Vec::new()), value);
            let (include, exclude) = (rows("include"), rows("exclude"));
            let mut vectors = IndexMap::new();
            for (key, vector) in entries {
                let name = key.to_text().unwrap_or_default();
                if name == "include" || name == "exclude" {
                    continue;
                }
                if matches!(&vector.kind, Kind::Sequence(items) if items.is_empty()) {
                    let message = format!("the matrix vector `{name}` has no values");
                    sink.error(vector.at, vector.length, "matrix-empty-vector", message);
                }
                vectors.insert(name, value(vector));
            }
            let written = || {
                let vectors = vectors.iter().map(|(name, vector)| (name.as_str(), vector));
                vectors.chain([("include", &include), ("exclude", &exclude)])
            };
            if may_be_written_out(entries, &vectors, sink)
                && !written().any(|(name, value)| has_expression(name) || has_expression_within(value))
                && let Err(error) = matrix::check(written())
            {
                sink.error(node.at, node.length, "matrix", error.to_string());
            }
            Some(Matrix::Vectors { vectors, include, exclude, at: node.at })
        }
    }
}

/// Whether the rows of a matrix without expressions may be asked for. A key that is an expression may add vectors.
fn may_be_written_out(entries: &[(Node, Node)], vectors: &IndexMap<String, Value>, sink: &mut Sink<'_>) -> bool {
    let members = |(_, list): &(Node, Node)| match &list.kind {
        Kind::Sequence(members) => members.len(),
        Kind::Scalar { .. } | Kind::Mapping(_) => 0,
    };
    // A hostile matrix is not worth the time that comparing all with all takes.
    let large = vectors.len() > matrix::MAX_ROWS || entries.iter().any(|entry| members(entry) > 4 * matrix::MAX_ROWS);
    if large || vectors.keys().any(|name| has_expression(name)) {
        return false;
    }
    let mut right = vectors.values().all(|values| values.as_array().is_some_and(|values| !values.is_empty()));
    let excluded = entries.iter().filter(|(key, _)| key.text().as_deref() == Some("exclude"));
    for member in excluded.flat_map(|(_, list)| match &list.kind {
        Kind::Sequence(members) => members.as_slice(),
        Kind::Scalar { .. } | Kind::Mapping(_) => &[],
    }) {
        let Kind::Mapping(filters) = &member.kind else { continue };
        for (key, _) in filters {
            let name = key.to_text().unwrap_or_default();
            if !has_expression(&name) && !vectors.keys().any(|vector| vector.eq_ignore_ascii_case(&name)) {
                right = false;
                let mut diagnostic = sink.make(key.at, key.length, "matrix-exclude", matrix::no_such_vector(&name));
                diagnostic.help = sink
                    .nearest(&name, vectors.keys().map(String::as_str))
                    .map(|near| format!("did you mean `{near}`?"));
                sink.push(diagnostic);
            }
        }
    }
    right
}

fn container(node: &Node, sink: &mut Sink<'_>) -> Option<Container> {
    needs_image(node, sink);
    let texts_of = |name: &str| -> Vec<String> {
        get(node, name).map(list).unwrap_or_default().into_iter().map(|each| each.value).collect()
    };
    let text = |parent: &Node, name: &str| get(parent, name).and_then(Node::to_text);
    match &node.kind {
        Kind::Scalar { .. } => {
            let image = located(node).filter(|image| !image.value.is_empty())?;
            let (env, volumes, ports) = (IndexMap::new(), Vec::new(), Vec::new());
            Some(Container { image, env, options: None, volumes, ports, credentials: None })
        }
        Kind::Mapping(_) => Some(Container {
            image: template(node, "image")?,
            env: texts(node, "env"),
            options: text(node, "options"),
            volumes: texts_of("volumes"),
            ports: texts_of("ports"),
            credentials: keys_of(node, "credentials", sink).map(|credentials| Credentials {
                username: text(credentials, "username").unwrap_or_default(),
                password: text(credentials, "password").unwrap_or_default(),
            }),
        }),
        Kind::Sequence(_) => None,
    }
}

/// Of a container or a service; what no expression decides.
fn needs_image(node: &Node, sink: &mut Sink<'_>) {
    if has_expression_within(&value(node)) {
        return;
    }
    let image = match &node.kind {
        Kind::Mapping(_) => get(node, "image"),
        Kind::Scalar { .. } => Some(node),
        Kind::Sequence(_) => return,
    };
    match image.map(Node::text) {
        None => sink.error(node.at, node.length, "container-image", "a container needs an `image`"),
        Some(Some(name)) if name == "docker://" => {
            sink.error(node.at, node.length, "container-image", "`docker://` names no image");
        }
        Some(_) => {}
    }
}

/// GitHub's images have versions; Assay takes no snapshots, but a file that GitHub refuses is refused.
fn check_snapshot(node: &Node, sink: &mut Sink<'_>) {
    if has_expression_within(&value(node)) {
        return;
    }
    let Some(version) = get(node, "version").and_then(Node::to_text).filter(|version| !version.is_empty()) else {
        return;
    };
    let major = version.strip_suffix(".*").unwrap_or_default();
    if major.is_empty() || !major.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("the version of a snapshot is `<number>.*`, not `{}`", crate::expr::shortened(&version));
        sink.error(node.at, node.length, "snapshot-version", message);
    }
}
