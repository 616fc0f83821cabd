//! Which waiting job a runner gets: the oldest that fits it.

use workflows::protocol::ClaimRequest;

use crate::store::records::Queued;

/// Whether the runner may take the job now.
pub fn fits(job: &Queued, claim: &ClaimRequest) -> bool {
    let has = |label: &String| claim.runner.labels.iter().any(|own| own.eq_ignore_ascii_case(label));
    claim.free_slots > 0 && job.runs_on.iter().all(has) && gpus(job, claim).len() == job.gpus as usize
}

/// The GPUs that the job gets: the first free ones that are what it asks for.
pub fn gpus(job: &Queued, claim: &ClaimRequest) -> Vec<u32> {
    let suits = |index: &u32| {
        let facts = claim.runner.gpus.iter().find(|gpu| gpu.index == *index);
        let memory = job.gpu_memory_bytes.is_none_or(|least| facts.is_some_and(|gpu| gpu.memory_bytes >= least));
        let name = job
            .gpu_name
            .as_ref()
            .is_none_or(|part| facts.is_some_and(|gpu| gpu.name.to_lowercase().contains(&part.to_lowercase())));
        memory && name
    };
    claim.free_gpus.iter().copied().filter(suits).take(job.gpus as usize).collect()
}

#[cfg(test)]
mod tests {
    use workflows::protocol::{GpuFacts, Isolation, RunnerFacts, VERSION};

    use super::*;
    use crate::store::records::JobRef;

    fn claim(labels: &[&str], free_slots: u32, free_gpus: &[u32]) -> ClaimRequest {
        let runner = RunnerFacts {
            name: "r".into(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            slots: 2,
            gpus: vec![],
            cpu: String::new(),
            memory_bytes: 0,
            isolation: Isolation::None,
            version: String::new(),
            onnxruntime: None,
        };
        ClaimRequest { version: VERSION, runner, free_slots, free_gpus: free_gpus.to_vec(), wait_s: 0 }
    }

    fn job(runs_on: &[&str], gpus: u32) -> Queued {
        let job = JobRef { repo: "a/b".parse().unwrap(), run: 1, attempt: 1, key: "j".parse().unwrap() };
        Queued {
            job,
            runs_on: runs_on.iter().map(|label| (*label).to_owned()).collect(),
            gpus,
            gpu_memory_bytes: None,
            gpu_name: None,
        }
    }

    #[test]
    fn a_job_goes_where_all_its_labels_a_slot_and_its_gpus_are() {
        let runner = claim(&["self-hosted", "linux", "gpu"], 1, &[3, 5]);
        assert!(fits(&job(&["Linux", "gpu"], 2), &runner));
        assert_eq!(gpus(&job(&[], 1), &runner), [3]);
        assert!(!fits(&job(&["linux", "arm64"], 0), &runner));
        assert!(!fits(&job(&[], 3), &runner));
        assert!(!fits(&job(&[], 0), &claim(&["linux"], 0, &[])));
    }

    #[test]
    fn a_job_gets_the_gpus_that_it_asks_for() {
        let gpu = |index, name: &str, gigabytes: u64| GpuFacts {
            index,
            name: name.into(),
            uuid: String::new(),
            memory_bytes: gigabytes << 30,
            driver: String::new(),
        };
        let mut runner = claim(&["gpu"], 1, &[0, 1, 2]);
        runner.runner.gpus = vec![gpu(0, "NVIDIA T4", 16), gpu(1, "NVIDIA H100 80GB", 80), gpu(2, "NVIDIA A100", 40)];
        let wanting = |gpus, memory: Option<u64>, name: Option<&str>| Queued {
            gpu_memory_bytes: memory.map(|gigabytes| gigabytes << 30),
            gpu_name: name.map(str::to_owned),
            ..job(&[], gpus)
        };
        assert_eq!(gpus(&wanting(1, Some(20), None), &runner), [1]);
        assert_eq!(gpus(&wanting(2, Some(20), None), &runner), [1, 2]);
        assert_eq!(gpus(&wanting(1, None, Some("a100")), &runner), [2]);
        assert!(!fits(&wanting(2, Some(60), None), &runner) && !fits(&wanting(1, Some(60), Some("A100")), &runner));
    }
}
