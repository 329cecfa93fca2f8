//! Panics of threads other than the main one. The main thread must learn of them: without the thread the watch would go on,
//! blind in one part.

use std::{panic, sync::Once, thread};

use tokio::sync::Notify;

static OCCURRED: Notify = Notify::const_new();

/// Installs the panic hook. A panic is reported as before.
pub(crate) fn watch_for() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            report(panic);
            if thread::current().name() != Some("main") {
                OCCURRED.notify_one();
            }
        }));
    });
}

/// Completes when a thread other than the main one has panicked. Cancel-safe.
pub(crate) async fn occurred() {
    OCCURRED.notified().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::event_loop::event_loop;

    #[test]
    fn a_panic_of_another_thread_is_noticed() {
        watch_for();
        assert!(thread::spawn(|| panic!("this one is on purpose")).join().is_err());
        event_loop().unwrap().block_on(occurred());
    }
}
