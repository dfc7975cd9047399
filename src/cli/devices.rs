//! `flowmask devices`: shows the processor and the GPUs, and what is missing to use them.

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::anyhow;
use flowmask::cpu::conv::Isa;
use flowmask::cuda::conv::{Choice, kept};
use flowmask::cuda::nvrtc::{Cache, Compiler, Images};
use flowmask::cuda::{self, DeviceInfo};
use serde_json::{Value, json};

use super::{kernels, messages};

pub const HELP: &str = "\
A GPU needs NVIDIA's driver and NVRTC, a compiler library that comes with `pip install nvidia-cuda-nvrtc-cu12` or the \
CUDA toolkit. If NVRTC is not found, set FLOWMASK_NVRTC to the library or its folder. Kernels are compiled at the first \
use of a kind of GPU, and kept in FLOWMASK_CACHE or, by default, flowmask/kernels in the user's cache folder.

Examples:
  flowmask devices
  flowmask devices --compile                      compiles for the GPUs of this machine
  flowmask devices --compile --arch sm_80,sm_90   compiles for other GPUs, as for a container
  flowmask devices --tune                         measures which kernels are the fastest, and prints their times

Exit codes: 0 success, also without a GPU; 2 --compile or --tune failed.";

#[derive(clap::Args)]
pub struct Args {
    /// Compile the kernels for the GPUs of this machine and keep them
    #[arg(long)]
    pub compile: bool,
    /// Compile for these architectures instead, such as sm_90
    #[arg(long, value_name = "SM", value_delimiter = ',', value_parser = capability, requires = "compile")]
    pub arch: Vec<(i32, i32)>,
    /// Measure the kernels of the convolutions on the GPUs of this machine anew, and keep which are the fastest and which
    /// are wrong
    #[arg(long)]
    pub tune: bool,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What was found.
struct Found {
    isas: Vec<&'static str>,
    threads: usize,
    gpus: flowmask::Result<Vec<DeviceInfo>>,
    driver: flowmask::Result<(i32, i32)>,
    compiler: flowmask::Result<Compiler>,
    cache: Cache,
    /// For each GPU.
    choices: Vec<Choice>,
    tuned: bool,
}

/// The compiled kernels of one architecture.
struct Compiled {
    capability: (i32, i32),
    images: Images,
    seconds: f64,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut found = Found::look();
    let compiled = if args.compile { found.compile(&args.arch)? } else { Vec::new() };
    if args.tune {
        let gpus = found.gpus.as_ref().map_err(|e| anyhow!("{e}"))?;
        found.choices = kernels::tune(gpus)?;
        found.tuned = true;
    }
    match args.json {
        true => messages::print(&found.json(&compiled).to_string())?,
        false => found
            .lines()
            .into_iter()
            .chain(found.compiled(&compiled))
            .try_for_each(|l| messages::print(&l))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Found {
    fn look() -> Self {
        let driver = cuda::driver_version();
        let compiler = Compiler::find(driver.as_ref().ok().copied());
        let (gpus, cache) = (cuda::devices(), Cache::user());
        let choice = |gpu| compiler.as_ref().map_or_else(|_| Choice::default(), |c| kept(gpu, c, &cache));
        Found {
            choices: gpus.iter().flatten().map(choice).collect(),
            tuned: false,
            isas: Isa::all().iter().map(|isa| isa.name()).collect(),
            threads: thread::available_parallelism().map_or(1, usize::from),
            gpus,
            compiler,
            driver,
            cache,
        }
    }

    /// Compiles the kernels into the cache, for the wanted architectures or, without any, for this machine's GPUs.
    fn compile(&self, wanted: &[(i32, i32)]) -> anyhow::Result<Vec<Compiled>> {
        let compiler = self.compiler.as_ref().map_err(|e| anyhow!("{e}"))?;
        let mut wanted = wanted.to_vec();
        if wanted.is_empty() {
            let gpus = self.gpus.as_ref();
            let gpus = gpus.map_err(|e| anyhow!("{e}; name the architectures to compile for with --arch"))?;
            wanted.extend(gpus.iter().map(|gpu| gpu.capability));
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted.into_iter().map(|capability| self.compile_for(compiler, capability)).collect()
    }

    fn compile_for(&self, compiler: &Compiler, capability: (i32, i32)) -> anyhow::Result<Compiled> {
        let start = Instant::now();
        let images = compiler.compile_all(capability, &self.cache, &|done, files| {
            if done == 0 {
                messages::notice(&format!("compiling {files} files for {}", architecture(capability)));
            }
        })?;
        // The user asked to fill the cache, so a cache that cannot be written is an error here.
        match &images.unsaved {
            Some(error) => Err(anyhow!("{error}")),
            None => Ok(Compiled { capability, images, seconds: start.elapsed().as_secs_f64() }),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![line("cpu", format!("{}; {} threads", self.isas.join(", "), self.threads))];
        match &self.gpus {
            Ok(gpus) => lines.extend(gpus.iter().zip(&self.choices).flat_map(|(gpu, choice)| {
                let table = if self.tuned { kernels::table(choice) } else { Vec::new() };
                let more = kernels::lines(choice).into_iter().chain(table);
                std::iter::once(line(&format!("cuda:{}", gpu.index), about(gpu)))
                    .chain(more.map(|about| line("", about)))
            })),
            Err(error) => lines.push(line("cuda", missing(error))),
        }
        if let Ok((major, minor)) = &self.driver {
            lines.push(line("driver", format!("CUDA {major}.{minor}")));
        }
        lines.push(line(
            "nvrtc",
            self.compiler.as_ref().map_or_else(missing, |compiler| self.library(compiler)),
        ));
        let passed_over = self.compiler.iter().flat_map(Compiler::passed_over);
        lines.extend(passed_over.map(|error| line("", format!("passed over: {}", reason(error)))));
        let folder = self.cache.folder();
        lines.push(line("cache", folder.map_or("none".into(), |folder| folder.display().to_string())));
        lines
    }

    fn library(&self, compiler: &Compiler) -> String {
        let (major, minor) = compiler.version();
        let about = format!("{major}.{minor}, {}", compiler.path().display());
        match &self.driver {
            Ok((driver, _)) if *driver < major => {
                format!(
                    "{about}; the driver may need an older one: `pip install nvidia-cuda-nvrtc-cu{driver}`"
                )
            }
            _ => about,
        }
    }

    fn compiled<'a>(&self, compiled: &'a [Compiled]) -> impl Iterator<Item = String> + 'a {
        compiled.iter().flat_map(|Compiled { capability, images, seconds }| {
            let (files, new) = (images.files.len(), images.compiled);
            let absent = images.absent.iter();
            let absent = absent.map(|(name, reason)| line("", format!("left out: {name}, {reason}")));
            let count = format!("{new} of {files} files compiled, {seconds:.2} s");
            std::iter::once(line(&architecture(*capability), count)).chain(absent)
        })
    }

    fn json(&self, compiled: &[Compiled]) -> Value {
        let error = |error: &flowmask::Error| Value::from(error.to_string());
        let version = |(major, minor): (i32, i32)| format!("{major}.{minor}");
        let gpu = |(gpu, choice): (&DeviceInfo, &Choice)| {
            json!({
                "index": gpu.index,
                "name": gpu.name,
                "capability": version(gpu.capability),
                "multiprocessors": gpu.multiprocessors,
                "memory": gpu.memory,
                "free": gpu.free,
                "kernels": kernels::json(choice),
            })
        };
        json!({
            "cpu": { "isa": self.isas, "threads": self.threads },
            "gpus": self.gpus.iter().flatten().zip(&self.choices).map(gpu).collect::<Vec<_>>(),
            "gpus_error": self.gpus.as_ref().err().map(error),
            "driver": self.driver.as_ref().ok().copied().map(version),
            "nvrtc": self.compiler.as_ref().ok().map(|compiler| {
                json!({ "version": version(compiler.version()), "path": compiler.path().to_string_lossy() })
            }),
            "nvrtc_error": self.compiler.as_ref().err().map(error),
            "nvrtc_passed_over": self.compiler.iter().flat_map(Compiler::passed_over).map(error).collect::<Vec<_>>(),
            "cache": self.cache.folder().map(|folder| folder.to_string_lossy()),
            "compiled": compiled.iter().map(|Compiled { capability, images, seconds }| json!({
                "arch": architecture(*capability),
                "files": images.files.len(),
                "compiled": images.compiled,
                "absent": kernels::reasons(&images.absent),
                "seconds": (seconds * 1000.0).round() / 1000.0,
            })).collect::<Vec<_>>(),
        })
    }
}

fn line(what: &str, about: String) -> String {
    format!("{what:8}{about}")
}

fn missing(error: &flowmask::Error) -> String {
    format!("none: {}", reason(error))
}

fn reason(error: &flowmask::Error) -> String {
    match error {
        flowmask::Error::Device { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

fn architecture((major, minor): (i32, i32)) -> String {
    format!("sm_{major}{minor}")
}

fn about(gpu: &DeviceInfo) -> String {
    let (major, minor) = gpu.capability;
    let gib = |bytes: usize| bytes as f64 / f64::from(1 << 30);
    let free = gpu.free.map_or("cannot be opened".into(), |free| format!("{:.1} free", gib(free)));
    let old = if major < 8 { "; too old: 8.0 is needed" } else { "" };
    format!(
        "{}, compute capability {major}.{minor}, {} multiprocessors, {:.1} GiB ({free}){old}",
        gpu.name,
        gpu.multiprocessors,
        gib(gpu.memory),
    )
}

/// The compute capability of `sm_90`: the last digit is the minor number.
fn capability(text: &str) -> Result<(i32, i32), String> {
    let number = text.strip_prefix("sm_").and_then(|digits| digits.parse::<u16>().ok());
    match number.map(i32::from) {
        Some(number) if (10..1000).contains(&number) => Ok((number / 10, number % 10)),
        _ => Err("must be an architecture such as sm_90".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_a_compute_capability() {
        assert_eq!(capability("sm_90"), Ok((9, 0)));
        assert_eq!(capability("sm_103"), Ok((10, 3)));
        for wrong in ["90", "sm_", "sm_9", "sm_90a", "compute_90", "sm_-90", "sm_99999"] {
            assert!(capability(wrong).is_err(), "{wrong}");
        }
    }
}
