//! Connects to a name with several addresses, some of which may be unreachable.
//!
//! * It tries all of them, IPv6 and IPv4 alternately, beginning with the family that the system puts first.
//! * It tries the next one when the last has failed or has not answered for a quarter of a second. It keeps the first
//!   connection and drops the others.
//!
//! Source: RFC 8305, sections 4 and 5.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;

/// The recommended "Connection Attempt Delay".
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Connects to a host. Cancel-safe.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    connect_to_first(in_turns(lookup_host((host, port)).await?)).await
}

/// The same addresses, the first to answer first.
pub(crate) async fn first_answering_first(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut sorted = in_turns(addresses.into_iter());
    if sorted.len() > 1
        && let Ok(answering) = connect_to_first(sorted.clone()).await.and_then(|stream| stream.peer_addr())
    {
        sorted.retain(|address| *address != answering);
        sorted.push_front(answering);
    }
    sorted.into()
}

async fn connect_to_first(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        attempts.extend(addresses.pop_front().map(TcpStream::connect));
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last_error = error,
                None => return Err(last_error),
            },
            () = sleep(NEXT_AFTER), if !addresses.is_empty() => {}
        }
    }
}

/// The addresses of two families alternately, each family in its order.
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses: VecDeque<_> = addresses.collect();
    let mut sorted = VecDeque::with_capacity(addresses.len());
    while let Some(first) = addresses.pop_front() {
        sorted.push_back(first);
        let other_family = addresses.iter().position(|address| address.is_ipv4() != first.is_ipv4());
        sorted.extend(other_family.and_then(|index| addresses.remove(index)));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use local_azure::black_hole::BlackHole;
    use tokio::net::TcpListener;
    use tokio::time::{Instant, timeout};

    use super::*;

    const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// A service, and how long it takes to connect to it when these addresses of its port come first, which swallow packets.
    async fn time_behind(black_holes: &[IpAddr]) -> Duration {
        let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = service.local_addr().unwrap();
        let mut holes = Vec::new();
        for hole in black_holes {
            holes.push(BlackHole::open((*hole, address.port()).into()).await.unwrap());
        }
        let addresses = holes.iter().map(BlackHole::address).chain([address]);
        let start = Instant::now();
        let stream = timeout(Duration::from_secs(5), connect_to_first(addresses.collect())).await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        start.elapsed()
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_costs_a_quarter_of_a_second() {
        assert!(time_behind(&[]).await < NEXT_AFTER);
        for hole in [NOWHERE, Ipv6Addr::LOCALHOST.into()] {
            let time = time_behind(&[hole]).await;
            assert!(time >= NEXT_AFTER && time < 4 * NEXT_AFTER, "{hole}: {time:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_nothing() {
        let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = service.local_addr().unwrap();
        let start = Instant::now();
        let addresses = [(NOWHERE, address.port()).into(), address].into();
        assert_eq!(connect_to_first(addresses).await.unwrap().peer_addr().unwrap(), address);
        assert!(start.elapsed() < NEXT_AFTER);
    }

    #[tokio::test]
    async fn an_address_that_is_slow_is_taken_if_no_other_answers() {
        let hole = BlackHole::open((NOWHERE, 0).into()).await.unwrap();
        let refused = (Ipv4Addr::LOCALHOST, hole.address().port()).into();
        let connecting = connect_to_first([hole.address(), refused].into());
        assert!(timeout(3 * NEXT_AFTER, connecting).await.is_err(), "it is still waited for");
        let refused = connect_to_first([refused].into()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn families_take_turns_from_the_one_that_comes_first() {
        let four = |last| SocketAddr::from(([10, 0, 0, last], 1));
        let six = |last| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, last], 1));
        let sorted = in_turns([six(1), six(2), six(3), four(1), four(2)].into_iter());
        assert_eq!(sorted, [six(1), four(1), six(2), four(2), six(3)]);
        assert_eq!(in_turns([four(1), four(2), six(1)].into_iter()), [four(1), six(1), four(2)]);
    }
}
