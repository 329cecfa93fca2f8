//! The tests of what SECURITY.md says: its numbered statements, each with the tests that would fail if it were wrong.

use std::{collections::BTreeMap, fs, path::Path};

use tcp_reuse_watch_ebpf::{HEAD_BYTES, PREFIX_BYTES};

const SECURITY: &str = "observer/tests/end_to_end/security";
const E2E: &str = "observer/tests/end_to_end";
const COMMANDS: &str = "observer/tests/end_to_end/commands";
const HELPER: &str = "observer/src/helper";
const CONFINEMENT: &str = "observer/src/host/confinement";

/// The number of a statement, and a test of it: folder, file and function.
const TESTS: &[(usize, &str, &str, &str)] = &[
    (1, E2E, "refusals.rs", "unprivileged_user_gets_the_missing_capabilities_and_a_command"),
    (1, E2E, "deploy/unit.rs", "unit_command_line_works_with_its_capabilities"),
    (2, SECURITY, "payload.rs", "watched_bytes_arrive_unchanged"),
    (3, "observer/tests", "claims.rs", "payload_is_read_in_small_pieces"),
    (4, SECURITY, "payload.rs", "payload_is_neither_kept_nor_shown"),
    (5, SECURITY, "openings.rs", "only_named_files_are_written_and_nothing_private_is_read"),
    (6, SECURITY, "openings.rs", "only_named_files_are_written_and_nothing_private_is_read"),
    (7, SECURITY, "openings.rs", "only_named_files_are_written_and_nothing_private_is_read"),
    (8, SECURITY, "openings.rs", "no_internet_socket_is_made_without_metrics"),
    (9, SECURITY, "openings.rs", "no_program_is_executed"),
    (10, E2E, "watch_end.rs", "kernel_keeps_no_program_or_map"),
    (11, E2E, "recording.rs", "recording_contains_no_kernel_address"),
    (12, "observer/src/cli", "metrics.rs", "address_is_loopback_by_default"),
    (12, E2E, "metrics/addresses.rs", "remote_addresses_need_the_allow_remote_option"),
    (13, E2E, "metrics/hosts.rs", "foreign_hosts_are_refused_on_loopback"),
    (14, SECURITY, "identities.rs", "port_is_for_every_local_user_and_socket_for_its_group"),
    (15, SECURITY, "identities.rs", "port_is_for_every_local_user_and_socket_for_its_group"),
    (15, E2E, "metrics/unix_socket.rs", "metrics_are_served_at_a_unix_socket"),
    (16, SECURITY, "privileges.rs", "watch_is_nobody_without_capabilities"),
    (16, E2E, "runtimes.rs", "watch_becomes_the_caller_of_sudo"),
    (17, SECURITY, "privileges.rs", "watch_is_nobody_without_capabilities"),
    (17, "observer/tests/scenarios", "privileges.rs", "after_attaching"),
    (18, SECURITY, "privileges.rs", "every_thread_of_a_watch_has_given_up_the_same"),
    (19, SECURITY, "system_calls.rs", "harmful_calls_are_refused_to_each_process"),
    (19, CONFINEMENT, "system_calls/tests.rs", "what_could_do_harm_is_refused"),
    (20, SECURITY, "system_calls.rs", "watch_opens_no_other_files"),
    (20, CONFINEMENT, "files.rs", "only_what_a_watch_reads_can_be_opened"),
    (21, SECURITY, "privileges.rs", "user_id_stays_where_it_cannot_change"),
    (22, SECURITY, "without_seccomp.rs", "watch_without_seccomp_says_so_and_has_no_helper"),
    (22, SECURITY, "without_seccomp.rs", "watch_without_seccomp_and_an_output_says_so_on_stderr"),
    (23, SECURITY, "without_seccomp.rs", "watch_without_seccomp_says_so_and_has_no_helper"),
    (23, E2E, "runtimes.rs", "missing_ptrace_capability_disables_the_helper"),
    (24, SECURITY, "privileges.rs", "helper_keeps_one_capability_and_one_socket"),
    (25, SECURITY, "system_calls.rs", "harmful_calls_are_refused_to_each_process"),
    (25, SECURITY, "system_calls.rs", "helper_signals_nobody_and_opens_files_for_reading_only"),
    (25, CONFINEMENT, "system_calls/tests.rs", "harmful_calls_are_refused_beside_a_watch"),
    (26, E2E, "stuck_executables.rs", "inspection_holds_nothing_but_a_pipe"),
    (26, CONFINEMENT, "system_calls/tests.rs", "helper_alone_forks_and_answers"),
    (27, HELPER, "isolation.rs", "inspection_ends_whatever_it_does"),
    (28, E2E, "runtimes.rs", "helper_exits_with_the_watch"),
    (29, SECURITY, "privileges.rs", "remover_keeps_no_capability_and_one_socket"),
    (29, E2E, "metrics/unix_socket.rs", "socket_in_the_directory_of_another_user_is_removed"),
    (30, CONFINEMENT, "system_calls/tests.rs", "remover_reads_and_creates_no_files"),
    (30, CONFINEMENT, "files.rs", "remover_removes_files_of_one_directory_only"),
    (31, COMMANDS, "identity.rs", "under_sudo_it_runs_as_the_caller"),
    (32, COMMANDS, "identity.rs", "it_has_no_descriptor_of_the_tool"),
    (32, COMMANDS, "identity.rs", "programs_with_set_user_id_work_in_it"),
    (32, COMMANDS, "identity.rs", "without_sudo_it_keeps_credentials_and_capabilities"),
    (33, COMMANDS, "identity.rs", "runner_can_only_signal_the_command"),
    (33, CONFINEMENT, "system_calls/tests.rs", "runner_signals_nobody_but_the_command"),
    (34, SECURITY, "identities.rs", "only_the_same_user_and_root_can_signal_the_processes"),
    (35, SECURITY, "identities.rs", "memory_is_hidden_from_the_same_user"),
    (36, E2E, "shares.rs", "refused_connects_of_one_process_leave_room_for_others"),
    (36, E2E, "groups.rs", "groups_beyond_ten_thousand_share_an_overflow_group"),
    (36, "observer-core/src/series", "tests.rs", "user_has_a_share_of_the_label_sets"),
    (37, E2E, "stuck_executables.rs", "user_with_slow_executables_gets_no_more_than_a_share"),
    (37, E2E, "stuck_executables.rs", "lookups_that_cannot_be_killed_are_given_up_and_do_not_stop_the_others"),
    (37, HELPER, "serve.rs", "hung_lookups_are_bounded_for_a_user_and_for_all"),
    (37, "observer-core/src/runtime/go", "tests.rs", "corrupt_files_do_no_harm"),
    (38, E2E, "metrics/hostile.rs", "peer_with_many_connections_closes_only_its_own"),
    (38, E2E, "metrics/unix_socket.rs", "user_with_many_connections_closes_only_its_own"),
    (39, "observer-core/src", "printable.rs", "control_characters_are_escaped"),
    (39, "observer-core/src/views/tui", "tests.rs", "control_characters_in_names_are_escaped"),
    (40, "observer-core/src/recording/tests", "hostile_input.rs", "corrupt_bytes_do_no_harm"),
    (41, SECURITY, "system_calls.rs", "helper_signals_nobody_and_opens_files_for_reading_only"),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_statement_of_the_security_policy_has_a_test() {
    let policy = read("SECURITY.md");
    let numbers = policy.lines().filter_map(|line| line.split_once(". ")?.0.parse::<usize>().ok());
    let numbers: Vec<usize> = numbers.collect();
    assert!(numbers.len() > 30 && numbers.iter().copied().eq(1..=numbers.len()), "{numbers:?}");
    let mut tests: BTreeMap<usize, usize> = numbers.into_iter().map(|number| (number, 0)).collect();
    for (number, folder, file, test) in TESTS {
        *tests.get_mut(number).unwrap_or_else(|| panic!("there is no statement {number}")) += 1;
        let source = read(Path::new(folder).join(file));
        assert!(source.contains(&format!("fn {test}(")), "{folder}/{file} has no {test}");
    }
    let untested: Vec<usize> = tests.into_iter().filter(|(_, tests)| *tests == 0).map(|(number, _)| number).collect();
    assert!(untested.is_empty(), "no test: {untested:?}");
}

#[test]
fn payload_is_read_in_small_pieces() {
    assert_eq!((HEAD_BYTES, PREFIX_BYTES), (32, 2 << 10));
    let policy = read("SECURITY.md");
    assert!(policy.contains("pieces of 32 bytes, and up to 2 KB"));
}
