//! Processes and their parents, from `/proc`.

use std::{collections::HashMap, fs};

/// One process at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub parent: u32,
    /// The command's name, cut to 15 bytes by the kernel.
    pub name: String,
    /// User and system time, its reaped children's included, in clock ticks.
    pub cpu_ticks: u64,
    pub rss_pages: u64,
}

/// All processes that the runner can see.
pub fn snapshot() -> Vec<Process> {
    pids().filter_map(|pid| parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `pid (name) state ppid …`; the name may hold spaces and brackets. Fields by proc_pid_stat(5).
fn parse_stat(pid: u32, stat: &str) -> Option<Process> {
    let open = stat.find('(')?;
    let close = stat.rfind(')')?;
    let fields: Vec<&str> = stat[close + 1..].split_ascii_whitespace().collect();
    // fields[0] is the third of the manual's list.
    let number = |manual: usize| fields.get(manual - 3)?.parse::<u64>().ok();
    Some(Process {
        pid,
        parent: u32::try_from(number(4)?).ok()?,
        name: stat[open + 1..close].to_owned(),
        cpu_ticks: number(14)? + number(15)? + number(16)? + number(17)?,
        rss_pages: number(24)?,
    })
}

/// The process `root` and all below it.
pub fn descendants(root: u32, all: &[Process]) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<&Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found: Vec<Process> = all.iter().filter(|process| process.pid == root).cloned().collect();
    let mut next = 0;
    let mut queue = vec![root];
    while next < queue.len() {
        for child in children.get(&queue[next]).into_iter().flatten() {
            queue.push(child.pid);
            found.push((*child).clone());
        }
        next += 1;
    }
    found
}

/// Processes whose environment holds the tracking id, wherever they hang in the tree.
pub fn tracked(id: &str) -> Vec<u32> {
    let needle = format!("{}={id}", super::TRACKING_VARIABLE);
    pids()
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == needle.as_bytes()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_read() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 4194304 1 0 0 0 10 20 1 2 20 0 1 0 5 1000 42 18446744073709551615";
        let process = parse_stat(7, stat).unwrap();
        let expected = Process { pid: 7, parent: 3, name: "a) b (c".to_owned(), cpu_ticks: 33, rss_pages: 42 };
        assert_eq!(process, expected);
    }

    #[test]
    fn this_test_is_below_its_parent() {
        let all = snapshot();
        let me = std::process::id();
        let parent = all.iter().find(|process| process.pid == me).expect("this process is running").parent;
        assert!(descendants(parent, &all).iter().any(|process| process.pid == me));
        assert!(!descendants(me, &all).iter().any(|process| process.pid == parent));
    }
}
