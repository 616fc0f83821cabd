//! Which GPUs can be leased: each to one job at a time, and only while nobody else computes on it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use workflows::protocol::GpuFacts;

use crate::gpu::Nvml;

/// The machine's GPUs.
pub(super) struct GpuPool {
    monitor: Option<Arc<Nvml>>,
    facts: Vec<GpuFacts>,
    leased: Mutex<BTreeSet<u32>>,
}

impl GpuPool {
    pub(super) fn find() -> Self {
        let monitor = match Nvml::load() {
            Ok(nvml) => Some(Arc::new(nvml)),
            Err(e) => {
                tracing::debug!("no GPU: {e}");
                None
            }
        };
        let facts = monitor.as_ref().map(|nvml| nvml.facts()).unwrap_or_default();
        Self { monitor, facts, leased: Mutex::default() }
    }

    pub(super) fn facts(&self) -> &[GpuFacts] {
        &self.facts
    }

    pub(super) fn monitor(&self) -> Option<Arc<Nvml>> {
        self.monitor.clone()
    }

    /// GPUs to offer, and whether these are all there are. One on which a process computes that no
    /// lease explains is held back until it is gone: numbers measured beside it would be worth nothing.
    pub(super) async fn free(&self) -> (Vec<u32>, bool) {
        if self.facts.is_empty() {
            return (Vec::new(), true);
        }
        let leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let idle: Vec<u32> = self.facts.iter().map(|gpu| gpu.index).filter(|index| !leased.contains(index)).collect();
        let mut free = Vec::new();
        for index in idle {
            match self.strangers(index).await {
                None => free.push(index),
                Some(strangers) => tracing::warn!(gpu = index, "quarantined: {strangers}"),
            }
        }
        let all = free.len() == self.facts.len();
        (free, all)
    }

    /// Takes the GPUs of a claim; refused, with the reason, where one is not clean.
    pub(super) async fn lease(&self, indices: &[u32]) -> Result<(), String> {
        for index in indices {
            if let Some(strangers) = self.strangers(*index).await {
                return Err(strangers);
            }
        }
        self.leased.lock().unwrap_or_else(PoisonError::into_inner).extend(indices);
        Ok(())
    }

    /// Gives them back; says what the job left running on them.
    pub(super) async fn release(&self, indices: &[u32]) {
        for index in indices {
            if let Some(strangers) = self.strangers(*index).await {
                tracing::warn!(gpu = index, "not clean after a job: {strangers}");
            }
        }
        self.leased.lock().unwrap_or_else(PoisonError::into_inner).retain(|index| !indices.contains(index));
    }

    /// Processes on a GPU, in words; none where it is clean or the driver does not say.
    async fn strangers(&self, index: u32) -> Option<String> {
        let monitor = self.monitor.clone()?;
        let processes = tokio::task::spawn_blocking(move || monitor.processes(index)).await.ok()??;
        (!processes.is_empty()).then(|| format!("GPU {index} is used by the processes {processes:?}"))
    }
}
