//! The shell commands of docs/use/ci.md, each block in a small project of its own. sudo is a script that does what the tool
//! sees of it, because the real one is configured for the machine.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    time::Duration,
};

use tempfile::tempdir;

use crate::support::{
    machine::Machine,
    nobody::{chown_to_nobody, world_executable_tool},
    programs::program,
    tool::RunOutput,
};

const PAGE: &str = include_str!("../../../docs/use/ci.md");

/// For the user nobody.
const SUDO: &str = "#!/bin/sh\n[ \"$1\" = -E ] && shift\nSUDO_UID=65534 SUDO_GID=65534 SUDO_USER=nobody exec \"$@\"\n";

/// For Debian, where npm is a package of 400 others.
const NPM: &str = "#!/bin/sh\nexec node -e 'process.exitCode = require(\"child_process\").spawnSync(\"sh\", \
                   [\"-c\", require(\"./package.json\").scripts[process.argv[1]]], { stdio: \"inherit\" }).status' \"$1\"\n";

const PROJECT: &[(&str, &str)] = &[
    ("tests/test_sum.py", "def test_sum():\n    assert 1 + 1 == 2\n"),
    ("go.mod", "module example.org/sum\n\ngo 1.19\n"),
    ("sum_test.go", "package sum\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {}\n"),
    ("package.json", "{ \"name\": \"sum\", \"scripts\": { \"test\": \"node -e 1\" } }\n"),
];

/// The blocks of shell commands.
fn blocks() -> impl Iterator<Item = &'static str> {
    PAGE.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block)
}

fn write_script(path: &Path, text: &str) {
    fs::write(path, text).expect("cannot write a script");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("cannot set the permissions");
}

#[test]
fn every_shell_command_of_the_page_works() {
    let _machine = Machine::alone();
    let has_npm =
        env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join("npm").exists()));
    let (bin, _) = world_executable_tool();
    write_script(&bin.path().join("sudo"), SUDO);
    if !has_npm {
        write_script(&bin.path().join("npm"), NPM);
    }
    for (name, package) in [("go", "golang-go"), ("node", "nodejs")] {
        program(name, package);
    }
    // The distribution's programs first: those of the user who runs the tests may be in a home that nobody cannot read.
    let path = format!("{}:/usr/bin:/bin:{}", bin.path().display(), env::var("PATH").expect("there is a PATH"));
    assert!(blocks().count() > 5, "the page has blocks of shell commands");
    for block in blocks() {
        let folder = tempdir().expect("cannot create a directory");
        for (name, text) in PROJECT {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a file has a folder")).expect("cannot create a directory");
            fs::write(&file, text).expect("cannot write a file");
        }
        let cache = folder.path().join("cache");
        fs::create_dir(&cache).expect("cannot create a directory");
        [folder.path(), &cache].into_iter().for_each(chown_to_nobody);
        let mut sh = Command::new("sh");
        sh.args(["-e", "-c", block]).current_dir(folder.path());
        // nobody has no home for caches.
        sh.env("PATH", &path)
            .env("GOCACHE", &cache)
            .env("npm_config_cache", &cache)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        sh.env_remove("GO111MODULE").env_remove("GOFLAGS");
        let output = RunOutput::run_on("", Duration::from_mins(5), &mut sh);
        assert!(output.status.success(), "{block}\n{output:#?}");
    }
}
