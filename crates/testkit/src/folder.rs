//! Folders for the files of a test.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A folder that is removed when this is dropped.
pub struct Folder(TempDir);

impl Folder {
    /// A new, empty folder.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("greeter-").tempdir();
        Self(folder.expect("a folder"))
    }

    /// The path of a file in the folder. The file need not exist.
    pub fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, contents).expect("written");
        path
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        self.0.path()
    }
}
