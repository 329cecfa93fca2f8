//! A self-signed certificate in a file, for servers and clients that need one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::programs::{output_of, program};

/// Creates `certificate.pem` and `key.pem` in this directory.
pub(crate) fn make(folder: &Path) {
    let mut openssl = program("openssl", "openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-out", "certificate.pem", "-keyout", "key.pem"]);
    output_of(openssl.current_dir(folder));
}

/// A certificate in a temporary directory, which is removed on drop.
pub(crate) struct Certificate {
    folder: TempDir,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let certificate = Self { folder: tempfile::tempdir().expect("cannot create a directory") };
        make(certificate.folder());
        let read = |name: &str| fs::read_to_string(certificate.folder().join(name)).expect("openssl creates the file");
        fs::write(certificate.path(), read("certificate.pem") + &read("key.pem")).expect("cannot write the file");
        certificate
    }

    /// The file that holds both the certificate and the key.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("both.pem")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
