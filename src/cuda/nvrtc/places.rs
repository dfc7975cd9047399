//! The places where NVRTC is looked for.

use std::ffi::c_void;
use std::path::{Path, PathBuf};

use crate::{Error, Result, folders};

/// Names of the library that the system's loader may know.
const NAMES: &[&str] = match cfg!(windows) {
    true => &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"],
    false => &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
};

/// The libraries to try, in this order: names for the system's loader, then paths.
pub(super) fn candidates() -> Result<Vec<PathBuf>> {
    candidates_in(&|name| match name {
        // The system knows the home folder even when the variable is not set.
        "HOME" => folders::home(),
        name => folders::variable(name),
    })
}

fn candidates_in(var: &dyn Fn(&str) -> Option<PathBuf>) -> Result<Vec<PathBuf>> {
    if let Some(named) = var("FLOWMASK_NVRTC") {
        let found = if named.is_dir() { libraries(&named) } else { vec![named.clone()] };
        // The loader would search for a path without a folder elsewhere.
        let found: Vec<PathBuf> = found.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
        if !found.iter().any(|path| path.is_file()) {
            let reason = format!("FLOWMASK_NVRTC: there is no NVRTC library at {}", named.display());
            return Err(Error::device("cuda", reason));
        }
        return Ok(found);
    }
    let names = NAMES.iter().map(PathBuf::from);
    Ok(names.chain(searched(var).iter().flat_map(|folder| libraries(folder))).collect())
}

/// The folders of toolkits and Python environments in which the library may be.
fn searched(var: &dyn Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let variables = |names: &[&str]| names.iter().filter_map(|name| var(name)).collect();
    let mut toolkits: Vec<PathBuf> = variables(&["CUDA_PATH", "CUDA_HOME"]);
    toolkits.extend(matching(Path::new("/usr/local"), |name| name.starts_with("cuda")));
    let mut environments: Vec<PathBuf> = variables(&["VIRTUAL_ENV", "CONDA_PREFIX"]);
    // Conda packages of the toolkit are in the environment itself.
    toolkits.extend(var("CONDA_PREFIX"));
    let path = var("PATH").unwrap_or_default();
    let pythons = std::env::split_paths(&path)
        .filter(|folder| ["python3", "python", "python.exe"].iter().any(|name| folder.join(name).is_file()));
    // On Windows, the interpreter is in the folder of the environment, elsewhere in its folder `bin`.
    environments.extend(pythons.filter_map(|folder| match cfg!(windows) {
        true => Some(folder),
        false => folder.parent().map(Path::to_path_buf),
    }));
    environments.extend(var("HOME").map(|home| home.join(".local")));

    let mut folders = Vec::new();
    for toolkit in toolkits {
        folders.extend(["lib64", "lib", "bin", "bin/x64"].map(|part| toolkit.join(part)));
    }
    for packages in environments.iter().flat_map(|environment| packages(environment)) {
        for wheel in
            matching(&packages.join("nvidia"), |name| name == "cuda_nvrtc" || name.starts_with("cu1"))
        {
            folders.extend(["lib", "bin", "bin/x86_64"].map(|part| wheel.join(part)));
        }
    }
    folders
}

/// The folders in which a Python environment has its packages.
fn packages(environment: &Path) -> Vec<PathBuf> {
    let versions = matching(&environment.join("lib"), |name| name.starts_with("python3"));
    let folders =
        versions.iter().flat_map(|python| ["site-packages", "dist-packages"].map(|name| python.join(name)));
    folders.chain([environment.join("Lib").join("site-packages")]).collect()
}

/// The libraries in a folder, the latest version first.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    matching(folder, |name| match cfg!(windows) {
        true => name.starts_with("nvrtc64_") && name.ends_with("_0.dll"),
        false => name.starts_with("libnvrtc.so"),
    })
}

/// The libraries of built-in declarations of an NVRTC of this version, such as `libnvrtc-builtins.so.13.0`: those beside
/// it, and those beside the file that it may be a link to.
pub(super) fn builtins(nvrtc: &Path, (major, minor): (i32, i32)) -> Vec<PathBuf> {
    let file = std::fs::canonicalize(nvrtc).unwrap_or_default();
    let mut folders: Vec<&Path> = [nvrtc, &file].into_iter().filter_map(Path::parent).collect();
    folders.retain(|folder| !folder.as_os_str().is_empty());
    folders.dedup();
    let wanted = |name: &str| match cfg!(windows) {
        true => name.starts_with(&format!("nvrtc-builtins64_{major}{minor}.")) && name.ends_with(".dll"),
        false => name.starts_with("libnvrtc-builtins.") && name.ends_with(&format!(".so.{major}.{minor}")),
    };
    folders.into_iter().flat_map(|folder| matching(folder, wanted)).collect()
}

/// The entries of a folder whose names are wanted, in descending order of their names.
fn matching(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(&wanted)).map(|e| e.path()).collect();
    found.sort_by(|a, b| b.cmp(a));
    found
}

/// The path of the library that was loaded by `name` and that contains this address.
#[cfg(target_os = "linux")]
pub(super) fn loaded(name: &Path, address: *const c_void) -> PathBuf {
    // Lines such as `7f00-7f80 r-xp 00000000 08:01 1234   /usr/lib/libnvrtc.so.12.9.86`.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let file = maps.lines().find_map(|line| {
        let (start, rest) = line.split_once('-')?;
        let end = rest.split(' ').next()?;
        let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        let file = line.find('/').filter(|_| range.contains(&(address as usize)))?;
        Some(PathBuf::from(&line[file..]))
    });
    file.filter(|_| !name.is_absolute()).unwrap_or_else(|| name.into())
}

/// Returns the name, since this system does not tell the path.
#[cfg(not(target_os = "linux"))]
pub(super) fn loaded(name: &Path, _address: *const c_void) -> PathBuf {
    name.into()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn toolkits_and_environments_are_searched() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let files = [
            "toolkit/lib64/libnvrtc.so.12",
            "venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
            "conda/lib/libnvrtc.so.13",
            "prefix/lib/python3/dist-packages/nvidia/cu13/lib/libnvrtc.so.13",
            ".local/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
        ];
        files.iter().for_each(|file| touch(&at(file)));
        touch(&at("prefix/bin/python3"));
        touch(&at("other/lib/libnvrtc.so.12"));
        touch(&at("venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc-builtins.so.12.9"));
        let var = |name: &str| match name {
            "CUDA_PATH" => Some(at("toolkit")),
            "VIRTUAL_ENV" => Some(at("venv")),
            "CONDA_PREFIX" => Some(at("conda")),
            "PATH" => Some(std::env::join_paths([at("other/bin"), at("prefix/bin")]).unwrap().into()),
            "HOME" => Some(home.path().into()),
            _ => None,
        };
        let candidates = candidates_in(&var).unwrap();
        assert_eq!(candidates[0], Path::new("libnvrtc.so.13"));
        let mut found: Vec<&PathBuf> =
            candidates.iter().filter(|path| path.starts_with(home.path())).collect();
        let mut wanted = files.map(at);
        assert_eq!(found[0], &wanted[0], "the toolkit is first");
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted.iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_built_in_declarations_are_those_of_the_same_version_in_the_same_folder() {
        let home = tempfile::tempdir().unwrap();
        let names = [
            "libnvrtc.so.13",
            "libnvrtc-builtins.so.13.0",
            "libnvrtc-builtins.alt.so.13.0",
            "libnvrtc-builtins.so.13.5",
            "libnvrtc-builtins.so.12.13.0",
        ];
        names.iter().for_each(|name| touch(&home.path().join(name)));
        let found = |version| builtins(&home.path().join(names[0]), version);
        assert_eq!(found((13, 0)), [1, 2].map(|i| home.path().join(names[i])));
        assert_eq!(found((13, 5)), [home.path().join(names[3])]);
        // Without a folder there is nothing beside it: the system's loader found it, and did not tell where.
        assert!(found((13, 1)).is_empty() && builtins(Path::new(names[0]), (13, 0)).is_empty());
    }

    #[test]
    fn the_variable_names_a_library_or_its_folder_and_nothing_else_is_tried() {
        let home = tempfile::tempdir().unwrap();
        let (old, new) = (home.path().join("libnvrtc.so.12"), home.path().join("libnvrtc.so.13"));
        touch(&old);
        touch(&new);
        let of = |path: &Path| candidates_in(&|name| (name == "FLOWMASK_NVRTC").then(|| path.into()));
        assert_eq!(of(&old).unwrap(), std::slice::from_ref(&old));
        assert_eq!(of(home.path()).unwrap(), [new, old]);
        for wrong in [home.path().join("missing"), tempfile::tempdir().unwrap().path().into()] {
            let error = of(&wrong).unwrap_err().to_string();
            assert!(error.contains("FLOWMASK_NVRTC") && error.contains(wrong.to_str().unwrap()), "{error}");
        }
    }
}
