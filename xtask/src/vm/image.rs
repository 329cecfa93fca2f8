//! The initramfs: busybox, the programs, and a script that mounts what they need, runs the scenarios and powers off.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::programs::Programs;

/// Of the package busybox-static.
const BUSYBOX: &str = "/bin/busybox";
const FOLDERS: [&str; 6] = ["bin", "dev", "proc", "sys", "tmp", "etc"];

/// The first and the last thing that the script says.
pub(super) const BEGIN: &str = "the scenarios begin on Linux ";
pub(super) const END: &str = "the scenarios have ended with ";

/// Makes the initramfs for these sets of hooks.
pub(super) fn make(folder: &Path, programs: &Programs, sets: &[&str]) -> Result<PathBuf> {
    let root = folder.join("root");
    // What a run before this one has left.
    let _ = fs::remove_dir_all(&root);
    for name in FOLDERS {
        fs::create_dir_all(root.join(name)).context("cannot make the folders of the initramfs")?;
    }
    let files = [
        (Path::new(BUSYBOX), "bin/busybox"),
        (&programs.tool, "bin/tcp-reuse-watch"),
        (&programs.scenarios, "bin/scenarios"),
    ];
    for (from, to) in files {
        fs::copy(from, root.join(to)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let init = root.join("init");
    fs::write(&init, script(sets)).context("cannot write the init script")?;
    fs::set_permissions(&init, Permissions::from_mode(0o755)).context("cannot make the init script executable")?;
    let image = folder.join("initramfs");
    pack(&root, &image)?;
    Ok(image)
}

fn script(sets: &[&str]) -> String {
    let sets = sets.join(" ");
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
TCP_REUSE_WATCH=/bin/tcp-reuse-watch TCP_REUSE_WATCH_HOOKS='{sets}' scenarios
echo \"{END}$?\"
poweroff -f
"
    )
}

/// Packs a folder as the kernel reads it (Documentation/driver-api/early-userspace/buffer-format.rst).
fn pack(root: &Path, image: &Path) -> Result<()> {
    let file = File::create(image).with_context(|| format!("cannot create {}", image.display()))?;
    let mut cpio = Command::new("cpio")
        .args(["--create", "--format=newc", "--owner=0:0", "--quiet"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(file)
        .spawn()
        .context("cannot run cpio")?;
    let names = FOLDERS.iter().chain(&["bin/busybox", "bin/tcp-reuse-watch", "bin/scenarios", "init"]);
    let mut stdin = cpio.stdin.take().context("cpio has no input")?;
    for name in names {
        writeln!(stdin, "{name}").context("cannot tell cpio what to pack")?;
    }
    drop(stdin);
    let status = cpio.wait().context("cannot wait for cpio")?;
    if !status.success() {
        bail!("cpio failed: {status}");
    }
    Ok(())
}
