//! Topics whose messages are divided among brokers.

use std::collections::BTreeSet;

use local_azure::service_bus::{Partitioning, PeekOrder, ServiceBus};

use test_support::peer::{MANAGEMENT, Node, Peer, TOPIC, namespace, publish, valid_signature};

const IDS: [u16; 3] = [2, 38, 7];

async fn partitioned(order: PeekOrder, messages: usize) -> (ServiceBus, Peer, Node) {
    let bus = namespace().await;
    bus.set_partitioning(TOPIC, Some(Partitioning { ids: IDS.to_vec(), order })).unwrap();
    publish(&bus, messages);
    let mut peer = Peer::connect(&bus).await;
    let node = peer.node(MANAGEMENT).await.unwrap();
    (bus, peer, node)
}

fn number(id: i64, number: i64) -> i64 {
    (id << 48) | number
}

fn ids(numbers: &[i64]) -> BTreeSet<i64> {
    numbers.iter().map(|number| number >> 48).collect()
}

#[tokio::test]
async fn sequence_numbers_begin_with_the_partition_and_each_is_found_by_its_own() {
    for order in [PeekOrder::FirstBroker, PeekOrder::OnePartitionAPage, PeekOrder::Interleaved, PeekOrder::Unsorted] {
        let (bus, _peer, mut node) = partitioned(order, 9).await;
        let all: Vec<_> = bus.peek_all(TOPIC, "all").unwrap().iter().map(|message| message.sequence_number).collect();
        let expected: Vec<_> = [2, 7, 38].into_iter().flat_map(|id| (1..=3).map(move |n| number(id, n))).collect();
        assert_eq!(all, expected);
        for exact in all {
            assert_eq!(node.peek(exact, 1).await.numbers(), [exact], "{order:?}");
        }
        assert_eq!(node.peek(number(38, 4), 10).await.status, 204);
    }
}

#[tokio::test]
async fn the_first_broker_that_answers_is_another_each_time() {
    let (_bus, _peer, mut node) = partitioned(PeekOrder::FirstBroker, 9).await;
    let mut answered = Vec::new();
    for _ in 0..3 {
        let page = node.peek(1, 100).await.numbers();
        assert_eq!((ids(&page).len(), page.len()), (1, 3), "a page is of one broker: {page:?}");
        answered.extend(ids(&page));
    }
    assert_eq!(answered.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([2, 7, 38]), "{answered:?}");
    let next = node.peek(number(7, 2), 100).await.numbers();
    assert_eq!(next, [number(7, 2), number(7, 3)], "a broker goes on with its own");
}

#[tokio::test]
async fn one_partition_a_page_comes_in_order() {
    let (_bus, _peer, mut node) = partitioned(PeekOrder::OnePartitionAPage, 9).await;
    let (mut from, mut pages) = (1, Vec::new());
    loop {
        let page = node.peek(from, 100).await.numbers();
        let Some(last) = page.last() else { break };
        from = last + 1;
        pages.push(page);
    }
    let expected = [2, 7, 38].map(|id| (1..=3).map(|n| number(id, n)).collect::<Vec<_>>());
    assert_eq!(pages, expected);
}

#[tokio::test]
async fn interleaved_pages_lose_what_a_client_takes_for_seen() {
    let (_bus, _peer, mut node) = partitioned(PeekOrder::Interleaved, 30).await;
    let first = node.peek(1, 6).await.numbers();
    let expected = [(2, 1), (7, 1), (38, 1), (2, 2), (7, 2), (38, 2)].map(|(id, n)| number(id, n));
    assert_eq!(first, expected);
    let greatest = first.iter().max().unwrap();
    assert_eq!(ids(&node.peek(greatest + 1, 100).await.numbers()), BTreeSet::from([38]));
    let of_one = node.peek(number(2, 3), 100).await.numbers();
    assert!((3..=10).all(|n| of_one.contains(&number(2, n))), "{of_one:?}");
}

#[tokio::test]
async fn unsorted_pages_have_everything_in_no_order_at_all() {
    let (_bus, _peer, mut node) = partitioned(PeekOrder::Unsorted, 30).await;
    let page = node.peek(1, 100).await.numbers();
    let sorted: BTreeSet<_> = page.iter().copied().collect();
    assert_eq!(sorted.len(), 30);
    assert_ne!(page, sorted.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn administration_makes_and_shows_partitioned_topics() {
    let bus = namespace().await;
    let token = valid_signature(&format!("sb://127.0.0.1:{}/", bus.port()));
    let body = "<entry><content><TopicDescription><EnablePartitioning>true</EnablePartitioning></TopicDescription>\
                </content></entry>";
    let (made, text) = crate::administration::ask(&bus, reqwest::Method::PUT, "/parts", Some(&token), body).await;
    assert_eq!(made.as_u16(), 201);
    for shown in ["<EnablePartitioning>true</EnablePartitioning>", "<SupportOrdering>false</SupportOrdering>"] {
        assert!(text.contains(shown), "{text}");
    }
    assert_eq!(bus.topic("parts").unwrap().partitioning, Some(Partitioning::default()));
}
