//! Iterator programs: the kernel runs one for each object of a kind while somebody reads its output.

use std::io::Read as _;

use anyhow::Context as _;
use aya::{Btf, Ebpf, programs::Iter};

use super::attach;

/// Loads an iterator over objects of this kind, such as `tcp`.
pub(super) fn load(ebpf: &mut Ebpf, name: &str, kind: &str, btf: &Btf) -> anyhow::Result<()> {
    iterator(ebpf, name)?.load(kind, btf).with_context(|| format!("iterator {name} refused"))
}

/// Runs an iterator over every object. Its output is empty.
pub(super) fn run(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<()> {
    let program = iterator(ebpf, name)?;
    let link = program.attach().with_context(|| format!("cannot attach iterator {name}"))?;
    let mut file = program.take_link(link)?.into_file().with_context(|| format!("cannot start iterator {name}"))?;
    file.read_to_end(&mut Vec::new()).with_context(|| format!("cannot run iterator {name}"))?;
    Ok(())
}

fn iterator<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut Iter> {
    Ok(attach::program(ebpf, name)?.try_into()?)
}
