//! Dependencies point one way: `search` uses `run`, which uses `workload`, which uses `file`, which uses the checkers.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of `src`. Each may use itself and those before it.
const LAYERS: [&str; 4] = ["file", "workload", "run", "search"];

/// Modules at the root of the crate that count as part of `run`.
const OF_RUN: [&str; 1] = ["registry"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder exists").map(|entry| entry.expect("a readable entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Returns the code of a file, without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("the file is UTF-8");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the root modules that the code uses, in single and grouped imports.
fn used(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).flat_map(|rest| {
        let list = rest.strip_prefix('{').and_then(|list| list.split_once('}')).map(|(list, _)| list);
        let names = list.map_or_else(|| vec![rest], |list| list.split(',').collect());
        names.into_iter().filter_map(|name| name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next())
    })
}

#[test]
fn no_layer_uses_a_later_one() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (index, layer) in LAYERS.iter().enumerate() {
        for path in sources(&src.join(layer)) {
            for name in used(&code(&path)) {
                let name = if OF_RUN.contains(&name) { "run" } else { name };
                let is_later = LAYERS[index + 1..].contains(&name);
                assert!(!is_later, "{} uses `{name}`, which is a later layer than `{layer}`", path.display());
            }
        }
    }
}

#[test]
fn single_and_grouped_imports_are_found() {
    let code = "use crate::run::case;\nuse crate::{file, search::shrink};\nlet x = crate::workload::new();";
    assert_eq!(used(code).collect::<Vec<_>>(), ["run", "file", "search", "workload"]);
}
