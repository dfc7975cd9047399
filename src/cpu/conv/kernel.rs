//! Which instructions a convolution uses.

use crate::{Error, Result};

/// The instruction set in use. Can only be made where the processor has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(pub(super) Isa);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Kernel {
    /// The kernels that this processor can run, fastest first.
    pub fn all() -> Vec<Kernel> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                all.push(Kernel(Isa::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Kernel(Isa::Avx2));
            }
        }
        // Every 64-bit ARM processor has it.
        #[cfg(target_arch = "aarch64")]
        all.push(Kernel(Isa::Neon));
        all.push(Kernel(Isa::Portable));
        all
    }

    /// The kernel of a name.
    ///
    /// # Errors
    /// [`Error::Option`] for a name that is none, or one that this processor cannot run.
    pub fn named(name: &str) -> Result<Kernel> {
        let all = Kernel::all();
        all.iter().copied().find(|kernel| kernel.name() == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|kernel| kernel.name()).collect();
            Error::option(
                "cpu_kernel",
                format!("{name} is not one of {}, which this processor can run", names.join(", ")),
            )
        })
    }

    /// The fastest one.
    pub fn best() -> Kernel {
        Kernel::all()[0]
    }

    /// `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        }
    }
}
