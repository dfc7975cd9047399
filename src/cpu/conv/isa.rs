//! The instruction sets that a convolution can use.

use crate::{Error, Result};

/// The instruction set that a convolution uses. A value exists only where the processor has the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(pub(super) Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Isa {
    /// The instruction sets of this processor, fastest first. `portable` is always there.
    pub fn all() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                all.push(Isa(Set::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Isa(Set::Avx2));
            }
        }
        // Every 64-bit ARM processor has NEON.
        #[cfg(target_arch = "aarch64")]
        all.push(Isa(Set::Neon));
        all.push(Isa(Set::Portable));
        all
    }

    /// The instruction set with this [name](Isa::name).
    ///
    /// # Errors
    /// [`Error::Option`] for an unknown name, or an instruction set that this processor does not have.
    pub fn named(name: &str) -> Result<Isa> {
        let all = Isa::all();
        all.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|isa| isa.name()).collect();
            Error::option(
                "cpu_isa",
                format!("{name} is not one of {}, which this processor can run", names.join(", ")),
            )
        })
    }

    /// The fastest instruction set of this processor.
    pub fn best() -> Isa {
        Isa::all()[0]
    }

    /// `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "neon",
            Set::Portable => "portable",
        }
    }
}
