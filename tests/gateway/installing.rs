//! What people install: the image and the packages are built from files that exist, and say what the program knows.

use std::path::{Path, PathBuf};
use std::process::Command;

use backstop::catalogue::Provider;
use backstop::config::Config;
use serde_yaml::Value;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The image is built without the files of tests and benchmarks. Cargo accepts a manifest whose targets are not there if it
/// names their files, and refuses it if it would have to look for one.
#[test]
fn the_manifest_names_the_file_of_every_target_so_that_the_image_needs_none_but_the_programs() {
    let manifest = read("Cargo.toml");
    let is_target = |name: &str| ["lib", "bin", "test", "bench", "example"].contains(&name);
    let mut targets = 0;
    for section in manifest.split("\n[").skip(1) {
        let (name, body) = section.split_once(']').unwrap();
        if !is_target(name.trim_start_matches('[')) {
            continue;
        }
        targets += 1;
        let path = body.lines().find_map(|line| line.strip_prefix("path = "));
        let path = path.unwrap_or_else(|| panic!("a target has no `path` in Cargo.toml: {body}"));
        let path = path.trim_matches('"');
        assert!(root(path).is_file(), "{path}");
    }
    assert!(targets > 5, "the targets were not found");
}

#[test]
fn the_debian_package_installs_files_that_exist_and_a_configuration_that_is_good() {
    let manifest = read("Cargo.toml");
    let (_, package) = manifest.split_once("[package.metadata.deb]").unwrap();
    let (_, assets) = package.split_once("assets = [").unwrap();
    let mut sources = Vec::new();
    for line in assets.lines().skip(1).take_while(|line| *line != "]") {
        let mut texts = line.split('"').skip(1).step_by(2);
        sources.push(texts.next().unwrap());
    }
    assert!(sources.len() > 10, "{sources:?}");
    // What is built is not there yet.
    for source in sources
        .into_iter()
        .filter(|source| !source.starts_with("target/"))
    {
        let is_there = match source.split_once('*') {
            Some((folder, _)) => root(folder).is_dir(),
            None => root(source).is_file(),
        };
        assert!(is_there, "{source}");
    }
    let installed = read("deploy/debian/backstop.yaml");
    if let Err(problems) = Config::parse("it", &installed, &|_| None) {
        panic!("{problems}");
    }
}

/// A list of what belongs there, for a list of what does not would miss the next file.
#[test]
fn the_crate_holds_the_sources_and_nothing_else_that_lies_here() {
    let listing = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(root(""))
        .output()
        .unwrap();
    let problems = String::from_utf8_lossy(&listing.stderr);
    assert!(listing.status.success(), "{problems}");
    let listing = String::from_utf8(listing.stdout).unwrap();
    let files = listing.lines().filter(|file| !file.starts_with("src/"));
    let (made, mut ours): (Vec<_>, Vec<_>) =
        files.partition(|file| [".cargo_vcs_info.json", "Cargo.toml.orig"].contains(file));
    assert!(made.contains(&"Cargo.toml.orig"), "{made:?}");
    ours.sort_unstable();
    let expected = [
        ".github/CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "config.example.yaml",
    ];
    assert_eq!(ours, expected);
    for source in ["src/main.rs", "src/admin/page/page.html"] {
        assert!(listing.lines().any(|file| file == source), "{source}");
    }
}

#[test]
fn the_image_and_the_release_are_built_with_the_rust_of_the_manifest() {
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.unwrap().trim_matches('"');
    let from = format!("FROM rust:{version}-slim-");
    assert!(
        read("Dockerfile")
            .lines()
            .any(|line| line.starts_with(&from))
    );
    let release: Value = serde_yaml::from_str(&read(".github/workflows/release.yml")).unwrap();
    assert_eq!(release["env"]["RUST_VERSION"].as_str(), Some(version));
}

#[test]
fn docker_is_given_all_files_that_the_image_is_built_from() {
    let (image, given) = (read("Dockerfile"), read(".dockerignore"));
    let copied = image.lines().filter_map(|line| line.strip_prefix("COPY "));
    let ours = copied.filter(|files| !files.starts_with("--from"));
    let sources: Vec<&str> = ours
        .flat_map(|files| files.rsplit_once(' ').unwrap().0.split(' '))
        .collect();
    assert!(sources.len() > 3, "{sources:?}");
    for source in sources {
        assert!(root(source).exists(), "{source}");
        let is_given = given.lines().any(|line| line == format!("!{source}"));
        assert!(is_given, "{source}");
    }
}

/// A static glibc loads the modules that the file names, which are of the system's glibc: it crashes if that is another one.
#[test]
fn no_program_that_is_linked_statically_to_glibc_meets_an_nsswitch_conf() {
    let flag = "crt-static";
    assert!(!read("deploy/package").contains(flag));
    let image = read("Dockerfile");
    assert!(image.contains(flag));
    let (_, last_stage) = image.split_once("\nFROM scratch\n").unwrap();
    assert!(!last_stage.contains("nsswitch"));
}

/// Docker makes an empty folder of a file to mount that is not there.
#[test]
fn compose_mounts_files_that_exist() {
    let compose: Value = serde_yaml::from_str(&read("deploy/compose.yaml")).unwrap();
    let services = compose["services"].as_mapping().unwrap().values();
    let volumes = services.filter_map(|service| service["volumes"].as_sequence());
    let mounted = volumes.flatten().filter_map(Value::as_str);
    let files: Vec<_> = mounted
        .filter_map(|volume| volume.strip_prefix("./"))
        .collect();
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let (file, _) = file.split_once(':').unwrap();
        assert!(root("deploy").join(file).is_file(), "{file}");
    }
}

#[test]
fn compose_passes_the_keys_of_all_providers_and_no_other_providers_secret() {
    let compose: Value = serde_yaml::from_str(&read("deploy/compose.yaml")).unwrap();
    let passed = compose["services"]["backstop"]["environment"]
        .as_mapping()
        .unwrap();
    let mut names: Vec<_> = Provider::all()
        .flat_map(Provider::key_variables)
        .copied()
        .collect();
    for variable in &names {
        let expected = format!("${{{variable}:-}}");
        assert_eq!(passed[*variable].as_str(), Some(expected.as_str()));
    }
    // What others call it, and the password of the server through which replicas share.
    names.extend(["BACKSTOP_HOSTS", "REDIS_PASSWORD"]);
    for name in passed.keys().filter_map(Value::as_str) {
        assert!(names.contains(&name), "no provider has {name}");
    }
}
