//! A topic without a network: one thread publishes, the main thread follows, loses its cursor and
//! resumes where it was.
//!
//! With the feature `disk` and a folder as its argument, the topic is kept from one run to the next:
//!
//!     cargo run -p topic-log --example follow --features disk -- /tmp/topics
// It is there to print what it sees.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::poll_fn;
use topic_log::{Memory, Name, Retention, StartAt, Store, StoreLimits, Topic};

/// Keeps topics in the folder that is named on the command line, or in memory.
fn open() -> Result<Box<dyn Store>, Box<dyn Error>> {
    let (retention, limits) = (Retention::default(), StoreLimits::default());
    let Some(dir) = std::env::args_os().nth(1) else {
        return Ok(Box::new(Memory::new(retention, limits)));
    };
    #[cfg(feature = "disk")]
    {
        use topic_log::{Disk, Durability};
        let store = Disk::open(dir.as_ref(), Durability::Synced, retention, limits)?;
        Ok(Box::new(store))
    }
    #[cfg(not(feature = "disk"))]
    Err(format!(
        "{} cannot be used without the feature `disk`",
        dir.display()
    )
    .into())
}

/// Publishes ten messages, ten in a second.
fn publish(topic: &dyn Topic) -> Result<(), topic_log::Error> {
    for n in 1..=10 {
        block_on(topic.append(vec![format!("tick {n}").into()], None))?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Prints this number of messages from `start` on. Returns where the next cursor has to start.
fn follow(topic: &Arc<dyn Topic>, start: StartAt, count: u64) -> Result<StartAt, topic_log::Error> {
    let mut cursor = block_on(topic.clone().subscribe(start))?;
    for _ in 0..count {
        let offset = cursor.offset();
        let message = block_on(poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx)))?;
        println!("offset {offset}: {}", message.data);
    }
    Ok(StartAt::Offset(cursor.offset(), Some(topic.epoch())))
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = open()?;
    let topic = block_on(store.topic(&Name::new("ticks")?))?;
    let bounds = topic.bounds();
    println!(
        "epoch {}, offsets {} to {}",
        topic.epoch(),
        bounds.earliest,
        bounds.next
    );

    let publisher = thread::spawn({
        let topic = topic.clone();
        move || publish(&*topic)
    });
    let resume = follow(&topic, StartAt::Offset(bounds.next, None), 4)?;
    println!("the cursor is gone; the publisher goes on");
    thread::sleep(Duration::from_millis(300));
    follow(&topic, resume, 6)?;
    publisher.join().map_err(|_| "the publisher panicked")??;
    Ok(())
}
