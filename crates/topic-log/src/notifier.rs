//! Wakes subscribers, on a thread of its own.
//!
//! A publisher only reports that there is something new. Waking a thousand subscribers takes longer
//! than appending a message, and while one round of wake-ups runs, the next messages gather. When
//! there are only one or two subscribers, and messages are not coming one right after the other,
//! the publisher wakes them itself, because that costs less.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use slab::Slab;

/// Up to this number of subscribers, waking them costs a publisher no more than telling the
/// notifier.
const FEW: usize = 2;

/// The subscribers of one topic, and which of them wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// A slot for each subscriber, with its waker while it waits.
    slots: Mutex<Slab<Option<Waker>>>,
    /// Whether a subscriber may wait. Saves publishers the notifier when none does.
    waiting: AtomicBool,
    /// Whether the topic is in the notifier's queue.
    queued: AtomicBool,
}

impl Waiters {
    /// Takes a slot for a subscriber, which gives it back with [`leave`](Self::leave).
    pub(crate) fn enter(&self) -> usize {
        self.slots.lock().insert(None)
    }

    /// Registers a waker. The caller has to check once more afterwards whether it has to wait: an
    /// append that came before does not wake it.
    pub(crate) fn wait(&self, slot: usize, waker: &Waker) {
        let mut slots = self.slots.lock();
        match &mut slots[slot] {
            Some(waiting) => waiting.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
        self.waiting.store(true, Ordering::SeqCst);
    }

    /// Gives a slot back.
    pub(crate) fn leave(&self, slot: usize) {
        // Dropped without the lock: it may drop a task, and that another subscriber.
        let _waker = self.slots.lock().remove(slot);
    }

    /// Wakes every subscriber that waits. No lock is held while waking.
    fn wake(&self) {
        self.queued.store(false, Ordering::SeqCst);
        self.waiting.store(false, Ordering::SeqCst);
        let mut slots = self.slots.lock();
        let wakers: Vec<_> = slots.iter_mut().filter_map(|(_, w)| w.take()).collect();
        drop(slots);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The thread that wakes subscribers. It also runs a task of the store now and then. It ends when
/// this is dropped.
pub(crate) struct Notifier(Sender<Arc<Waiters>>);

impl Notifier {
    /// Starts the thread, which runs `maintain` about once in each `period`.
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start a thread.
    pub(crate) fn start(period: Duration, mut maintain: impl FnMut() + Send + 'static) -> Self {
        let (sender, receiver) = channel::<Arc<Waiters>>();
        thread::spawn(move || {
            let mut maintained = Instant::now();
            loop {
                match receiver.recv_timeout(period) {
                    Ok(waiters) => waiters.wake(),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if maintained.elapsed() >= period {
                    maintain();
                    maintained = Instant::now();
                }
            }
        });
        Self(sender)
    }

    /// Has the waiting subscribers of a topic woken, soon and on the notifier's thread.
    ///
    /// With `quiet`, when no other message is expected right now, a few subscribers are woken at
    /// once and on this thread: there is nothing to gather.
    pub(crate) fn notify(&self, waiters: &Arc<Waiters>, quiet: bool) {
        if !waiters.waiting.load(Ordering::SeqCst) {
            return;
        }
        if quiet && waiters.slots.lock().len() <= FEW {
            waiters.wake();
        } else if !waiters.queued.swap(true, Ordering::SeqCst) {
            // The thread runs as long as the sender exists.
            let _ = self.0.send(waiters.clone());
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifier")
    }
}
