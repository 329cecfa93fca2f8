//! Whether bytes are BTF that can be parsed without harm (Documentation/bpf/btf.rst): every section within the file,
//! every record whole, every name within the strings, and no type that contains itself.

use super::records::{Record, Records, u32_at};

#[cfg(test)]
mod tests;

/// Bounds of what a type contains by value, all levels added up: far beyond any kernel's, and no danger to who follows.
const MAX_DEPTH: u16 = 100;
const MAX_PARTS: u32 = 1 << 22;

/// Says what is wrong.
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
                    "a name of type {id} is not among its strings (is it a module's? the kernel's own, vmlinux, is needed)"
                ));
            }
        }
    }
    Ok(())
}

/// What a type contains, itself included.
#[derive(Clone, Copy, Default)]
struct Size {
    parts: u32,
    depth: u16,
}

/// A walk down what types contain by value. Pointers end it, so in C it cannot come back to where it was.
struct Containment<'a> {
    bytes: &'a [u8],
    records: &'a [usize],
    /// By type id; type 0 is void. No parts: not known yet; no depth: being walked.
    sizes: Vec<Size>,
    path: Vec<(usize, usize)>,
}

const WALKED: Size = Size { parts: 1, depth: 0 };

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
        self.sizes[id] = WALKED;
        self.path.push((id, 0));
    }

    /// Looks at one part of a type; after the last, its size is known.
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
            None => Err(format!("type {id} refers to type {contained}, which is not there")),
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
            return Err(format!("type {id} is nested beyond measure"));
        }
        Ok(size)
    }
}
