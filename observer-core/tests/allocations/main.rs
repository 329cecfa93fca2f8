//! What the core allocates, by a counting allocator. Neither the load of the machine nor the allocator's habits change
//! these numbers, while resident memory depends on both.

mod rows;
#[path = "../../benches/micro/steady.rs"]
mod steady;
mod turnover;
