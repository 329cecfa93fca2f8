//! Validates BTF (Documentation/bpf/btf.rst): every section lies within the file, every record is complete, every name
//! lies within the strings, and no type contains itself.
//!
//! Hand-written, because aya-obj checks the sections and records, but neither names nor references between types. A step
//! budget in the field lookup would bound its walk too, but would report a damaged file as a kernel that lacks a field.

use super::records::{Record, Records, u32_at};

#[cfg(test)]
mod tests;

/// Bounds on the types that a type contains by value, counted over all levels. They are far beyond any kernel's, and
/// low enough for a walk over all of them.
const MAX_DEPTH: u16 = 100;
const MAX_PARTS: u32 = 1 << 22;

/// The error describes the first fault.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let records = Records::find(bytes)?;
    check_names(&records)?;
    Containment::new(bytes, &records.begins).check()
}

fn check_names(records: &Records) -> Result<(), String> {
    for (at, id) in records.begins.iter().zip(1..) {
        for name in Record::read(records.bytes, *at)?.names(*at) {
            if u32_at(records.bytes, name)? >= records.strings.len() {
                return Err(format!(
                    "a name of type {id} is outside its strings (if it is a module's, give the kernel's own: vmlinux)"
                ));
            }
        }
    }
    Ok(())
}

/// How much a type contains, including itself.
#[derive(Clone, Copy, Default)]
struct Size {
    parts: u32,
    depth: u16,
}

/// A depth-first walk over the types that each type contains by value. It stops at pointers, so types from a C compiler
/// have no cycle.
struct Containment<'a> {
    bytes: &'a [u8],
    records: &'a [usize],
    /// By type id; type 0 is void. Zero parts: not visited yet. Zero depth: in progress.
    sizes: Vec<Size>,
    path: Vec<(usize, usize)>,
}

const IN_PROGRESS: Size = Size { parts: 1, depth: 0 };

impl<'a> Containment<'a> {
    fn new(bytes: &'a [u8], records: &'a [usize]) -> Self {
        let mut sizes = vec![Size::default(); records.len() + 1];
        sizes[0] = Size { parts: 1, depth: 1 };
        Self { bytes, records, sizes, path: Vec::new() }
    }

    fn check(mut self) -> Result<(), String> {
        for id in 1..self.sizes.len() {
            if self.sizes[id].parts == 0 {
                self.enter(id);
            }
            while let Some((id, part)) = self.path.pop() {
                self.step(id, part)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, id: usize) {
        self.sizes[id] = IN_PROGRESS;
        self.path.push((id, 0));
    }

    /// Visits one part of a type, or sums up its size after the last part.
    fn step(&mut self, id: usize, part: usize) -> Result<(), String> {
        let at = self.records[id - 1];
        let record = Record::read(self.bytes, at)?;
        let Some(reference) = record.part(at, part) else {
            self.sizes[id] = self.size(id, record, at)?;
            return Ok(());
        };
        let contained = u32_at(self.bytes, reference)?;
        self.path.push((id, part + 1));
        match self.sizes.get(contained) {
            None => Err(format!("type {id} refers to type {contained}, which does not exist")),
            Some(Size { parts: 0, .. }) => {
                self.enter(contained);
                Ok(())
            }
            Some(Size { depth: 0, .. }) => Err(format!("type {id} contains itself")),
            Some(_) => Ok(()),
        }
    }

    fn size(&self, id: usize, record: Record, at: usize) -> Result<Size, String> {
        let mut size = Size { parts: 1, depth: 1 };
        for reference in (0..).map_while(|n| record.part(at, n)) {
            let part = self.sizes[u32_at(self.bytes, reference)?];
            size.parts = size.parts.saturating_add(part.parts);
            size.depth = size.depth.max(part.depth + 1);
        }
        if size.parts > MAX_PARTS || size.depth > MAX_DEPTH {
            return Err(format!("type {id} is nested too deeply"));
        }
        Ok(size)
    }
}
