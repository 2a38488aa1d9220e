//! What people install: the image and the packages are built from files that exist, and say what the program knows.

use std::path::{Path, PathBuf};

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
        assert!(root(source).is_file(), "{source}");
    }
    let installed = read("deploy/debian/backstop.yaml");
    if let Err(problems) = Config::parse("it", &installed, &|_| None) {
        panic!("{problems}");
    }
}

#[test]
fn compose_passes_the_keys_of_all_providers() {
    let compose: Value = serde_yaml::from_str(&read("deploy/compose.yaml")).unwrap();
    let passed = &compose["services"]["backstop"]["environment"];
    for variable in Provider::all().flat_map(Provider::key_variables) {
        let expected = format!("${{{variable}:-}}");
        assert_eq!(passed[*variable].as_str(), Some(expected.as_str()));
    }
}
