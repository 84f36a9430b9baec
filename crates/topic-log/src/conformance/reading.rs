//! Cursors: order, following, and wake-ups.

use std::hint;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use super::harness::Harness;
use super::kit::{append, next, next_text, subscribe, texts, topic, KEEP_ALL};
use super::wait::{eventually, PATIENCE};
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::start_at::StartAt;

/// A cursor that reads from the beginning while messages are appended gets each message once and in
/// order, over the point where it has caught up.
pub fn a_cursor_follows_while_messages_are_appended<H: Harness>() {
    const MESSAGES: u64 = 3_000;
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, texts(0..1_000));
    let readers = [0, 500, 1_000].map(|offset| {
        let mut cursor = subscribe(&topic, StartAt::Offset(offset, None));
        thread::spawn(move || {
            for n in offset..MESSAGES {
                assert_eq!(cursor.offset(), n);
                assert_eq!(next_text(&mut cursor), texts(n..n + 1)[0]);
            }
        })
    });
    for n in (1_000..MESSAGES).step_by(4) {
        append(&topic, texts(n..n + 4));
    }
    for reader in readers {
        reader.join().expect("a reader");
    }
}

/// All cursors see the messages of several publishers in one order, in which the messages of each
/// publisher are in its order.
pub fn all_cursors_see_one_order<H: Harness>() {
    const PUBLISHERS: usize = 3;
    const MESSAGES: usize = 200;
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let readers = [0; 3].map(|_| {
        let mut cursor = subscribe(&topic, StartAt::Latest);
        thread::spawn(move || {
            let texts = (0..PUBLISHERS * MESSAGES).map(|_| next_text(&mut cursor));
            texts.collect::<Vec<_>>()
        })
    });
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let topic = topic.clone();
            thread::spawn(move || {
                for n in 0..MESSAGES {
                    append(&topic, vec![format!("{publisher} {n}").into()]);
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.join().expect("a publisher");
    }
    let [seen, others @ ..] = readers.map(|reader| reader.join().expect("a reader"));
    for other in others {
        assert_eq!(other, seen);
    }
    for publisher in 0..PUBLISHERS {
        let own = seen
            .iter()
            .filter(|text| text.starts_with(&format!("{publisher} ")));
        let expected = (0..MESSAGES).map(|n| format!("{publisher} {n}"));
        assert!(own.map(|text| text.to_string()).eq(expected));
    }
}

/// `is_behind` says whether the next message is there, and `offset` which one it is.
pub fn a_cursor_tells_whether_it_is_behind<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let mut cursor = subscribe(&topic, StartAt::Latest);
    assert!(!cursor.is_behind());
    append(&topic, texts(0..2));
    for n in 0..2 {
        assert_eq!((cursor.offset(), cursor.is_behind()), (n, true));
        assert_eq!(next_text(&mut cursor), texts(n..n + 1)[0]);
    }
    assert_eq!((cursor.offset(), cursor.is_behind()), (2, false));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut *cursor).poll_next(&mut cx).is_pending());
    assert_eq!((cursor.offset(), cursor.is_behind()), (2, false));
}

/// A cursor that waits on another thread gets each of many messages. The next message is appended
/// only when the cursor has the last one, so that a lost wake-up stops it.
pub fn a_waiting_cursor_gets_each_message<H: Harness>() {
    const MESSAGES: u64 = 1_000;
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let mut cursor = subscribe(&topic, StartAt::Latest);
    let (seen, wait) = channel();
    let reader = thread::spawn(move || {
        for n in 0..MESSAGES {
            assert_eq!(next_text(&mut cursor), texts(n..n + 1)[0]);
            seen.send(()).expect("a publisher");
        }
    });
    for n in 0..MESSAGES {
        append(&topic, texts(n..n + 1));
        if wait.recv().is_err() {
            break;
        }
    }
    reader.join().expect("a message was not delivered");
}

/// A message that is appended at the very moment in which a cursor begins to wait is delivered: it
/// is there at once, or the cursor is woken. Both threads spin, and meet at another moment each
/// time.
pub fn a_cursor_that_begins_to_wait_is_woken<H: Harness>() {
    const MESSAGES: u64 = 2_000;
    let spin = |times| (0..times).for_each(|_| hint::spin_loop());
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let mut cursor = subscribe(&topic, StartAt::Latest);
    let begun = Arc::new(AtomicU64::new(0));
    let publisher = thread::spawn({
        let (begun, topic) = (begun.clone(), topic.clone());
        move || {
            for n in 0..MESSAGES {
                let deadline = Instant::now() + PATIENCE;
                while begun.load(Ordering::SeqCst) <= n {
                    assert!(Instant::now() < deadline, "the cursor has not begun");
                    hint::spin_loop();
                }
                spin(n % 61);
                append(&topic, texts(n..n + 1));
            }
        }
    });
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    for n in 0..MESSAGES {
        begun.store(n + 1, Ordering::SeqCst);
        spin(n / 61 % 61);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = woken.0.load(Ordering::SeqCst);
            if let Poll::Ready(message) = Pin::new(&mut *cursor).poll_next(&mut cx) {
                assert_eq!(message.expect("a message").data, texts(n..n + 1)[0]);
                break;
            }
            while woken.0.load(Ordering::SeqCst) == before {
                assert!(Instant::now() < deadline, "message {n} was not delivered");
                thread::yield_now();
            }
        }
    }
    publisher.join().expect("a publisher");
}

/// Of many cursors that wait, all are woken, and those that have left are not missed.
pub fn every_waiting_cursor_is_woken<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let mut cursors: Vec<_> = (0..100)
        .map(|_| subscribe(&topic, StartAt::Latest))
        .collect();
    for cursor in &mut cursors {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut **cursor).poll_next(&mut cx).is_pending());
    }
    cursors.truncate(50);
    let readers: Vec<_> = cursors
        .into_iter()
        .map(|mut cursor| {
            thread::spawn(move || {
                let seen = [0; 3].map(|_| next_text(&mut cursor));
                assert_eq!(next(&mut cursor), Err(Error::Closed));
                seen
            })
        })
        .collect();
    for n in 0..3 {
        append(&topic, texts(n..n + 1));
    }
    store.close();
    for reader in readers {
        assert_eq!(reader.join().expect("a reader")[..], texts(0..3));
    }
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A cursor that is polled by another task wakes this task, and not the one before.
pub fn the_last_waker_is_woken<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let mut cursor = subscribe(&topic, StartAt::Latest);
    let [before, after] = [(); 2].map(|()| Arc::new(Count(AtomicUsize::new(0))));
    for count in [&before, &after] {
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut *cursor).poll_next(&mut cx).is_pending());
    }
    append(&topic, texts(0..1));
    eventually("the last task is woken", || {
        (after.0.load(Ordering::SeqCst) > 0).then_some(())
    });
    assert_eq!(before.0.load(Ordering::SeqCst), 0);
    assert_eq!(next_text(&mut cursor), texts(0..1)[0]);
}
