//! A thread that reads and parses a recording ahead of the replay. Parsing a busy second takes longer than showing it,
//! and must not delay keys and signals.

use std::thread;

use anyhow::anyhow;
use tokio::sync::mpsc::{Receiver, channel};

use observer_core::recording::{Record, Recording};

/// Maximum number of records in a batch.
const BATCH: usize = 512;

/// Batches in flight. Few, because a sample of 10,000 groups takes some 7 MB.
const BATCHES: usize = 2;

pub(super) struct ReadAhead {
    batches: Receiver<anyhow::Result<Vec<Record>>>,
}

impl ReadAhead {
    /// Starts a thread.
    pub(super) fn start(mut recording: Recording) -> Self {
        let (sender, batches) = channel(BATCHES);
        thread::spawn(move || {
            loop {
                let mut records = Vec::new();
                let broken = fill(&mut records, &mut recording).err();
                let is_last = broken.is_some() || matches!(records.last(), Some(Record::End { .. }));
                // Fails only if the replay has ended before the recording.
                if sender.blocking_send(Ok(records)).is_err() {
                    return;
                }
                if let Some(error) = broken {
                    // As above.
                    let _ = sender.blocking_send(Err(error));
                }
                if is_last {
                    return;
                }
            }
        });
        Self { batches }
    }

    /// The next batch. A sample or the end is always the last record of its batch. After an error, no more records
    /// follow.
    pub(super) async fn next(&mut self) -> anyhow::Result<Vec<Record>> {
        self.batches.recv().await.unwrap_or_else(|| Err(anyhow!("the thread that reads the recording has ended")))
    }
}

fn fill(records: &mut Vec<Record>, recording: &mut Recording) -> anyhow::Result<()> {
    while records.len() < BATCH {
        records.push(recording.read()?);
        if !matches!(records.last(), Some(Record::Event(_))) {
            break;
        }
    }
    Ok(())
}
