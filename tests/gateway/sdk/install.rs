//! Installing the programs that clients are made of below `target/`, once each, and running them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Mutex;

/// The versions that users have today.
pub(crate) const PYTHON: &str = "3.54.0";
pub(crate) const NODE: &str = "7.57.0";
/// And those that many have still.
pub(super) const OLDER_PYTHON: [&str; 2] = ["1.109.1", "2.46.0"];
pub(super) const OLDER_NODE: [&str; 1] = ["6.49.0"];

/// Tests run at the same time, and some want the same programs.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// A Python that has this version of `OpenAI`'s package.
pub(crate) async fn install_python(version: &str) -> PathBuf {
    let package = format!("openai[realtime]=={version}");
    python_with(&format!("python-{version}"), &[&package]).await
}

/// A script beside this version of `OpenAI`'s package, which is where Node looks for it.
pub(crate) async fn install_node(version: &str, script: &str) -> PathBuf {
    let package = format!("openai@{version}");
    let folder = node_with(&format!("node-{version}"), &[&package]).await;
    beside(&folder, script)
}

/// A Python that has these packages.
pub(crate) async fn python_with(name: &str, packages: &[&str]) -> PathBuf {
    let _alone = INSTALLING.lock().await;
    let venv = target(name);
    let python = venv.join("bin/python");
    needs_python().await;
    if !is_installed(&venv, packages) {
        make_venv(&["--without-pip"], &venv).await;
        pip(&python, &[&["install", "--no-compile"], packages].concat()).await;
        remember(&venv, packages);
    }
    python
}

/// The sources of a package, with its tests.
pub(super) async fn sources(python: &Path, package: &str, version: &str) -> PathBuf {
    let _alone = INSTALLING.lock().await;
    let folder = target(&format!("{package}-sources"));
    let unpacked = folder.join(format!("{package}-{version}"));
    let wanted = format!("{package}=={version}");
    if !is_installed(&unpacked, &[&wanted]) {
        let into = folder.to_str().unwrap();
        let as_sources = ["--no-deps", "--no-binary", package, "--dest", into];
        pip(python, &[&["download", &wanted], &as_sources[..]].concat()).await;
        let archive = folder.join(format!("{package}-{version}.tar.gz"));
        let unpack = ["-m", "tarfile", "-e"].map(OsStr::new);
        let paths = [archive.as_os_str(), folder.as_os_str()];
        run(python, &[&unpack[..], &paths].concat(), "").await;
        remember(&unpacked, &[&wanted]);
    }
    unpacked
}

/// Runs pip for a Python: one pip for all of them, for it takes longer to install than most packages.
async fn pip(python: &Path, arguments: &[&str]) {
    let venv = target("pip");
    if !is_installed(&venv, &[]) {
        make_venv(&[], &venv).await;
        remember(&venv, &[]);
    }
    let python = python.to_str().unwrap();
    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"];
    let arguments = [&pip[..], &["--python", python], arguments].concat();
    let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
    run(venv.join("bin/python"), &arguments, "").await;
}

async fn make_venv(options: &[&str], venv: &Path) {
    let make = ["-m", "venv"].iter().chain(options).map(OsStr::new);
    let arguments: Vec<&OsStr> = make.chain([venv.as_os_str()]).collect();
    run("python3", &arguments, "").await;
}

/// A folder in which Node finds these packages.
pub(crate) async fn node_with(name: &str, packages: &[&str]) -> PathBuf {
    let _alone = INSTALLING.lock().await;
    let folder = target(name);
    needs_node().await;
    if !is_installed(&folder, packages) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), "{\"private\": true}").unwrap();
        let prefix = format!("--prefix={}", folder.display());
        let npm = ["install", "--no-audit", "--no-fund", &prefix];
        let arguments = [&npm[..], packages].concat();
        let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
        run("npm", &arguments, "").await;
        remember(&folder, packages);
    }
    folder
}

/// A copy of a script in a folder with packages.
pub(crate) fn beside(folder: &Path, script: &str) -> PathBuf {
    let copy = folder.join(script);
    std::fs::copy(sdk_folder().join(script), &copy).unwrap();
    copy
}

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("sdk")
        .join(name)
}

fn is_installed(folder: &Path, packages: &[&str]) -> bool {
    let installed = std::fs::read_to_string(folder.join("installed"));
    installed.is_ok_and(|installed| installed == packages.join(" "))
}

fn remember(folder: &Path, packages: &[&str]) {
    std::fs::write(folder.join("installed"), packages.join(" ")).unwrap();
}

pub(crate) fn sdk_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// Makes sure that a program which the tests need is there, and else panics with the way to install it. The test must
/// not pass without it: a skipped check must not look like a passed one.
async fn needs(program: &str, arguments: &[&str], packages: &str) {
    let mut asking = Command::new(program);
    let asked = asking.args(arguments).stdin(Stdio::null()).output().await;
    let is_there = asked.is_ok_and(|output| output.status.success());
    assert!(is_there, "{}", missing(program, arguments, packages));
}

fn missing(program: &str, arguments: &[&str], packages: &str) -> String {
    let asked = [&[program], arguments].concat().join(" ");
    format!(
        "`{asked}` fails, and the tests with official SDKs need it. On Debian and Ubuntu: \
         apt-get install {packages}. All other tests: cargo test -- --skip sdk --skip applications --skip all_tests"
    )
}

/// Python, with all that it takes to install packages beside those of the system.
async fn needs_python() {
    let modules = ["-c", "import ensurepip, venv"];
    needs("python3", &modules, "python3 python3-venv").await;
}

async fn needs_node() {
    needs("node", &["--version"], "nodejs npm").await;
    needs("npm", &["--version"], "nodejs npm").await;
}

/// Runs a program that must succeed; returns what it printed.
pub(crate) async fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    succeed(command, input).await
}

/// The same, for a command that is made in another way.
pub(super) async fn succeed(mut command: Command, input: &str) -> String {
    let mut child = command
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
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

#[tokio::test]
async fn a_program_that_is_missing_is_named_and_so_is_the_way_to_have_it() {
    let asking = tokio::spawn(needs("no-such-program", &["--version"], "its-package"));
    let panicked = asking.await.unwrap_err().into_panic();
    let told = panicked.downcast::<String>().unwrap();
    assert!(told.starts_with("`no-such-program --version` fails"));
    assert!(told.contains("apt-get install its-package"), "{told}");
}
