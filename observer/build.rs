//! Picks the BPF object to embed: the committed one for the target's architecture, or a rebuilt one in the directory
//! `TCP_REUSE_WATCH_BPF_DIR`, for tests.
use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    const OVERRIDE: &str = "TCP_REUSE_WATCH_BPF_DIR";
    println!("cargo:rerun-if-env-changed={OVERRIDE}");
    let directory = match env::var_os(OVERRIDE) {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("bpf"),
    };
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let object = directory.join(format!("tcp-reuse-watch.{architecture}.o"));
    if !object.exists() {
        return Err(format!("no BPF object for {architecture}: {} does not exist", object.display()).into());
    }
    println!("cargo:rerun-if-changed={}", object.display());
    println!("cargo:rustc-env=BPF_OBJECT={}", object.display());
    Ok(())
}
