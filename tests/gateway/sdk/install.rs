//! Installing the official SDKs below `target/`, once each, and running programs with them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The versions that users have today.
pub(crate) const PYTHON: &str = "3.54.0";
pub(super) const NODE: &str = "7.57.0";
/// And those that many have still.
pub(super) const OLDER_PYTHON: [&str; 2] = ["1.109.1", "2.46.0"];
pub(super) const OLDER_NODE: [&str; 1] = ["6.49.0"];

/// A Python that has this version of the package.
pub(crate) async fn install_python(version: &str) -> PathBuf {
    let package = format!("openai[realtime]=={version}");
    python_with(&format!("python-{version}"), &[&package]).await
}

/// A Python of its own that has these packages.
pub(super) async fn python_with(name: &str, packages: &[&str]) -> PathBuf {
    let venv = target(name);
    let python = venv.join("bin/python");
    let wanted = packages.join("\n");
    let installed = std::fs::read_to_string(venv.join("installed"));
    if !installed.is_ok_and(|installed| installed == wanted) {
        let make = ["-m", "venv"].map(OsStr::new);
        run("python3", &[&make[..], &[venv.as_os_str()]].concat(), "").await;
        pip(&python, &[&["install"], packages].concat()).await;
        std::fs::write(venv.join("installed"), wanted).unwrap();
    }
    python
}

/// The sources of a package, with its tests.
pub(super) async fn sources(python: &Path, package: &str, version: &str) -> PathBuf {
    let folder = target(&format!("{package}-sources"));
    let unpacked = folder.join(format!("{package}-{version}"));
    if !unpacked.join("unpacked").exists() {
        let wanted = format!("{package}=={version}");
        let into = folder.to_str().unwrap();
        let as_sources = ["--no-deps", "--no-binary", package, "--dest", into];
        pip(python, &[&["download", &wanted], &as_sources[..]].concat()).await;
        let archive = folder.join(format!("{package}-{version}.tar.gz"));
        let unpack = ["-m", "tarfile", "-e"].map(OsStr::new);
        let paths = [archive.as_os_str(), folder.as_os_str()];
        run(python, &[&unpack[..], &paths].concat(), "").await;
        std::fs::write(unpacked.join("unpacked"), "").unwrap();
    }
    unpacked
}

async fn pip(python: &Path, arguments: &[&str]) {
    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"];
    let arguments: Vec<&OsStr> = pip.iter().chain(arguments).map(OsStr::new).collect();
    run(python, &arguments, "").await;
}

/// A script beside this version of the package, which is where Node looks for it.
pub(super) async fn install_node(version: &str, script: &str) -> PathBuf {
    let folder = target(&format!("node-{version}"));
    if !folder.join("installed").exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let package =
            format!("{{\"private\": true, \"dependencies\": {{\"openai\": \"{version}\"}}}}");
        std::fs::write(folder.join("package.json"), package).unwrap();
        let mut prefix = OsString::from("--prefix=");
        prefix.push(&folder);
        let arguments = ["install", "--no-audit", "--no-fund"].map(OsStr::new);
        run("npm", &[&arguments[..], &[&prefix]].concat(), "").await;
        std::fs::write(folder.join("installed"), version).unwrap();
    }
    let copy = folder.join(script);
    std::fs::copy(sdk_folder().join(script), &copy).unwrap();
    copy
}

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("sdk")
        .join(name)
}

pub(crate) fn sdk_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// Runs a program that must succeed; says what it printed.
pub(crate) async fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    succeed(command, input).await
}

/// The same, for a command that is made in another way.
pub(super) async fn succeed(mut command: Command, input: &str) -> String {
    let needs = "the tests need python3 with venv, node and npm";
    let mut child = command
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; {needs}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
