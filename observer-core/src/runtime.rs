//! The runtime or language that a process's program is written for, so advice can name its API. [`Runtime::detect`]
//! decides from data that the caller supplies: the name and bytes of the executable, and the loaded libraries. Nothing
//! here accesses the file system; the helper process does.

mod detect;
mod dotnet;
mod elf;
mod executable_name;
mod go;
mod go_version;
mod kind;
mod libraries;
mod process;
mod rust;

pub use elf::ReadAt;
pub use go_version::GoVersion;
pub use kind::Runtime;
pub use libraries::LoadedLibraries;
pub use process::Process;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
