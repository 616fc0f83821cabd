//! Limits of the process that works on a model: a hostile one must not take the machine with it.
//!
//! Memory is limited here, by the kernel. Time is limited by whoever started the process (a step's
//! `timeout-minutes`), and threads by the session's options: a model cannot ask for more.

use std::{fs, io};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::EvalError;

/// How much memory this process may have for itself: heap, stacks and anonymous maps, which is what a
/// model makes it allocate. Files that are mapped (the model, ONNX Runtime) do not count.
///
/// None: seven eighths of what the machine, or the process's group, has. A crash leaves no core file. What ONNX
/// Runtime frees goes back to the kernel.
pub fn confine(memory_bytes: Option<u64>) -> io::Result<()> {
    give_back_large_blocks();
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let bytes = match memory_bytes {
        Some(bytes) => bytes,
        None => match available() {
            0 => return Ok(()),
            available => available / 8 * 7,
        },
    };
    setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    Ok(())
}

/// Blocks of this size and more lie in pages of their own: weights do, most activations do not.
const LARGE_BYTES: libc::c_int = 1 << 20;

/// Left alone, glibc keeps blocks of up to 32 MB in its heap once it has seen one freed. Opening a model frees its file's
/// text and the weights that were packed anew, and the holes that they leave held a third of the process's memory.
#[expect(unsafe_code, reason = "the C library's allocator, which is ONNX Runtime's, has no safe interface")]
fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes two numbers, and may be called at any time. It cannot fail for sizes below 32 MB.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES)
    };
}

/// The machine's memory, or its share that this process's group may use, where the kernel says so.
fn available() -> u64 {
    let machine = crate::facts::memory_bytes();
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    group.and_then(|text| text.trim().parse::<u64>().ok()).map_or(machine, |group| group.min(machine))
}

/// More threads than any processor has use for: a mistake, or a wish to harm.
pub(super) fn check_threads(threads: u32) -> Result<(), EvalError> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let most = (8 * cores).max(64);
    if (1..=most).contains(&threads) {
        return Ok(());
    }
    Err(EvalError::Usage(format!("threads must be from 1 to {most} on this machine of {cores}, not {threads}")))
}

/// `512M`, `8GiB` or a number of bytes. Letters are powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().trim_end_matches("iB").trim_end_matches('B');
    let shift = match unit {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        "T" => Some(40),
        _ => None,
    };
    let bytes = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| format!("`{text}` is no size; write for example 512M or 8G"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("1024", 1024), ("512M", 512 << 20), ("8G", 8 << 30), ("8GiB", 8 << 30), ("2 KB", 2048)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1", "0", "1.5G", "99999999999T", "8Q"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sensible_number_of_threads_is_taken() {
        assert!(check_threads(1).is_ok() && check_threads(64).is_ok());
        assert!(check_threads(0).is_err());
        assert!(check_threads(1_000_000).unwrap_err().to_string().contains("not 1000000"));
    }
}
