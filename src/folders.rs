//! The user's folders, by the rules of the platform.

use std::path::PathBuf;

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

/// The folder for files that can be remade: `flowmask` in `~/.cache` or `XDG_CACHE_HOME` (`Library/Caches` on macOS,
/// `AppData\Local` on Windows). `None` when the user has no home folder.
#[cfg(feature = "cuda")]
pub(crate) fn cache() -> Option<PathBuf> {
    Some(choose_native_strategy().ok()?.cache_dir().join("flowmask"))
}

/// The folder for files to keep: `flowmask` in `~/.local/share` or `XDG_DATA_HOME` (`Library/Application Support` on
/// macOS, `AppData\Roaming` on Windows). `None` when the user has no home folder.
#[cfg_attr(feature = "builtin-models", allow(dead_code, reason = "the weights are in the program"))]
pub(crate) fn data() -> Option<PathBuf> {
    Some(choose_native_strategy().ok()?.data_dir().join("flowmask"))
}

/// The user's home folder.
pub(crate) fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()
}

/// The path in an environment variable. `None` when it is not set, or empty, which is how a shell switches one off.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "cuda")]
    fn folders_of_the_program_are_apart_and_have_its_name() {
        let (cache, data) = (cache().unwrap(), data().unwrap());
        assert!(cache != data && cache.is_absolute() && data.is_absolute());
        assert!(cache.ends_with("flowmask") && data.ends_with("flowmask"));
    }

    #[test]
    fn a_variable_without_a_value_names_nothing() {
        assert_eq!(variable("FLOWMASK_NO_SUCH_VARIABLE"), None);
        assert_eq!(variable("CARGO_MANIFEST_DIR"), std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from));
    }
}
