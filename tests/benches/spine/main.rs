//! The spine's figures: `cargo bench -p tests [-- start webhooks jobs history]`. Prints a table;
//! decides nothing.
//!
//! The server is the release binary in a process of its own. The load comes from this process, on the
//! same cores, so figures are what is left for both. Each is what the issue asks for, with the bar
//! beside it.

mod history;
mod jobs;
mod load;
mod start;
mod webhooks;

use serde_json::Value;
use tests::wait::until_async;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wants = |section: &str| wanted.is_empty() || wanted.iter().any(|own| own == section);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{:<58} {:>16}   bar", "figure", "measured");
    if wants("start") {
        start::measure();
    }
    runtime.block_on(async {
        if wants("webhooks") {
            webhooks::measure().await;
        }
        if wants("jobs") {
            jobs::first_command().await;
            jobs::many().await;
        }
        if wants("history") {
            history::measure().await;
        }
    });
}

fn row(what: &str, measured: String, bar: &str) {
    println!("{what:<58} {measured:>16}   {bar}");
}

fn quantile(samples: &mut [f64], q: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let index = ((samples.len() as f64 * q).ceil() as usize).clamp(1, samples.len());
    samples[index - 1]
}

fn rss_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kb.unwrap_or(f64::NAN) / 1024.0
}

async fn api(client: &reqwest::Client, url: &str) -> Value {
    let text = client.get(url).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

async fn ready(url: &str) {
    let client = reqwest::Client::new();
    until_async("the server to be ready", async || match client.get(format!("{url}/readyz")).send().await {
        Ok(reply) if reply.status().is_success() => Ok(()),
        Ok(reply) => Err(reply.status().to_string()),
        Err(error) => Err(error.to_string()),
    })
    .await;
}
