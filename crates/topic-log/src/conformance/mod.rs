//! What every store promises, as checks that run against any store.
//!
//! A store passes when each check returns. A check panics with what it expected. It waits at most
//! [`PATIENCE`] for anything, so that a lost wake-up does not hang it.
//!
//! To check a store, implement [`Harness`] for it, and have [`conformance_tests!`] make a test of
//! each check:
//!
//! ```
//! use topic_log::conformance::{Clock, Harness};
//! use topic_log::{StoreLimits, Memory, Retention, Store};
//!
//! #[derive(Default)]
//! struct InMemory;
//!
//! impl Harness for InMemory {
//!     const SURVIVES_REOPENING: bool = false;
//!
//!     fn open_with_clock(
//!         &self,
//!         clock: Clock,
//!         retention: Retention,
//!         limits: StoreLimits,
//!     ) -> Box<dyn Store> {
//!         Box::new(Memory::with_clock(clock, retention, limits))
//!     }
//! }
//!
//! topic_log::conformance_tests!(InMemory);
//! #
//! # fn main() {
//! #     topic_log::conformance::appending::offsets_have_no_gaps::<InMemory>();
//! # }
//! ```
//!
//! [`conformance_tests!`]: crate::conformance_tests

// The checks are tests that live in a library.
#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

pub mod appending;
pub mod clock;
pub mod closing;
mod harness;
mod kit;
pub mod limits;
pub mod model;
pub mod producers;
pub mod reading;
pub mod reopening;
pub mod retention;
pub mod starting;
mod wait;

pub use self::harness::Harness;
pub use self::wait::{eventually, soon, PATIENCE};
pub use crate::clock::Clock;

/// Makes a test of each check in [`conformance`](crate::conformance), for the
/// [`Harness`](crate::conformance::Harness) that it is given. The tests lie in a module for each
/// area.
#[macro_export]
macro_rules! conformance_tests {
    ($harness:ty) => {
        $crate::conformance_tests! {
            $harness;
            appending {
                a_batch_gets_offsets_that_follow_each_other
                a_batch_is_handed_over_by_the_call
                an_empty_batch_stores_nothing
                batches_keep_the_order_of_the_calls
                bounds_follow_what_is_appended
                offsets_have_no_gaps
                times_never_go_back
            }
            clock {
                a_clock_that_goes_forward_tells_that_time_has_passed
                a_clock_that_was_ahead
                a_clock_that_was_ahead_while_nothing_follows
                a_clock_that_was_behind
                a_clock_that_was_set_back_for_good
                small_steps_back_stop_the_clock
            }
            closing {
                a_closed_store_refuses_everything
                closing_delivers_what_was_handed_over
                closing_ends_waiting_cursors
            }
            limits {
                a_topic_in_use_or_with_messages_is_not_dropped
                an_idle_topic_is_kept_for_a_while
                bytes_are_given_back
                idle_topics_make_room_and_begin_another_epoch
                the_bytes_of_all_topics_are_limited
                the_number_of_topics_is_limited
            }
            model {
                random_histories_agree_with_the_model
            }
            producers {
                a_batch_that_is_sent_again_at_once_is_a_duplicate
                a_gap_is_refused
                a_number_from_before_is_refused
                a_refused_batch_is_not_remembered
                another_message_under_a_number_is_refused
                duplicates_are_not_stored_again
                duplicates_are_known_after_their_messages_are_dropped
                many_messages_are_compared
                producers_and_topics_are_independent
                the_expected_number_is_known
                the_least_recently_seen_producer_is_forgotten
            }
            reading {
                a_cursor_that_begins_to_wait_is_woken
                a_cursor_follows_while_messages_are_appended
                a_cursor_tells_whether_it_is_behind
                a_waiting_cursor_gets_each_message
                all_cursors_see_one_order
                every_waiting_cursor_is_woken
                the_last_waker_is_woken
            }
            reopening {
                a_dropped_epoch_is_not_used_again
                a_store_has_what_it_had_or_begins_another_epoch
                bytes_are_counted_again
                producers_are_remembered
            }
            retention {
                a_cursor_that_falls_behind_is_out_of_range
                by_age
                by_bytes
                by_count
                of_nothing
            }
            starting {
                a_time
                an_epoch_that_is_not_the_topics
                an_offset_that_is_not_kept
                every_place_that_is_kept
                in_an_empty_topic
            }
        }
    };
    ($harness:ty; $($area:ident { $($check:ident)* })*) => {
        $(
            mod $area {
                use super::*;

                $(
                    #[test]
                    fn $check() {
                        $crate::conformance::$area::$check::<$harness>();
                    }
                )*
            }
        )*
    };
}
