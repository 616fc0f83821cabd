use super::*;

/// A `.npy` file of one axis and its numbers.
fn array(path: &Path, descr: &str, numbers: &[[u8; 4]]) -> Column {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({},), }}\n", numbers.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(numbers.concat());
    std::fs::write(path, bytes).unwrap();
    npy_columns(path).unwrap().remove(0)
}

#[test]
fn memory_that_serves_again_holds_what_was_read_last() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    // More than a block, and no multiple of one.
    let numbers: Vec<f32> = (0..50_001).map(|number| number as f32).collect();
    for (descr, bytes) in [("<f4", f32::to_le_bytes as fn(f32) -> [u8; 4]), (">f4", f32::to_be_bytes)] {
        let stored: Vec<[u8; 4]> = numbers.iter().map(|number| bytes(*number)).collect();
        let column = array(&path, descr, &stored);
        let mut reader = NpyReader::open(&path, &[&column]).unwrap();
        let (mut read, mut rows) = (Vec::new(), 1000);
        while let Some(mut values) = reader.read(rows).unwrap() {
            let values = values.remove(0);
            read.extend(values.clone().numbers::<f32>().unwrap());
            reader.recycle(values);
            // Longer ones, then shorter ones.
            rows = if rows < 30_000 { rows * 3 } else { 999 };
        }
        assert_eq!(read, numbers, "{descr}");
    }
}

#[test]
fn only_memory_that_some_array_can_take_is_kept_and_little_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    let column = array(&path, "<f4", &[[0; 4]; 8]);
    let mut reader = NpyReader::open(&path, &[&column]).unwrap();
    for _ in 0..5 {
        reader.recycle(Values::I64(vec![1]));
        reader.recycle(Values::F32(vec![1.0]));
    }
    assert_eq!(reader.memory.spare, [Values::F32(vec![1.0]), Values::F32(vec![1.0])]);
}
