//! The certificates of a test, as files.

use testkit::certificates::Certificate;
use testkit::folder::Folder;

/// The paths of a CA, and of the certificate and the key of a server at 127.0.0.1. The files are
/// removed when this is dropped.
pub struct Certificates {
    pub ca: String,
    pub certificate: String,
    pub key: String,
    _folder: Folder,
}

impl Certificates {
    pub fn make() -> Self {
        let folder = Folder::new();
        let ca = Certificate::ca("ca");
        let (certificate, key) = folder.write_pair("server", &ca.sign_server("server"));
        Self {
            ca: folder.write("ca.crt", ca.pem()),
            certificate,
            key,
            _folder: folder,
        }
    }
}
