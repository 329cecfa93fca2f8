//! `--metrics`: the formats, the exporter's robustness, and scrapes by a real Prometheus.

mod addresses;
mod formats;
mod hostile;
mod hosts;
mod loss;
mod processes;
mod prometheus;
mod unix_socket;
