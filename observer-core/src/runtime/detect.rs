//! The order in which the evidence for a runtime is weighed.

use super::{
    dotnet,
    elf::ReadAt,
    executable_name, go,
    kind::Runtime,
    libraries::{Library, LoadedLibraries},
    rust,
};

impl Runtime {
    /// Detects a process's runtime from the file name of its executable, the executable's contents if they are
    /// readable, and its loaded libraries. None if the evidence is insufficient.
    ///
    /// The most reliable evidence is checked first: an executable built by Go is Go, no matter what it has loaded.
    pub fn detect(
        executable: &[u8],
        mut file: Option<&mut impl ReadAt>,
        libraries: impl FnOnce() -> Option<LoadedLibraries>,
    ) -> Option<Self> {
        if executable_name::mixes_languages(executable) {
            return Some(Self::Unknown);
        }
        if let Some(go) = file.as_deref_mut().and_then(go::detect) {
            return Some(go);
        }
        let libraries = libraries()?;
        if let Some(runtime) = Self::from_name_and_libraries(executable, libraries) {
            return Some(runtime);
        }
        // The remaining answers hold only if the executable was readable and is none of the above.
        let file = file?;
        let has_curl = libraries.has(Library::Curl) || executable == b"curl";
        Some(match () {
            () if has_curl => Self::Libcurl,
            () if dotnet::is_dotnet(file) => Self::DotNet,
            () if rust::is_rust(file) => Self::Rust,
            () => Self::Unknown,
        })
    }

    /// For a process that is not Go.
    fn from_name_and_libraries(executable: &[u8], libraries: LoadedLibraries) -> Option<Self> {
        let runtime = executable_name::interpreter(executable)
            .or_else(|| libraries.virtual_machine())
            .or_else(|| libraries.embedded_interpreter(executable_name::embeds_interpreter(executable)))?;
        let has_pycurl = runtime == Self::Python && libraries.has(Library::Pycurl);
        Some(if has_pycurl { Self::Pycurl } else { runtime })
    }
}
