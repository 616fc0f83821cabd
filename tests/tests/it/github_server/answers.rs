//! What deliveries are answered: bad ones are refused, known ones accepted once, and nothing is a 5xx.

use tests::delivery::Delivery;

use super::world::{REPO, WORKFLOW, World, accepted};
use crate::github_examples::recorded;

fn delivery(guid: &str, event: &str, body: &[u8]) -> Delivery {
    Delivery { guid: guid.to_owned(), event: event.to_owned(), body: body.to_vec() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_deliveries_are_refused_and_the_same_one_twice_is_one_run() {
    let world = World::new();
    let stack = world.server();
    let client = reqwest::Client::new();
    let secret = world.github.config().webhook_secret;
    let send = async |delivery: Delivery| delivery.send(&client, &stack.url, "github", &secret).await.unwrap();

    assert_eq!(send(delivery("g1", "push", &vec![b' '; 25 * 1024 * 1024 + 1])).await, 413);
    assert_eq!(send(delivery("g1", "push", b"{\"no json")).await, 400);
    assert_eq!(send(delivery("g1", "push", b"[]")).await, 400);
    let forged = delivery("g1", "push", b"{}").send(&client, &stack.url, "github", "another secret").await.unwrap();
    assert_eq!(forged, 401);
    let unsigned = client.post(format!("{}/webhooks/github", stack.url)).header("x-github-event", "push");
    let unsigned = unsigned.header("x-github-delivery", "g1").body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert_eq!(send(delivery("g1", "sponsorship_of_the_moon", b"{}")).await, 202);
    // Known by name, and without sense: kept, and ended with a reason.
    assert_eq!(send(delivery("g2", "push", b"{\"ref\": 7}")).await, 202);

    let main = world.first(WORKFLOW);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    assert_eq!(world.github.redeliver_last().await, 200);
    world.checks(&main, "the gate to be shown", |runs| runs.len() == 2).await;
    assert_eq!(world.runs(&stack).await.len(), 1);
    stack.stop().await;
}

/// The repositories of these recordings are not in this GitHub: what matters is that each is answered, and
/// that the server goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_delivery_is_answered_and_the_server_goes_on() {
    let world = World::new();
    let stack = world.server_and_runner();
    let client = reqwest::Client::new();
    let secret = world.github.config().webhook_secret;
    let recorded = recorded();
    assert_eq!(recorded.len(), 329);
    for (n, (event, body)) in recorded.iter().enumerate() {
        let sent = delivery(&format!("recorded-{n}"), event, body);
        let status = sent.send(&client, &stack.url, "github", &secret).await.unwrap();
        assert!((200..300).contains(&status), "{event} number {n} was answered {status}");
    }
    let main = world.first(WORKFLOW);
    accepted(world.github.push(REPO, "main", None, &main)).await;
    world.concluded(&main).await;
    assert_eq!(world.runs(&stack).await.len(), 1);
    stack.stop().await;
}
