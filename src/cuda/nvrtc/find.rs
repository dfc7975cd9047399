//! Which NVRTC is taken: the first that works.

use super::library::INSTALL;
use super::{Cache, Compiler, Images, places};
use crate::{Error, Result};

impl Compiler {
    /// Loads the library that the environment variable `FLOWMASK_NVRTC` names, or else the first one that the system's
    /// loader, the CUDA toolkit or a Python environment has, and that compiles an empty kernel. `driver` is the CUDA
    /// version of the driver that will load the compiled code. A driver refuses the code of a later NVRTC, so a library
    /// that is not later is preferred.
    ///
    /// # Errors
    /// [`Error::Device`] when no library is found or none can be used; it says why, and what to install.
    pub fn find(driver: Option<(i32, i32)>) -> Result<Self> {
        let (found, ()) = first(driver, |compiler| compiler.trial())?;
        Ok(found)
    }

    /// The kernels for a card, by the first library that makes them, or has them in the cache. The order of libraries is
    /// that of [`Compiler::find`], the rest as in [`Compiler::compile_all`].
    ///
    /// # Errors
    /// Those of both.
    pub(in crate::cuda) fn find_images(
        driver: (i32, i32),
        capability: (i32, i32),
        cache: &Cache,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Images> {
        let (_, images) = first(Some(driver), |compiler| compiler.compile_all(capability, cache, progress))?;
        Ok(images)
    }
}

/// The first library that can do what is wanted, with the result.
fn first<T>(driver: Option<(i32, i32)>, wanted: impl Fn(&Compiler) -> Result<T>) -> Result<(Compiler, T)> {
    let (mut later, mut refused) = (Vec::new(), Vec::new());
    for path in places::candidates()? {
        match Compiler::open(&path) {
            Ok(found) if driver.is_some_and(|(major, _)| found.version().0 > major) => later.push(found),
            Ok(found) => match wanted(&found) {
                Ok(made) => return Ok((found.instead_of(refused), made)),
                Err(error) => refused.push(error),
            },
            Err(error) if path.is_absolute() => refused.push(error),
            // The candidate is only a name, which the system's loader does not know.
            Err(_) => {}
        }
    }
    for found in later {
        match wanted(&found) {
            Ok(made) => return Ok((found.instead_of(refused), made)),
            Err(error) => refused.push(error),
        }
    }
    Err(none(&refused))
}

/// The error where no library can be used: the reasons of all.
fn none(refused: &[Error]) -> Error {
    let reasons: Vec<String> = refused.iter().map(reason).collect();
    match reasons.is_empty() {
        true => {
            Error::device("cuda", format!("NVRTC, the compiler of the kernels, was not found; {INSTALL}"))
        }
        false => Error::device("cuda", reasons.join("; ")),
    }
}

/// Why, without the name of the device.
pub(in crate::cuda) fn reason(error: &Error) -> String {
    match error {
        Error::Device { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}
