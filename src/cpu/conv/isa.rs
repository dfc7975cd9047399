//! The instruction sets that a convolution can use.

#[cfg(target_arch = "aarch64")]
use super::simd::Neon;
use super::simd::{Portable, Vector};
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

/// What is computed with vectors.
pub(super) trait Job {
    /// # Safety
    /// The processor must have the instructions of `V`.
    unsafe fn run<V: Vector>(self);
}

impl Isa {
    /// Runs a job with the vectors of this instruction set.
    pub(super) fn run(self, job: impl Job) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of AVX-512 is only made where the processor has it.
            Set::Avx512 => unsafe { avx512(job) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above, for AVX2 and FMA.
            Set::Avx2 => unsafe { avx2(job) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: every 64-bit ARM processor has NEON.
            Set::Neon => unsafe { job.run::<Neon>() },
            // SAFETY: plain Rust needs no instruction set.
            Set::Portable => unsafe { job.run::<Portable>() },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(job: impl Job) {
    unsafe { job.run::<std::arch::x86_64::__m512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(job: impl Job) {
    unsafe { job.run::<std::arch::x86_64::__m256>() }
}
