//! Names the BPF object to embed: the committed one of the target's architecture, or, to test a rebuilt one, that in
//! the folder `TCP_REUSE_WATCH_BPF_DIR`.
use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    const OVERRIDE: &str = "TCP_REUSE_WATCH_BPF_DIR";
    println!("cargo:rerun-if-env-changed={OVERRIDE}");
    let folder = match env::var_os(OVERRIDE) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("bpf"),
    };
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let object = folder.join(format!("tcp-reuse-watch.{architecture}.o"));
    if !object.exists() {
        return Err(format!("no BPF object for {architecture}: {} is not there", object.display()).into());
    }
    println!("cargo:rerun-if-changed={}", object.display());
    println!("cargo:rustc-env=BPF_OBJECT={}", object.display());
    Ok(())
}
