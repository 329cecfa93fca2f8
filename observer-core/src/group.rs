//! The data of a group: its counters, its connection pool, the application that it speaks, and the history of its last
//! connections. Diagnoses and snapshots are built from it.

mod application;
mod continuation;
mod counts;
mod history;
mod pool;

pub use application::GroupApplication;
pub use continuation::continued;
pub use counts::Counts;
pub use history::{ClosedConnection, History, Spread};
pub use pool::Pool;
