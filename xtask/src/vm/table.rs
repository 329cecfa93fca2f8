//! The summary table: a row for each kernel, a column for each set of hooks.

use std::fmt::Write;

use super::boot::{Booted, SetResult};

const HEAD: usize = 13;
const CELL: usize = 20;

pub(super) fn of(boots: &[Booted], sets: &[&str]) -> String {
    let mut table = format!("{:HEAD$}", "kernel");
    let cell = |table: &mut String, text: &str| {
        // Writing to a String cannot fail.
        let _ = write!(table, "{text:>CELL$}");
    };
    for set in sets {
        cell(&mut table, set);
    }
    for boot in boots {
        let _ = write!(table, "\n{:HEAD$}", boot.kernel);
        for set in sets {
            cell(&mut table, &boot.result(set).map_or_else(|| "no result".into(), describe));
        }
    }
    table.push('\n');
    table
}

fn describe(result: &SetResult) -> String {
    let SetResult { passed, failed, seconds, is_refused, .. } = result;
    match (failed, is_refused) {
        (0, true) => format!("refused, {seconds:.1} s"),
        (0, false) => format!("{passed} ok, {seconds:.1} s"),
        _ => format!("{failed} FAILED of {}", passed + failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kernel_and_set_has_a_cell() {
        let result = |set: &str, failed| SetResult {
            set: set.into(),
            is_refused: set == "sockops,fentry",
            passed: 25,
            failed,
            seconds: 7.25,
        };
        let results = vec![result("fentry", 0), result("kprobe", 1), result("sockops,fentry", 0)];
        let boots = [Booted { kernel: "6.1 aarch64".into(), results, ..Booted::default() }];
        let table = of(&boots, &["fentry", "kprobe", "tracepoint", "sockops,fentry"]);
        let words: Vec<&str> = table.split_whitespace().collect();
        let expected = "kernel fentry kprobe tracepoint sockops,fentry \
             6.1 aarch64 25 ok, 7.2 s 1 FAILED of 26 no result refused, 7.2 s";
        assert_eq!(words.join(" "), expected);
    }
}
