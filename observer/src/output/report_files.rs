//! The files of `--report`. They are opened before anything is attached.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use observer_core::{
    Conclusion,
    views::{junit, markdown},
};

use crate::{
    cli::{Report, ReportFormat},
    exit,
};

pub(crate) struct ReportFiles(Vec<ReportFile>);

struct ReportFile {
    format: ReportFormat,
    file: File,
    path: PathBuf,
}

impl ReportFiles {
    pub(crate) fn open(reports: &[Report]) -> anyhow::Result<Self> {
        reports.iter().map(ReportFile::open).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Writes all of them, whatever fails.
    pub(crate) fn write(self, conclusion: &Conclusion) -> anyhow::Result<()> {
        let written: Vec<_> = self.0.into_iter().map(|file| file.write(conclusion)).collect();
        exit::all_of(written)
    }
}

impl ReportFile {
    fn open(Report { format, file: path }: &Report) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        match format {
            ReportFormat::Junit => options.write(true).truncate(true),
            // The summary page of a CI job is one file, to which every step adds, and so may the program that is watched.
            ReportFormat::Markdown => options.append(true),
        };
        let file = options.create(true).open(path).with_context(|| cannot_write(path))?;
        Ok(Self { format: *format, file, path: path.clone() })
    }

    fn write(mut self, conclusion: &Conclusion) -> anyhow::Result<()> {
        let text = match self.format {
            ReportFormat::Junit => junit(conclusion),
            ReportFormat::Markdown => self.apart() + &markdown(conclusion),
        };
        self.file.write_all(text.as_bytes()).with_context(|| cannot_write(&self.path))
    }

    /// What keeps a heading apart from what the file ends with, which may lack its line feed.
    fn apart(&self) -> String {
        let has_text = self.file.metadata().is_ok_and(|file| file.len() > 0);
        if has_text { "\n\n".into() } else { String::new() }
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the report to {}", path.display())
}
