//! Reading ahead: a thread reads and parses a recording while what it has read before is shown. To parse a busy second takes
//! longer than to show it, and who shows it has keys and signals to heed meanwhile.

use std::thread;

use anyhow::anyhow;
use tokio::sync::mpsc::{Receiver, channel};

use observer_core::recording::{Record, Recording};

/// Records that are handed over together at most.
const BATCH: usize = 512;

/// Batches that may wait. Few, for a sample of 10,000 groups has some 7 MB.
const BATCHES: usize = 2;

/// The rest of a recording, as it is read.
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
                let is_over = broken.is_some() || matches!(records.last(), Some(Record::End { .. }));
                // Nobody takes them any more: the replay has ended before the recording.
                if sender.blocking_send(Ok(records)).is_err() {
                    return;
                }
                if let Some(error) = broken {
                    // As above.
                    let _ = sender.blocking_send(Err(error));
                }
                if is_over {
                    return;
                }
            }
        });
        Self { batches }
    }

    /// What comes next: records in their order, a sample or the end the last of them. An error: it goes on no further.
    pub(super) async fn next(&mut self) -> anyhow::Result<Vec<Record>> {
        self.batches.recv().await.unwrap_or_else(|| Err(anyhow!("the recording is not read any more")))
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
