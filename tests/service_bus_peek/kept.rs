//! The connection that one pass leaves for the next.

use std::net::SocketAddr;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::network::{Network, Trouble};
use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// How long the tests wait for what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A namespace with a message in each of three subscriptions, and a client that has made a pass.
async fn after_a_pass() -> (local::ServiceBus, ServiceBus) {
    after_a_pass_in(local::ServiceBusConfig::new()).await
}

async fn after_a_pass_in(config: local::ServiceBusConfig) -> (local::ServiceBus, ServiceBus) {
    let namespace = start(config, &NAMES).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let client = client_with_patience(&namespace, Duration::from_secs(4));
    pass(&client).await;
    namespace.clear_call_log();
    (namespace, client)
}

/// Peeks all subscriptions, as a pass does; none may fail or come to nothing.
async fn pass(client: &ServiceBus) {
    let pages = pages(client).await;
    assert!(pages.iter().all(|page| page.as_ref().is_ok_and(|page| page.len() == 1)), "{pages:?}");
}

async fn pages(client: &ServiceBus) -> Vec<Result<Vec<PeekedMessage>, PeekError>> {
    let peeker = client.connect().await.unwrap();
    let pages = join_all(NAMES.map(|name| peek(&peeker, name, 1, 10))).await;
    peeker.close().await;
    pages
}

/// Connections, tokens and links since the last time.
fn made(namespace: &local::ServiceBus) -> [usize; 3] {
    let calls = namespace.call_log();
    namespace.clear_call_log();
    let count = |of: fn(&Call) -> bool| calls.iter().filter(|call| of(call)).count();
    [
        count(|call| matches!(call, Call::Connect)),
        count(|call| matches!(call, Call::PutToken { .. })),
        count(|call| matches!(call, Call::Attach { address, .. } if address != "$cbs")),
    ]
}

/// What a pass makes that has a connection already, and one that has none.
const NOTHING_BUT_A_TOKEN: [usize; 3] = [0, 1, 0];
const EVERYTHING: [usize; 3] = [1, 1, 6];

#[tokio::test]
async fn the_next_pass_goes_on_with_the_links_of_the_last() {
    let (namespace, client) = after_a_pass().await;
    for _ in 0..3 {
        pass(&client).await;
        assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN);
    }
    namespace.create_subscription(TOPIC, SubscriptionConfig::new("new")).unwrap();
    let peeker = client.connect().await.unwrap();
    join_all(NAMES.iter().chain(["new"].iter()).map(|name| async { peek(&peeker, name, 1, 10).await.unwrap() })).await;
    peeker.close().await;
    assert_eq!(made(&namespace), [0, 1, 2]);
    assert_eq!(client.connect().await.unwrap().familiar().len(), 4);
}

#[tokio::test]
async fn a_connection_stays_alive_between_passes() {
    let config = local::ServiceBusConfig { idle_time_out: Duration::from_secs(1), ..local::ServiceBusConfig::new() };
    let (namespace, client) = after_a_pass_in(config).await;
    // The service keeps a silent client for two seconds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    pass(&client).await;
    assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN);
}

#[tokio::test]
async fn where_each_subscription_has_a_token_only_the_topics_is_put_again() {
    let config = local::ServiceBusConfig { topic_tokens_cover_subscriptions: false, ..local::ServiceBusConfig::new() };
    let (namespace, client) = after_a_pass_in(config).await;
    pass(&client).await;
    assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN);
}

#[tokio::test]
async fn what_became_of_the_connection_since_costs_no_peek() {
    let (namespace, client) = after_a_pass().await;
    namespace.drop_connections();
    pass(&client).await;
    assert_eq!(made(&namespace)[0], 1);
    // A network that has forgotten the connection: no answer, and no word that there will be none.
    namespace.inject(Fault::new(Operation::PutToken, Effect::Hang).times(1));
    pass(&client).await;
    assert_eq!(made(&namespace), [1, 2, 6]);
    namespace.inject(Fault::new(Operation::PutToken, Effect::DropConnection).times(1));
    pass(&client).await;
    assert_eq!(made(&namespace), [1, 2, 6]);
    pass(&client).await;
    assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN);
}

#[tokio::test]
async fn two_connects_that_fail_in_a_row_cost_no_peek() {
    let (namespace, client) = after_a_pass().await;
    for kept in [true, false] {
        if !kept {
            client.close().await;
        }
        // That of the kept connection is another one.
        let drops = 2 + u32::from(kept);
        namespace.inject(Fault::new(Operation::PutToken, Effect::DropConnection).times(drops));
        pass(&client).await;
        made(&namespace);
        pass(&client).await;
        assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN, "{kept}");
    }
}

/// A namespace with a message, and a client that reaches it through a network in which things go wrong.
async fn over_a_network() -> (local::ServiceBus, Network, ServiceBus) {
    let namespace = start(local::ServiceBusConfig::new(), &NAMES).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let network = Network::to(namespace.port()).await;
    let settings = ServiceBusSettings { port: network.port, ..settings(&namespace, key()) };
    let client = ServiceBus::new(&settings, Arc::new(Identity(None)), Clock::system(), PEEK_TIMEOUT);
    (namespace, network, client)
}

#[tokio::test]
async fn a_network_that_resets_or_forgets_a_connection_costs_no_peek() {
    for trouble in [Trouble::Reset, Trouble::Forgotten] {
        let (namespace, network, client) = over_a_network().await;
        pass(&client).await;
        network.trouble.send_replace(Some(trouble));
        pass(&client).await;
        made(&namespace);
        pass(&client).await;
        assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN);
    }
}

#[tokio::test]
async fn closing_says_good_bye() {
    /// A frame with nothing but a close in it, which has no error.
    const CLOSE: [u8; 12] = [0, 0, 0, 12, 2, 0, 0, 0, 0, 0x53, 0x18, 0x45];
    let (_namespace, network, client) = over_a_network().await;
    pass(&client).await;
    assert!(!network.sent.lock().unwrap().ends_with(&CLOSE));
    client.close().await;
    let sent = network.sent.lock().unwrap();
    assert!(sent.ends_with(&CLOSE), "{:x?}", &sent[sent.len() - 32..]);
}

#[tokio::test]
async fn whatever_is_wrong_with_old_links_costs_no_peek() {
    let detach = |condition: &str| Effect::DetachLink { condition: condition.to_owned(), description: String::new() };
    let effects = [
        Effect::DropConnection,
        Effect::Hang,
        Effect::BrokenFrame,
        Effect::UndecodableReply,
        Effect::WrongCorrelationId,
        Effect::refuse(401, "amqp:unauthorized-access"),
        Effect::refuse(404, "amqp:not-found"),
        Effect::refuse(500, "amqp:internal-error"),
        detach("amqp:link:detach-forced"),
        detach("amqp:unauthorized-access"),
    ];
    let (namespace, client) = after_a_pass().await;
    for effect in effects {
        namespace.inject(fault_at("b", Operation::Peek, effect.clone()).times(1));
        pass(&client).await;
        assert_eq!(made(&namespace)[0], 1, "{effect:?}");
        pass(&client).await;
        let [connections, _, attached] = made(&namespace);
        assert_eq!(connections, 0, "{effect:?}");
        // Those that were answered on the old connection come to the new one now.
        assert!(attached <= 4, "{effect:?}");
    }
}

#[tokio::test]
async fn a_service_that_was_restarted_is_connected_to_anew() {
    let (old, client) = after_a_pass().await;
    let addr = SocketAddr::from(([127, 0, 0, 1], old.port()));
    old.shutdown();
    let deadline = Instant::now() + PATIENCE;
    let new = loop {
        match local::ServiceBus::start(local::ServiceBusConfig { addr, ..local::ServiceBusConfig::new() }).await {
            Ok(new) => break new,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    new.create_topic(TOPIC).unwrap();
    for name in NAMES {
        new.create_subscription(TOPIC, SubscriptionConfig::new(name)).unwrap();
    }
    new.publish(TOPIC, message(1)).unwrap();
    pass(&client).await;
    assert_eq!(made(&new), EVERYTHING);
}

#[tokio::test]
async fn a_subscription_that_is_made_anew_is_peeked() {
    let (namespace, client) = after_a_pass().await;
    namespace.delete_subscription(TOPIC, "b").unwrap();
    let gone = pages(&client).await;
    assert!(matches!(gone[1], Err(PeekError::Misconfigured { .. })), "{gone:?}");
    assert!(gone[0].is_ok() && gone[2].is_ok(), "{gone:?}");
    namespace.create_subscription(TOPIC, SubscriptionConfig::new("b")).unwrap();
    assert_eq!(pages(&client).await, [gone[0].clone(), Ok(vec![]), gone[2].clone()]);
}

#[tokio::test]
async fn a_subscription_that_is_disabled_is_said_to_be_and_costs_no_other_its_peek() {
    let (namespace, client) = after_a_pass().await;
    namespace.set_status(TOPIC, "b", local::SubscriptionStatus::Disabled).unwrap();
    for _ in 0..2 {
        let pages = pages(&client).await;
        assert!(matches!(pages[1], Err(PeekError::Misconfigured { .. })), "{pages:?}");
        assert!(pages[0].is_ok() && pages[2].is_ok(), "{pages:?}");
    }
    namespace.set_status(TOPIC, "b", local::SubscriptionStatus::Active).unwrap();
    pass(&client).await;
}

#[tokio::test]
async fn a_busy_namespace_is_not_connected_to_once_more() {
    let (namespace, client) = after_a_pass().await;
    namespace.inject(Fault::new(Operation::Peek, Effect::server_busy()).times(1));
    let pages = pages(&client).await;
    assert!(pages.iter().any(|page| matches!(page, Err(PeekError::Busy { .. }))), "{pages:?}");
    assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN);
    pass(&client).await;
}

#[tokio::test]
async fn a_token_is_put_before_the_last_one_expires() {
    // Tokens are signed for an hour, by a clock that is nearly as late.
    let late = Clock::from_fn(|| Clock::system().now() - Duration::from_secs(3600 - 2));
    let namespace = start(local::ServiceBusConfig::new(), &NAMES).await;
    namespace.publish(TOPIC, message(1)).unwrap();
    let client = client(&namespace, key(), None, late);
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        pass(&client).await;
    }
    assert_eq!(made(&namespace)[0], 1);
    // One that has expired costs the links, and no peek.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    pass(&client).await;
    assert_eq!(made(&namespace), EVERYTHING);
}

#[tokio::test]
async fn passes_that_overlap_share_nothing_and_leave_one_connection() {
    let (namespace, client) = after_a_pass().await;
    let (one, other) = tokio::join!(client.connect(), client.connect());
    let (one, other) = (one.unwrap(), other.unwrap());
    let [connections, tokens, _] = made(&namespace);
    assert_eq!([connections, tokens], [1, 2]);
    for name in NAMES {
        let (first, second) = tokio::join!(peek(&one, name, 1, 10), peek(&other, name, 1, 10));
        assert_eq!(first.unwrap().len() + second.unwrap().len(), 2);
    }
    one.close().await;
    drop(other);
    namespace.clear_call_log();
    pass(&client).await;
    assert_eq!(made(&namespace), NOTHING_BUT_A_TOKEN);
}

#[tokio::test]
async fn passes_leave_nothing_behind_but_one_connection_and_closing_not_even_that() {
    let (namespace, client) = after_a_pass().await;
    let with_connection = alive_tasks();
    client.close().await;
    until(|| alive_tasks() < with_connection).await;
    let without = alive_tasks();
    for number in 0..200 {
        match number % 20 {
            5 => namespace.drop_connections(),
            10 => namespace.inject(fault_at("a", Operation::Peek, Effect::refuse(404, "amqp:not-found")).times(1)),
            15 => drop(client.connect().await.unwrap()),
            _ => {}
        }
        pass(&client).await;
    }
    pass(&client).await;
    until(|| alive_tasks() <= with_connection).await;
    client.close().await;
    until(|| alive_tasks() <= without).await;
    namespace.clear_call_log();
    pass(&client).await;
    assert_eq!(made(&namespace), EVERYTHING);
}

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn until(reached: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "{} tasks are alive", alive_tasks());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
