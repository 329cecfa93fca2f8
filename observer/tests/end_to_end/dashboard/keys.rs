//! Keys during real traffic: each shows its effect, and none changes the counts.

use std::time::Duration;

use super::{fetch, server, unwrapped};
use crate::support::{
    dashboard::{Dashboard, header},
    machine::Machine,
    peer::{Peer, ask, visit},
};

#[test]
fn reset_key_clears_only_the_display() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let mut dashboard = Dashboard::start(&format!("-p {}", peer.port()));
    visit(&peer, 5);
    dashboard.assert_shows(&[&header(5, 0, "0.0 %")]);
    dashboard.press("r");
    dashboard.assert_shows(&["NEW 0  REUSED 0", "since reset"]);
    let mut stream = peer.connect();
    (0..4).for_each(|_| ask(&mut stream));
    dashboard.assert_shows(&[&header(1, 3, "75.0 %")]);
    let text = dashboard.quit();
    let all = format!("9 exchanges to 127.0.0.1:{}: 6 on new connections, 3 reused; 1 connection would", peer.port());
    assert!(unwrapped(&text).contains(&all), "{text}");
    let since: Vec<&str> = text.lines().filter(|line| line.contains("since")).collect();
    assert!(
        matches!(since[..], [line] if line.contains('1') && line.contains('3')),
        "no line with the numbers since the reset: {text}"
    );
}

#[test]
fn counting_continues_while_the_display_is_frozen() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let mut dashboard = Dashboard::start(&format!("-p {}", peer.port()));
    visit(&peer, 2);
    dashboard.assert_shows(&[&header(2, 0, "0.0 %")]);
    dashboard.press(" ");
    dashboard.assert_shows(&["FROZEN"]);
    let last_written = || dashboard.wait("a screen", Duration::ZERO, |_| true);
    std::thread::sleep(Duration::from_millis(500));
    let frozen = last_written();
    visit(&peer, 3);
    std::thread::sleep(Duration::from_millis(2500));
    dashboard.assert_shows(&[&header(2, 0, "0.0 %")]);
    assert_eq!(last_written(), frozen, "a frozen display writes nothing");
    dashboard.press(" ");
    dashboard.assert_shows(&[&header(5, 0, "0.0 %")]);
    dashboard.assert_no_longer_shows("FROZEN");
    dashboard.quit();
}

#[test]
fn help_lists_every_key_and_closes() {
    let _machine = Machine::shared();
    let mut dashboard = Dashboard::start("-p 1");
    dashboard.press("?");
    dashboard.assert_shows(&["Ctrl-C", "freeze", "sort", "Enter", "PgUp", "Home", "Tab", "any key"]);
    dashboard.press("\u{1b}");
    dashboard.assert_no_longer_shows("any key");
    dashboard.quit();
}

#[test]
fn rows_can_be_filtered_sorted_selected_and_widened() {
    let _machine = Machine::shared();
    let (server, peer) = (server(), Peer::echo());
    let mut dashboard = Dashboard::start(&format!("-p {},{}", server.port, peer.port()));
    fetch(&server, "-read");
    visit(&peer, 7);
    dashboard.assert_shows(&[&header(8, 9, "52.9 %"), "Groups 2", "NEW▼"]);
    let [first, other] = [peer.port(), server.port].map(|port| format!("127.0.0.1:{port}"));
    let place = |text: &str| {
        let screen = dashboard.terminal.text();
        let table =
            screen.lines().skip_while(|line| !line.contains("DESTINATION")).position(|line| line.contains(text));
        table.unwrap_or_else(|| panic!("no {text}: {screen}"))
    };
    assert!(place(&first) < place(&other), "sorted by new, descending");
    dashboard.press("o");
    dashboard.assert_shows(&["NEW▲"]);
    assert!(place(&first) > place(&other), "sorted by new, ascending");
    dashboard.press("s");
    dashboard.assert_shows(&["REUSED▼"]);
    assert!(place(&first) > place(&other), "sorted by reused, descending");

    dashboard.press("/story");
    dashboard.assert_shows(&["Groups 1 of 2", "/story"]);
    dashboard.press("\r");
    dashboard.press("\u{1b}");
    dashboard.assert_shows(&["Groups 2"]);
    dashboard.assert_no_longer_shows("Groups 1 of 2");

    dashboard.press("w");
    dashboard.assert_shows(&["back"]);
    dashboard.press("w\t");
    dashboard.assert_shows(&["scroll", "widen"]);
    dashboard.quit();
}

#[test]
fn group_of_processes_unfolds_and_folds() {
    let _machine = Machine::shared();
    let server = server();
    let mut dashboard = Dashboard::start(&format!("-p {}", server.port));
    let mut clients: Vec<_> = (0..2)
        .map(|_| {
            let client = format!("-url http://{} -read -stay 1m", server.address());
            crate::support::tool::Process::start(&mut crate::support::go::client(&client))
        })
        .collect();
    dashboard.assert_shows(&[&header(2, 18, "90.0 %"), "Groups 1", "unfold"]);
    dashboard.press("\r");
    for client in &clients {
        dashboard.assert_shows(&[&client.id().to_string()]);
    }
    dashboard.press("\r");
    dashboard.assert_no_longer_shows(&clients[0].id().to_string());
    clients.clear();
    dashboard.quit();
}
