//! Data flows one way: kernel → decode → tracker → snapshot → views. What keeps it so is that a layer does not know what
//! is behind the one before it; this reads the sources and says where one does.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The layer's files, and the words that none of them may hold.
const LAYERS: [(&str, &[&str]); 6] = [
    ("cgroup_name", &["tokio", "aya", "std::time", "std::fs", "std::io", "crate::"]),
    ("runtime", &["tokio", "aya", "std::time", "std::fs", "std::io", "crate::"]),
    ("tracker", &["tokio", "aya", "std::time", "std::fs", "std::io", "crate::kernel", "crate::clock", "crate::view"]),
    (
        "series",
        &["tokio", "aya", "std::time::Instant", "std::fs", "std::io", "crate::kernel", "crate::clock", "crate::view"],
    ),
    ("recording", &["tokio", "aya", "crate::kernel", "crate::clock", "crate::decode", "crate::view", "crate::screen"]),
    ("view", &["tokio", "aya", "std::time", "std::fs", "std::io", "crate::kernel", "kernel::", "clock::", "decode::"]),
];

fn files_of(layer: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.join(layer)];
    let mut files = vec![src.join(format!("{layer}.rs"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the layer").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn no_layer_knows_what_is_behind_the_one_before_it() {
    for (layer, forbidden) in LAYERS {
        for file in files_of(layer) {
            let text = fs::read_to_string(&file).expect("a source file");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                let word = forbidden.iter().find(|word| line.contains(**word));
                assert!(word.is_none(), "{} uses {}: {}", file.display(), word.unwrap_or(&""), line.trim());
            }
        }
    }
}
