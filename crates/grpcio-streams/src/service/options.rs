//! What holds for all calls of a method, besides its handler.

use std::sync::Arc;
use std::time::Duration;

use crate::call::Call;
use crate::catch_panic::catch_panic;
use crate::drain::Draining;
use crate::observer::{Observer, Outcome};
use crate::status::Status;

/// The settings under which a method is served.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) request_within: Duration,
    pub(super) max_message_bytes: usize,
    pub(super) draining: Draining,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) admissions: Vec<Arc<Admission>>,
}

/// Decides whether a call is served.
pub(super) type Admission = dyn Fn(&mut Call) -> Result<(), Status> + Send + Sync;

impl Options {
    /// Asks the admissions in order until one of them refuses the call.
    pub(super) fn admit(&self, call: &mut Call) -> Result<(), Status> {
        let method = call.method();
        let all = || self.admissions.iter().try_for_each(|admit| admit(call));
        catch_panic(all).unwrap_or_else(|why| {
            log::error!("{method}: the admission of a call panicked: {why}");
            Err(Status::internal("the admission of this call panicked"))
        })
    }

    /// Reports the start of a call to the observer.
    pub(super) fn report_start(&self, call: &Call) {
        report(call, || self.observer.started(call));
    }

    /// Reports the end of a call to the observer.
    pub(super) fn report_end(&self, call: &Call, outcome: &Outcome) {
        report(call, || self.observer.ended(call, outcome));
    }
}

fn report(call: &Call, observe: impl FnOnce()) {
    if let Err(why) = catch_panic(observe) {
        let method = call.method();
        log::error!("{method}: the observer of a call panicked: {why}");
    }
}
