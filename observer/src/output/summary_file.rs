//! The file of `--summary`. It is opened before anything is attached.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use observer_core::{
    Conclusion,
    views::{JsonView, View as _},
};

pub(crate) struct SummaryFile {
    file: File,
    path: PathBuf,
}

impl SummaryFile {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write the summary to {}", path.display()))?;
        Ok(Self { file, path: path.into() })
    }

    pub(crate) fn write(mut self, conclusion: &Conclusion) -> anyhow::Result<()> {
        self.file
            .write_all(JsonView.summary(conclusion).as_bytes())
            .with_context(|| format!("cannot write the summary to {}", self.path.display()))
    }
}
