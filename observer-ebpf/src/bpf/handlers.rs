//! One handler for each moment of a connection's life. Each is idempotent, runs its cheapest test first, and does not
//! know its hook.

mod connect;
mod destroy;
mod inventory;
mod receive;
mod reset;
mod send;
mod state;

pub(super) use connect::connecting;
pub(super) use destroy::destroyed;
pub(super) use inventory::{check_kernel_handled, list, take_over};
pub(super) use receive::received;
pub(super) use reset::reset_received;
pub(super) use send::{sending, sending_pages};
pub(super) use state::state_changed;
