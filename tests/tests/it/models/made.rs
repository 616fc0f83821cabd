//! Models that no package exports, written as protobuf.

/// `elem_type` of ONNX.
const FLOAT: usize = 1;
const INT32: usize = 6;

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A field with a message or a text.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2], &varint(content.len())[..], content].concat()
}

fn number(field: u8, value: usize) -> Vec<u8> {
    [vec![field << 3], varint(value)].concat()
}

/// An input or an output of a graph.
fn port(field: u8, name: &[u8], element: usize, dimensions: &[u8]) -> Vec<u8> {
    let tensor = [number(1, element), bytes(2, dimensions)].concat();
    bytes(field, &[bytes(1, name), bytes(2, &bytes(1, &tensor))].concat())
}

/// A model around the fields of its graph.
fn model(graph: &[Vec<u8>]) -> Vec<u8> {
    [number(1, 10), bytes(7, &graph.concat()), bytes(8, &number(2, 21))].concat()
}

/// `x: float32 [1] → y = Expand(x, [2^20, 2^20])`, four tebibytes.
pub(super) fn greedy() -> Vec<u8> {
    let port = |field: u8, name: &[u8], dimensions: &[u8]| port(field, name, FLOAT, dimensions);
    let sizes: Vec<u8> = [1i64 << 20, 1 << 20].iter().flat_map(|size| size.to_le_bytes()).collect();
    let shape = [number(1, 2), number(2, 7), bytes(8, b"s"), bytes(9, &sizes)].concat();
    let node = [bytes(1, b"x"), bytes(1, b"s"), bytes(2, b"y"), bytes(4, b"Expand")].concat();
    let open = [bytes(1, &bytes(2, b"a")), bytes(1, &bytes(2, b"b"))].concat();
    let graph = [
        bytes(1, &node),
        bytes(2, b"g"),
        bytes(5, &shape),
        port(11, b"x", &bytes(1, &number(1, 1))),
        port(12, b"y", &open),
    ];
    model(&graph)
}

/// How many matrices [`matrices`] multiplies, and the rows and columns of each.
pub(super) const MATRICES: usize = 4;
pub(super) const WIDTH: usize = 1024;

/// `y = x·a·b·c·d` of square matrices.
pub(super) fn matrices() -> Vec<u8> {
    let port = |field: u8, name: &[u8]| {
        let size = |dimension: &[u8]| bytes(1, dimension);
        port(field, name, FLOAT, &[size(&bytes(2, b"N")), size(&number(1, WIDTH))].concat())
    };
    let names: Vec<u8> = (b'a'..).take(MATRICES).collect();
    let data = 0.5f32.to_le_bytes().repeat(WIDTH * WIDTH);
    let weight = |name: &u8| {
        let shape = [number(1, WIDTH), number(1, WIDTH)].concat();
        bytes(5, &[shape, number(2, 1), bytes(8, &[*name]), bytes(9, &data)].concat())
    };
    let inner: Vec<Vec<u8>> = (1..MATRICES).map(|index| format!("x{index}").into_bytes()).collect();
    let chain: Vec<&[u8]> =
        std::iter::once(&b"x"[..]).chain(inner.iter().map(Vec::as_slice)).chain([&b"y"[..]]).collect();
    let node = |(from_to, name): (&[&[u8]], &u8)| {
        bytes(1, &[bytes(1, from_to[0]), bytes(1, &[*name]), bytes(2, from_to[1]), bytes(4, b"MatMul")].concat())
    };
    let nodes = chain.windows(2).zip(&names).map(node);
    let fields = nodes.chain([bytes(2, b"g")]).chain(names.iter().map(weight)).chain([port(11, b"x"), port(12, b"y")]);
    model(&fields.collect::<Vec<_>>())
}

/// −2³¹ / −1, which ONNX Runtime works out when it opens the model, and which no processor can: SIGFPE.
pub(super) fn crashing() -> Vec<u8> {
    let port = |field: u8, name: &[u8]| port(field, name, INT32, &bytes(1, &number(1, 1)));
    let constant = |name: &[u8], value: i32| {
        bytes(5, &[number(1, 1), number(2, 6), bytes(8, name), bytes(9, &value.to_le_bytes())].concat())
    };
    let node = |inputs: [&[u8]; 2], output: &[u8], operator: &[u8]| {
        let inputs = inputs.map(|input| bytes(1, input)).concat();
        bytes(1, &[inputs, bytes(2, output), bytes(4, operator)].concat())
    };
    let graph = [
        node([b"a", b"b"], b"q", b"Div"),
        node([b"x", b"q"], b"y", b"Add"),
        bytes(2, b"g"),
        constant(b"a", i32::MIN),
        constant(b"b", -1),
        port(11, b"x"),
        port(12, b"y"),
    ];
    model(&graph)
}
