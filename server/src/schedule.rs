//! Which waiting job a runner gets: the oldest that fits it.

use workflows::protocol::ClaimRequest;

use crate::store::records::Queued;

/// Whether the runner may take the job now.
pub fn fits(job: &Queued, claim: &ClaimRequest) -> bool {
    let has = |label: &String| claim.runner.labels.iter().any(|own| own.eq_ignore_ascii_case(label));
    claim.free_slots > 0 && job.gpus as usize <= claim.free_gpus.len() && job.runs_on.iter().all(has)
}

/// The GPUs that the job gets: the first free ones.
pub fn gpus(job: &Queued, claim: &ClaimRequest) -> Vec<u32> {
    claim.free_gpus.iter().copied().take(job.gpus as usize).collect()
}

#[cfg(test)]
mod tests {
    use workflows::protocol::{Isolation, RunnerFacts, VERSION};

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
        Queued { job, runs_on: runs_on.iter().map(|label| (*label).to_owned()).collect(), gpus }
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
}
