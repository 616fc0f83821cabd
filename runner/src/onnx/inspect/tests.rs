//! On the real models of `examples/digits`, and on models written byte by byte to do harm.

use std::{fs, io::Cursor, os::unix::fs::symlink, path::PathBuf};

use super::*;
use crate::onnx::{
    runtime::runtime,
    session::{Model, Provider, SessionOptions},
};

fn digits(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits").join(name)
}

/// A field of bytes: its key, its length, its content.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(content.len() as u64));
    field.extend(content);
    field
}

fn number(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    out.extend(varint(value));
    out
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A model around the fields of its graph.
fn model(graph: &[Vec<u8>]) -> Vec<u8> {
    let opset = bytes(8, &number(2, 21));
    [number(1, 10), bytes(7, &graph.concat()), opset].concat()
}

fn port(field: u8, name: &str) -> Vec<u8> {
    let shape = bytes(2, &bytes(1, &number(1, 2)));
    let tensor = bytes(1, &[number(1, 1), shape].concat());
    bytes(field, &[bytes(1, name.as_bytes()), bytes(2, &tensor)].concat())
}

/// `y = x + w`, where the two numbers of `w` are what `data` says.
fn adds(data: &[Vec<u8>]) -> Vec<u8> {
    let weight = [number(1, 2), number(2, 1), bytes(8, b"w"), data.concat()].concat();
    let node = [bytes(1, b"x"), bytes(1, b"w"), bytes(2, b"y"), bytes(4, b"Add")].concat();
    model(&[bytes(1, &node), bytes(2, b"g"), bytes(5, &weight), port(11, "x"), port(12, "y")])
}

fn external(location: &str, more: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let entry =
        |(key, value): &(&str, &str)| bytes(13, &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat());
    let entries = [("location", location)].iter().chain(more).map(entry).collect::<Vec<_>>().concat();
    vec![entries, number(14, 1)]
}

fn raw(numbers: [f32; 2]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn parse(model: &[u8], depth: Depth) -> Result<Graph, String> {
    model::read_from(Cursor::new(model), model.len() as u64, depth).map_err(|e| e.to_string())
}

#[test]
fn the_example_model_is_what_make_py_made() {
    let inspection = inspect(&digits("model.onnx"), None).unwrap();
    let graph = &inspection.graph;
    assert_eq!(graph.inputs[0].to_string(), "X: float32 [?, 64]");
    let outputs: Vec<_> = graph.outputs.iter().map(|port| (port.name.as_str(), port.dtype.as_str())).collect();
    assert_eq!(outputs, [("label", "int64"), ("probabilities", "float32")]);
    assert_eq!(inspection.model.bytes, fs::metadata(digits("model.onnx")).unwrap().len());
    assert_eq!(graph.operators.values().sum::<u64>(), graph.nodes);
    assert!(graph.parameters >= 64 * 10, "{graph:?}");
    assert!(inspection.external.is_empty() && inspection.against.is_none());
    let same = inspect(&digits("model.onnx"), Some(&digits("model.onnx"))).unwrap().against.unwrap().difference;
    assert!(same.identical && same.signature.is_empty() && same.weights.changed.count == 0 && same.nodes.count == 0);
    assert_eq!(same.weights.unchanged, inspection.weights);
}

#[test]
fn a_retrained_model_differs_in_its_numbers_alone() {
    let difference =
        inspect(&digits("variants/regressed.onnx"), Some(&digits("model.onnx"))).unwrap().against.unwrap().difference;
    assert!(!difference.identical);
    assert_eq!(difference.signature, Vec::<String>::new());
    assert!(difference.operators.is_empty(), "{difference:?}");
    assert!(difference.weights.changed.count + difference.nodes.count > 0, "{difference:?}");
}

#[test]
fn a_changed_signature_is_told_port_by_port() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, model: Vec<u8>| {
        let path = directory.path().join(name);
        fs::write(&path, model).unwrap();
        path
    };
    let base = write("base.onnx", model(&[port(11, "x"), port(12, "y")]));
    let head = write("head.onnx", model(&[port(11, "x"), port(11, "z"), port(12, "label")]));
    let difference = inspect(&head, Some(&base)).unwrap().against.unwrap().difference;
    assert_eq!(
        difference.signature,
        [
            "the input `z: float32 [2]` is new",
            "the output `y: float32 [2]` is gone",
            "the output `label: float32 [2]` is new"
        ]
    );
}

#[test]
fn the_same_numbers_are_the_same_however_they_are_written() {
    let digest = |data: &[Vec<u8>]| parse(&adds(data), Depth::Weights).unwrap().weights["w"].digest.clone().unwrap();
    let as_raw = digest(&[bytes(9, &raw([1.0, -2.5]))]);
    assert_eq!(as_raw, digest(&[bytes(4, &raw([1.0, -2.5]))]));
    assert_ne!(as_raw, digest(&[bytes(9, &raw([1.0, -2.0]))]));
    let graph = parse(&adds(&[bytes(9, &raw([1.0, 2.0]))]), Depth::Structure).unwrap();
    assert_eq!((graph.parameters, graph.nodes, graph.weights["w"].digest.as_ref()), (2, 1, None));
}

#[test]
fn weights_in_a_file_beside_the_model_belong_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.onnx");
    fs::write(&path, adds(&external("w.bin", &[("offset", "0"), ("length", "8")]))).unwrap();
    fs::write(directory.path().join("w.bin"), raw([1.0, 2.0])).unwrap();
    let file = ModelFile::examine(&path).unwrap();
    assert_eq!((file.external.len(), file.external[0].bytes), (1, 8));
    assert_eq!(file.facts().bytes, fs::metadata(&path).unwrap().len() + 8);
    let options = SessionOptions { provider: Provider::Cpu, device: 0, threads: 1 };
    let mut model = Model::open(runtime(&|_| ()).unwrap(), &file, &options).unwrap();
    let x = ort::value::Tensor::from_array(([2usize], vec![10f32, 20.0])).unwrap();
    assert_eq!(model.run(&[x.into()]).unwrap()["y"].try_extract_tensor::<f32>().unwrap().1, [11.0, 22.0]);
    // Other numbers in the file are another model, though the model's own bytes are the same.
    let before = file.facts().digest.clone();
    let other = directory.path().join("other.onnx");
    fs::write(&other, adds(&external("v.bin", &[("length", "8")]))).unwrap();
    fs::write(directory.path().join("v.bin"), raw([1.0, 3.0])).unwrap();
    let difference = inspect(&other, Some(&path)).unwrap().against.unwrap().difference;
    assert_eq!(difference.weights.changed.names, ["w"]);
    fs::write(directory.path().join("w.bin"), raw([1.0, 3.0])).unwrap();
    assert_ne!(before, ModelFile::examine(&path).unwrap().facts().digest);
}

#[test]
fn weights_outside_the_models_directory_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, raw([1.0, 2.0])).unwrap();
    let directory = outside.path().join("model");
    fs::create_dir_all(directory.join("folder")).unwrap();
    symlink(&secret, directory.join("link")).unwrap();
    symlink(outside.path(), directory.join("up")).unwrap();
    fs::hard_link(&secret, directory.join("hard")).unwrap();
    fs::write(directory.join("short"), [0; 4]).unwrap();
    let path = directory.join("m.onnx");
    let refused = |location: &str, more: &[(&str, &str)], reason: &str| {
        fs::write(&path, adds(&external(location, more))).unwrap();
        let error = ModelFile::examine(&path).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let message = error.to_string();
        assert!(message.contains("m.onnx") && message.contains(reason), "{location}: {message}");
    };
    refused("../secret", &[], "does not name a file in the model's directory");
    refused("folder/../../secret", &[], "does not name a file in the model's directory");
    refused(secret.to_str().unwrap(), &[], "does not name a file in the model's directory");
    refused("", &[], "does not name a file in the model's directory");
    refused("link", &[], "leads out of the model's directory");
    refused("up/secret", &[], "leads out of the model's directory");
    refused("hard", &[], "hard links");
    refused("folder", &[], "no plain file");
    refused("nothing", &[], "does not exist");
    refused("*/_ORT_MEM_ADDR_/*", &[("offset", "4096"), ("length", "8")], "does not exist");
    refused("short", &[("length", "8")], "beyond its end");
    refused("short", &[("offset", "18446744073709551615"), ("length", "8")], "beyond its end");
    refused("short", &[("offset", "-1")], "is no number");
    refused("short", &[("location", "link")], "in two files");
}

/// Parsers merge the parts of a message, so a location counts wherever it stands.
#[test]
fn a_location_is_found_wherever_it_hides() {
    let tensor = external("../secret", &[])[0].clone();
    let attribute = |field: u8| bytes(1, &bytes(5, &bytes(field, &tensor)));
    let sparse = |field: u8| bytes(15, &bytes(field, &tensor));
    let in_subgraph = bytes(1, &bytes(5, &bytes(6, &bytes(5, &tensor))));
    for graph in [bytes(5, &tensor), attribute(5), attribute(10), sparse(1), sparse(2), in_subgraph] {
        let graph = parse(&model(&[graph]), Depth::Structure).unwrap();
        assert_eq!(graph.external.len(), 1, "{graph:?}");
    }
    let node = bytes(7, &bytes(5, &bytes(5, &tensor)));
    let with_function = [model(&[]), vec![0xca, 0x01], varint(node.len() as u64), node].concat();
    assert_eq!(parse(&with_function, Depth::Structure).unwrap().external.len(), 1);
    let twice = [model(&[]), bytes(7, &bytes(5, &tensor))].concat();
    assert_eq!(parse(&twice, Depth::Structure).unwrap().external.len(), 1);
}

#[test]
fn a_hostile_file_costs_neither_stack_nor_memory() {
    let mut graph = Vec::new();
    for _ in 0..60 {
        graph = bytes(1, &bytes(5, &bytes(6, &graph)));
    }
    assert!(parse(&model(&[graph]), Depth::Structure).unwrap_err().contains("subgraphs within"));
    // Two bytes each: kept, a million of them would be hundreds of megabytes.
    let inputs = bytes(11, &[]).repeat(1_000_000);
    assert!(parse(&model(&[inputs]), Depth::Structure).unwrap_err().contains("more names and shapes"));
    let shape = vec![number(1, 9); 65].concat();
    assert!(parse(&model(&[bytes(5, &shape)]), Depth::Structure).unwrap_err().contains("64 dimensions"));
    let huge = [number(1, u64::MAX), number(1, u64::MAX), bytes(8, b"w")].concat();
    assert_eq!(parse(&model(&[bytes(5, &huge)]), Depth::Structure).unwrap().parameters, u64::MAX);
    for text in [&b"<!DOCTYPE html>"[..], b"", &[0x0a], &[0xff; 100], b"\x08\x07"] {
        assert!(parse(text, Depth::Weights).is_err());
    }
}

/// Every cut of a real model is refused or read as a smaller one, and nothing panics.
#[test]
fn a_model_cut_off_anywhere_is_an_answer() {
    let whole = fs::read(digits("model.onnx")).unwrap();
    for end in 0..whole.len() {
        if let Ok(graph) = parse(&whole[..end], Depth::Weights) {
            assert!(graph.nodes <= 10);
        }
    }
}

#[test]
fn other_formats_and_compiled_engines_are_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |name: &str, content: &[u8], reason: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        let message = ModelFile::examine(&path).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    };
    refused("m.ort", &adds(&[bytes(9, &raw([1.0, 2.0]))]), "own format");
    let engine = bytes(1, &[bytes(4, b"EPContext"), bytes(7, b"com.microsoft")].concat());
    refused("m.onnx", &model(&[engine]), "compiled engine (com.microsoft.EPContext)");
}
