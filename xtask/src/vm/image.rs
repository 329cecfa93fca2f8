//! Makes the initramfs: busybox, the programs, and an init script that mounts file systems, runs them and powers off.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

const FOLDERS: [&str; 6] = ["bin", "dev", "proc", "sys", "tmp", "etc"];

/// First and last line of the init script's output.
pub(super) const BEGIN: &str = "the init script starts on Linux ";
pub(super) const END: &str = "the init script ends with status ";

/// Packs the files, each a source and a path in the image, and an init script that runs `commands`. One of the files is
/// bin/busybox.
pub(crate) fn make(folder: &Path, files: &[(PathBuf, PathBuf)], commands: &str) -> Result<PathBuf> {
    let root = folder.join("root");
    // Left over from an earlier run.
    let _ = fs::remove_dir_all(&root);
    for name in FOLDERS {
        fs::create_dir_all(root.join(name)).context("cannot make the folders of the initramfs")?;
    }
    for (from, to) in files {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap_or(&root)).context("cannot make the folders of the initramfs")?;
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let init = root.join("init");
    fs::write(&init, script(commands)).context("cannot write the init script")?;
    fs::set_permissions(&init, Permissions::from_mode(0o755)).context("cannot make the init script executable")?;
    let image = folder.join("initramfs");
    pack(&root, &image)?;
    Ok(image)
}

fn script(commands: &str) -> String {
    format!(
        "#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
ulimit -l unlimited
echo \"{BEGIN}$(uname -r)\"
{commands}
echo \"{END}$?\"
poweroff -f
"
    )
}

/// Packs a folder in the format that the kernel reads (Documentation/driver-api/early-userspace/buffer-format.rst).
fn pack(root: &Path, image: &Path) -> Result<()> {
    let file = File::create(image).with_context(|| format!("cannot create {}", image.display()))?;
    let mut cpio = Command::new("cpio")
        .args(["--create", "--format=newc", "--owner=0:0", "--quiet"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(file)
        .spawn()
        .context("cannot run cpio")?;
    let mut stdin = cpio.stdin.take().context("cpio has no input")?;
    for path in paths_below(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).display();
        writeln!(stdin, "{name}").context("cannot write to cpio")?;
    }
    drop(stdin);
    let status = cpio.wait().context("cannot wait for cpio")?;
    if !status.success() {
        bail!("cpio failed: {status}");
    }
    Ok(())
}

/// All paths below a folder, each folder before its content.
fn paths_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>().context("cannot list the image")?;
    entries.sort();
    for path in entries {
        let is_folder = path.is_dir();
        paths.push(path.clone());
        if is_folder {
            paths.extend(paths_below(&path)?);
        }
    }
    Ok(paths)
}
