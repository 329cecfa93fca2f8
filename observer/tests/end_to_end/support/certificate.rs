//! A certificate that signs itself, which nobody trusts, for servers and clients that want one in a file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::programs::{output_of, program};

/// Makes `certificate.pem` and `key.pem` in this folder.
pub(crate) fn make(folder: &Path) {
    let mut openssl = program("openssl", "openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-out", "certificate.pem", "-keyout", "key.pem"]);
    output_of(openssl.current_dir(folder));
}

/// One with a folder of its own, for as long as it is there.
pub(crate) struct Certificate {
    folder: TempDir,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let certificate = Self { folder: tempfile::tempdir().expect("a folder can be made") };
        make(certificate.folder());
        let read = |name: &str| fs::read_to_string(certificate.folder().join(name)).expect("openssl has made it");
        fs::write(certificate.path(), read("certificate.pem") + &read("key.pem")).expect("the file can be written");
        certificate
    }

    /// The certificate and the key, in one file.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("both.pem")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
