//! Catches the panics of handlers, so that a panic ends only its own call.
//!
//! A panic that reaches the binding ends the thread of a completion queue, and with it every call
//! that the thread serves. Catching needs panics that unwind, which is Rust's default.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;

use crate::status::Status;

/// Runs `f`. A panic becomes an error with its message.
pub(crate) fn catch_panic<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    // Unwind safety: the callers drop what `f` borrows if it panics.
    catch_unwind(AssertUnwindSafe(f)).map_err(panic_message)
}

/// The message of a panic. Dropping its payload may panic again, which is caught as well.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let text = describe(&*payload);
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
    text
}

fn describe(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

/// The stream of a handler. If it panics, the panic is logged, and the stream fails with INTERNAL
/// and ends.
pub(crate) struct CatchPanic<S> {
    /// None once it has panicked or has been dropped.
    source: Option<Pin<Box<S>>>,
    method: &'static str,
}

impl<S> CatchPanic<S> {
    pub(crate) fn new(method: &'static str, source: S) -> Self {
        Self {
            source: Some(Box::pin(source)),
            method,
        }
    }

    fn discard(&mut self) {
        // A destructor of the handler may panic as well.
        if let Err(why) = catch_panic(|| drop(self.source.take())) {
            log::error!("{}: dropping the handler panicked: {why}", self.method);
        }
    }
}

impl<S, T> Stream for CatchPanic<S>
where
    S: Stream<Item = Result<T, Status>>,
{
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        catch_panic(|| source.as_mut().poll_next(cx)).unwrap_or_else(|why| {
            log::error!("{}: the handler panicked: {why}", self.method);
            self.discard();
            let status = Status::internal("the handler of this call panicked");
            Poll::Ready(Some(Err(status)))
        })
    }
}

impl<S> Drop for CatchPanic<S> {
    fn drop(&mut self) {
        self.discard();
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::{stream, StreamExt};
    use grpcio::RpcStatusCode;

    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }

    #[test]
    fn a_panic_is_a_failure_and_then_the_end() {
        let source = stream::iter(1..).map(|n| {
            assert!(n < 3, "at {n}");
            Ok::<_, Status>(n)
        });
        let mut stream = CatchPanic::new("/test", source);
        let items: Vec<_> = block_on(stream.by_ref().take(4).collect());
        assert_eq!(items[..2], [Ok(1), Ok(2)]);
        let failure = items[2].as_ref().map_err(Status::code);
        assert_eq!(failure, Err(RpcStatusCode::INTERNAL));
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn a_panic_of_the_payload_is_caught() {
        let why = catch_panic(|| std::panic::panic_any(Bomb));
        assert_eq!(why, Err("a panic without a message".to_owned()));
    }

    #[test]
    fn a_panic_in_a_destructor_is_caught() {
        let bomb = Bomb;
        let source = stream::poll_fn(move |_| {
            let _held = &bomb;
            Poll::Ready(Some(Ok::<_, Status>(1)))
        });
        let mut stream = CatchPanic::new("/test", source);
        assert_eq!(block_on(stream.next()), Some(Ok(1)));
        drop(stream);
    }
}
