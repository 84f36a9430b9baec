//! Wakes subscribers, on a thread of its own.
//!
//! A publisher only says that there is something new. Waking a thousand subscribers takes longer
//! than appending a message; while one round of wakes runs, the next messages gather. One or two
//! are woken by the publisher itself, unless messages come one upon the other.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use slab::Slab;

/// Where the subscribers of one topic wait.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// A place for each subscriber, with its waker while it waits.
    places: Mutex<Slab<Option<Waker>>>,
    /// Whether somebody may wait; spares publishers the notifier when nobody does.
    waiting: AtomicBool,
    /// Whether the notifier has been told and has not come by yet.
    told: AtomicBool,
}

/// So many subscribers are few: each costs a publisher no more than the notifier does.
const FEW: usize = 2;

impl Waiters {
    /// A place to wait at, to be given back with [`leave`](Self::leave).
    pub(super) fn enter(&self) -> usize {
        self.places().insert(None)
    }

    /// Waits. The caller checks once more afterwards whether there is a reason to.
    pub(super) fn wait(&self, place: usize, waker: &Waker) {
        let mut places = self.places();
        match &mut places[place] {
            Some(waiting) => waiting.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
        self.waiting.store(true, Ordering::SeqCst);
    }

    pub(super) fn leave(&self, place: usize) {
        let _waker = self.places().remove(place);
    }

    /// Wakes everyone who waits. No lock is held while waking.
    fn wake(&self) {
        self.told.store(false, Ordering::SeqCst);
        self.waiting.store(false, Ordering::SeqCst);
        let wakers: Vec<_> = self
            .places()
            .iter_mut()
            .filter_map(|(_, w)| w.take())
            .collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn places(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        self.places.lock()
    }
}

/// The thread that wakes, and that tidies up now and then; it ends when this is dropped.
pub(super) struct Notifier(Sender<Arc<Waiters>>);

impl Notifier {
    /// # Panics
    ///
    /// When the operating system refuses to start a thread.
    pub(super) fn start(every: Duration, mut tidy: impl FnMut() + Send + 'static) -> Self {
        let (sender, receiver) = channel::<Arc<Waiters>>();
        thread::spawn(move || {
            let mut tidied = Instant::now();
            loop {
                match receiver.recv_timeout(every) {
                    Ok(waiters) => waiters.wake(),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if tidied.elapsed() >= every {
                    tidy();
                    tidied = Instant::now();
                }
            }
        });
        Self(sender)
    }

    /// Has those who wait woken, soon; or at once, on this thread, where that costs less: there are
    /// only a few, and it is `quiet`, so that nothing would gather meanwhile.
    pub(super) fn notify(&self, waiters: &Arc<Waiters>, quiet: bool) {
        if quiet && waiters.waiting.load(Ordering::SeqCst) && waiters.places().len() <= FEW {
            return waiters.wake();
        }
        if waiters.waiting.load(Ordering::SeqCst) && !waiters.told.swap(true, Ordering::SeqCst) {
            // The thread lives as long as the sender.
            let _ = self.0.send(waiters.clone());
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifier")
    }
}
