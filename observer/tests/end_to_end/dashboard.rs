//! The terminal dashboard on real traffic: it shows what the server counted and what the kernel lists.

mod keys;
mod load;
mod outputs;
mod terminal_state;

use crate::support::{
    dashboard::{Dashboard, header},
    go::{self, Server, Truth},
    machine::Machine,
    programs::output_of,
    socket_table,
};

/// A server with bodies of 1 MiB, which Go does not drain on its own to keep a connection.
fn server() -> Server {
    Server::start("-body 1048576")
}

/// Sends ten requests.
fn fetch(server: &Server, options: &str) {
    output_of(&mut go::client(&format!("-url http://{} {options}", server.address())));
}

/// Joins lines that the terminal has wrapped.
fn unwrapped(text: &str) -> String {
    text.replace('\n', "")
}

/// The number of sockets in TIME_WAIT for this port.
fn time_wait(port: u16) -> usize {
    socket_table::states(port).iter().filter(|state| *state == socket_table::TIME_WAIT).count()
}

fn assert_row(dashboard: &Dashboard, port: u16, numbers: &[&str]) {
    let destination = format!("127.0.0.1:{port}");
    let screen = dashboard.terminal.text();
    let row = screen.lines().find(|line| line.contains(go::CLIENT) && line.contains(&destination));
    let words: Vec<&str> = row.unwrap_or_else(|| panic!("no row of the client: {screen}")).split_whitespace().collect();
    let place = words.iter().position(|word| *word == destination).unwrap();
    assert!(words[place + 1..].starts_with(numbers), "expected {numbers:?} in {words:?}");
}

#[test]
fn unread_bodies_are_diagnosed_with_ten_new_connections() {
    let _machine = Machine::shared();
    let server = server();
    let mut dashboard = Dashboard::start(&format!("-p {}", server.port));
    // Stays long enough for its runtime to be recognised, because the advice names the runtime's own functions.
    fetch(&server, "-stay 2s");
    dashboard.assert_shows(&[&header(10, 0, "0.0 %"), "response-not-read", "io.Copy(io.Discard,", "TIME_WAIT 0"]);
    assert_row(&dashboard, server.port, &["10", "0", "0.0"]);
    let port = server.port;
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (10, 10), "counts of the server");
    let text = dashboard.quit();
    let sentence = format!("10 exchanges to 127.0.0.1:{port}: 10 on new connections, 0 reused; ");
    assert!(unwrapped(&text).contains(&sentence) && text.trim_end().ends_with(" avoidable)"), "{text}");
    assert!(text.contains("PROCESS") && text.contains("response-not-read"), "no summary table: {text}");
}

#[test]
fn read_bodies_show_one_new_and_nine_reused() {
    let _machine = Machine::shared();
    let server = server();
    let mut dashboard = Dashboard::start(&format!("-p {}", server.port));
    fetch(&server, "-read");
    dashboard.assert_shows(&[&header(1, 9, "90.0 %"), "TIME_WAIT 1"]);
    assert_eq!(time_wait(server.port), 1, "sockets in the kernel's table");
    assert_row(&dashboard, server.port, &["1", "9", "90.0"]);
    let port = server.port;
    assert_eq!(server.truth(), Truth { connections: 1, closed: 1, requests: 10 });
    let text = dashboard.quit();
    let sentence = format!("10 exchanges to 127.0.0.1:{port}: 1 on a new connection, 9 reused");
    assert_eq!(text.lines().last(), Some(&*sentence), "{text}");
}
