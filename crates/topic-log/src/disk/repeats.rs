//! Compares what a producer sends again with what is stored.

use super::engine::Engine;
use super::failure::Failure;
use super::group::Append;
use super::shared_engine::SharedEngine;
use crate::error::Error;
use crate::tail::HasTail;

/// Compares the messages of a batch with those that the topic keeps under the same sequence
/// numbers.
///
/// # Errors
///
/// [`Error::Reused`] for a message that differs, [`Error::Storage`] when a stored message cannot be
/// read.
pub(super) fn compare(
    shared: &SharedEngine,
    engine: &Engine,
    append: &Append,
) -> Result<(), Error> {
    let Some(sequence) = &append.sequence else {
        return Ok(());
    };
    let Append { entry, batch, .. } = append;
    let name = &entry.identity().name;
    let repeats = {
        let state = entry.tail().lock();
        let count = batch.len() as u64;
        state.producers.repeats(sequence, count, state.bounds)
    };
    for mut repeat in repeats {
        // Only the writer, which this is, changes what is in memory.
        let recent_from = entry.tail().lock().recent_from();
        while repeat.offset < recent_from && !repeat.numbers.is_empty() {
            let end = recent_from.min(repeat.end());
            match engine.read(entry.id(), repeat.offset, end) {
                Ok(kept) => {
                    repeat.compare(name, sequence, batch, kept.iter())?;
                    repeat.skip(kept.len() as u64);
                }
                // What is damaged cannot be compared. Its readers are told.
                Err(Failure::Damaged(_)) => repeat.skip(end - repeat.offset),
                Err(why) => return Err(shared.unusable(&why)),
            }
        }
        let state = entry.tail().lock();
        let kept = state.recent_at(repeat.offset);
        repeat.compare(name, sequence, batch, kept)?;
    }
    Ok(())
}
