//! `--metrics`, as Prometheus reads it and as it should not be read.

mod addresses;
mod formats;
mod hostile;
mod loss;
mod processes;
mod prometheus;
