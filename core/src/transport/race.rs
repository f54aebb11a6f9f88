//! Happy eyeballs (RFC 8305): several addresses raced, so that a dead one costs a quarter of a
//! second instead of a timeout.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Tries the addresses in order, the next one as soon as one has failed or the youngest attempt is
/// 250 ms old, and takes the first that succeeds. The other attempts are dropped.
///
/// # Errors
///
/// When all have failed: each address with what came back, in the order in which they failed.
pub(super) async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    start: impl Fn(SocketAddr) -> F,
) -> Result<T, Vec<(SocketAddr, io::Error)>>
where
    F: Future<Output = io::Result<T>>,
{
    let mut field = Field { running: Vec::new(), failures: Vec::new() };
    let mut waiting = addresses.into_iter();
    let mut stagger = pin!(sleep(STAGGER));
    poll_fn(|cx| {
        loop {
            let failed_before = field.failures.len();
            if let Poll::Ready(winner) = field.poll(cx) {
                return Poll::Ready(Ok(winner));
            }
            let has_failed = field.failures.len() > failed_before;
            if waiting.as_slice().is_empty() {
                if field.running.is_empty() {
                    return Poll::Ready(Err(std::mem::take(&mut field.failures)));
                }
                return Poll::Pending;
            }
            let must_wait = !field.running.is_empty() && !has_failed;
            if must_wait && is_pending(stagger.as_mut(), cx) {
                return Poll::Pending;
            }
            // Round again: the new attempt has to be polled once to begin, the new timer to be
            // noticed.
            field.running.extend(waiting.next().map(|one| (one, Box::pin(start(one)))));
            stagger.as_mut().reset(Instant::now() + STAGGER);
        }
    })
    .await
}

/// The addresses in the order of the race: the resolver's order, but the two families in turns,
/// beginning with the one that it put first (RFC 8305, 4). Repetitions are left out.
pub(super) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut distinct = Vec::new();
    for address in addresses {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    let first_is_v6 = distinct.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) =
        distinct.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        let pair = [preferred.next(), other.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// The attempts under way, and those that have failed.
struct Field<F> {
    running: Vec<(SocketAddr, Pin<Box<F>>)>,
    failures: Vec<(SocketAddr, io::Error)>,
}

impl<F, T> Field<F>
where
    F: Future<Output = io::Result<T>>,
{
    /// Polls all; ready with the first success.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let mut index = 0;
        while let Some((address, attempt)) = self.running.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(winner)) => return Poll::Ready(winner),
                Poll::Ready(Err(error)) => {
                    self.failures.push((*address, error));
                    drop(self.running.remove(index));
                }
                Poll::Pending => index += 1,
            }
        }
        Poll::Pending
    }
}

fn is_pending(timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
    timer.poll(cx).is_pending()
}

/// The "Connection Attempt Delay" that RFC 8305, 5 recommends.
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// What a fake address does, and when.
    #[derive(Clone, Copy)]
    enum Does {
        Connect(u64),
        Fail(u64),
        Nothing,
    }

    /// Runs a race on a virtual clock; returns who won or failed, and when each attempt began.
    async fn run(script: &[Does]) -> (Result<usize, Vec<usize>>, Vec<u128>) {
        let begin = Instant::now();
        let started = RefCell::new(Vec::new());
        let list = (0..script.len())
            .map(|n| SocketAddr::from(([192, 0, 2, n as u8], 1883)))
            .collect::<Vec<_>>();
        let number = |address: SocketAddr| list.iter().position(|one| *one == address).unwrap();
        let result = race(list.clone(), |address| {
            started.borrow_mut().push(begin.elapsed().as_millis());
            let index = number(address);
            let does = script[index];
            async move {
                match does {
                    Does::Connect(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Ok(index)
                    }
                    Does::Fail(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Err(io::ErrorKind::ConnectionRefused.into())
                    }
                    Does::Nothing => std::future::pending().await,
                }
            }
        })
        .await
        .map_err(|failures| failures.into_iter().map(|(address, _)| number(address)).collect());
        (result, started.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_alone_when_it_answers() {
        let (result, started) = run(&[Does::Connect(100), Does::Connect(0)]).await;
        assert_eq!((result, started), (Ok(0), vec![0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_quarter_of_a_second() {
        let (result, started) = run(&[Does::Nothing, Does::Nothing, Does::Connect(30)]).await;
        assert_eq!(result, Ok(2));
        assert!((500..510).contains(&started[2]) && (250..260).contains(&started[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once() {
        let (result, started) = run(&[Does::Fail(10), Does::Nothing, Does::Connect(0)]).await;
        assert_eq!(result, Ok(2));
        assert!(started[1] < 20, "{started:?}");
        assert!((250..290).contains(&started[2]), "{started:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_address_still_can_win() {
        let (result, _) = run(&[Does::Connect(300), Does::Connect(400)]).await;
        assert_eq!(result, Ok(0));
    }

    #[tokio::test(start_paused = true)]
    async fn all_failures_are_told() {
        let (result, _) = run(&[Does::Fail(400), Does::Fail(0), Does::Fail(0)]).await;
        assert_eq!(result, Err(vec![1, 2, 0]));
        assert_eq!(run(&[]).await.0, Err(vec![]));
    }

    #[test]
    fn the_families_take_turns() {
        let mixed =
            ["[::1]:1", "[::2]:1", "[::1]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1", "1.0.0.1:1"];
        assert_eq!(
            interleave(addresses(&mixed)),
            addresses(&["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"])
        );
        let v4_first = ["1.0.0.1:1", "1.0.0.2:1", "[::1]:1"];
        assert_eq!(
            interleave(addresses(&v4_first)),
            addresses(&["1.0.0.1:1", "[::1]:1", "1.0.0.2:1"])
        );
        assert!(interleave([]).is_empty());
    }
}
