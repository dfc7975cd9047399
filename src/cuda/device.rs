//! An opened GPU: its context, a stream and the loaded kernels.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute, CUresult};
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaStream, DriverError};
use cudarc::nvrtc::Ptx;

use super::conv::Choice;
use super::driver::{driver, driver_version};
use super::nvrtc::{Cache, Compiler, Images, specific};
use crate::{Device, Error, Result};

/// Bytes of shared memory that a kernel may use without a higher limit being set.
const SHARED_MEMORY: u32 = 48 << 10;

/// An opened GPU with a stream, in which all kernels and copies run in order. [`Gpu::fork`] makes another stream of the
/// same GPU.
#[derive(Clone, Debug)]
pub struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    kernels: Arc<Kernels>,
    choice: Arc<Choice>,
    /// Whether the GPU reads the host's pageable memory by itself, as on coherent systems (Grace Hopper) and with Linux's
    /// HMM.
    reads_pageable: bool,
}

/// The loaded kernels.
#[derive(Debug)]
struct Kernels {
    /// The module of each file of `kernels`, by the name of the file.
    modules: HashMap<&'static str, Arc<CudaModule>>,
    /// The files that are not for this card, or cannot be used on it, with the reasons.
    absent: Vec<(&'static str, String)>,
    /// The version of NVRTC, (major, minor).
    compiler: (i32, i32),
    /// The kernels that were used so far, by name, with the bytes of shared memory that each may use.
    functions: Mutex<HashMap<&'static str, (CudaFunction, u32)>>,
}

impl Gpu {
    /// Opens a GPU by its index, counted from 0, and loads the kernels. The first time that a kind of card is used, the
    /// kernels are compiled for it, which takes seconds; [`Gpu::open_with`] reports the progress of that.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no driver or no such GPU, or when the kernels cannot be compiled.
    pub fn open(ordinal: usize) -> Result<Self> {
        Self::open_with(ordinal, &|_, _| {})
    }

    /// Opens a GPU like [`Gpu::open`]. `progress` is called as in
    /// [`Compiler::compile_all`](super::nvrtc::Compiler::compile_all).
    ///
    /// # Errors
    /// Those of [`Gpu::open`].
    pub fn open_with(ordinal: usize, progress: &dyn Fn(usize, usize)) -> Result<Self> {
        driver()?;
        let error = |e: DriverError| Error::device(Device::Cuda(ordinal), e);
        let context = CudaContext::new(ordinal).map_err(error)?;
        // SAFETY: a buffer is used only in the stream that it was made for, in which everything runs in order.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(error)?;
        let kernels = Arc::new(Kernels::load(&context, progress)?);
        let pageable = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS;
        // An older driver, which does not know the question, has no such systems.
        let reads_pageable = context.attribute(pageable).is_ok_and(|yes| yes != 0);
        Ok(Gpu { context, stream, kernels, choice: Arc::default(), reads_pageable })
    }

    /// Returns the same GPU with a new stream.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn fork(&self) -> Result<Self> {
        let stream = self.context.new_stream().map_err(|e| self.error(e))?;
        Ok(Gpu { stream, ..self.clone() })
    }

    /// Returns the same GPU with another choice of kernels. Networks that are on it already keep to the orders of their
    /// weights.
    pub fn choosing(self, choice: Choice) -> Self {
        Gpu { choice: Arc::new(choice), ..self }
    }

    /// Which kernels compute the convolutions.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Why the kernels of a file of `kernels` cannot be used on this card; `None` if they can.
    pub(crate) fn absent(&self, file: &str) -> Option<&str> {
        self.kernels.absent.iter().find(|(name, _)| *name == file).map(|(_, reason)| &**reason)
    }

    /// The version of NVRTC that compiled the kernels, (major, minor).
    pub(crate) fn compiler(&self) -> (i32, i32) {
        self.kernels.compiler
    }

    /// The name of the card.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn name(&self) -> Result<String> {
        self.context.name().map_err(|e| self.error(e))
    }

    /// The number of multiprocessors of the GPU.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn multiprocessors(&self) -> Result<usize> {
        let count = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        self.context.attribute(count).map(|n| n as usize).map_err(|e| self.error(e))
    }

    /// The number of free bytes in the GPU's memory.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn free_memory(&self) -> Result<usize> {
        self.context.mem_get_info().map(|(free, _)| free).map_err(|e| self.error(e))
    }

    /// Waits until all kernels and copies in the stream are done.
    ///
    /// # Errors
    /// [`Error::Device`] when one of them failed.
    pub fn synchronize(&self) -> Result<()> {
        self.stream.synchronize().map_err(|e| self.error(e))
    }

    /// Waits until a copy from pageable memory that was just put into the stream has read its source. Elsewhere the driver
    /// has copied the source when the call returns; a GPU that reads pageable memory by itself may read it later.
    pub(super) fn wait_for_source(&self) -> Result<()> {
        if self.reads_pageable { self.synchronize() } else { Ok(()) }
    }

    /// The stream in which the kernels run.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// The primary context of the GPU.
    pub fn context(&self) -> &Arc<CudaContext> {
        &self.context
    }

    /// The GPU as a [`Device`].
    pub(crate) fn device(&self) -> Device {
        Device::Cuda(self.context.ordinal())
    }

    pub(crate) fn error(&self, error: DriverError) -> Error {
        Error::device(self.device(), error)
    }

    /// The error of an allocation of this many bytes.
    pub(crate) fn allocation_error(&self, error: DriverError, bytes: usize) -> Error {
        match (error.0, self.free_memory()) {
            (CUresult::CUDA_ERROR_OUT_OF_MEMORY, Ok(free)) => {
                Error::memory(format!("{}: an array", self.device()), bytes as u64, free as u64)
            }
            _ => self.error(error),
        }
    }

    /// The kernel `name` of `kernels/FILE.cu`, with permission to use `shared` bytes of shared memory.
    pub(crate) fn kernel(&self, file: &'static str, name: &'static str, shared: u32) -> Result<CudaFunction> {
        let mut functions = self.kernels.functions.lock().unwrap_or_else(|e| e.into_inner());
        let (function, allowed) = match functions.entry(name) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let module = self.kernels.modules.get(file);
                let module = module.ok_or_else(|| Error::device("cuda", format!("no kernels/{file}.cu")))?;
                let function = module.load_function(name).map_err(|e| self.error(e))?;
                entry.insert((function, SHARED_MEMORY))
            }
        };
        if shared > *allowed {
            let limit = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(limit, shared as i32).map_err(|e| self.error(e))?;
            // These kernels hide latency by several thread blocks on a multiprocessor, all of whose shared memory must
            // fit into it.
            let carveout = CUfunction_attribute::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
            function.set_attribute(carveout, 100).map_err(|e| self.error(e))?;
            *allowed = shared;
        }
        Ok(function.clone())
    }
}

impl Kernels {
    fn load(context: &Arc<CudaContext>, progress: &dyn Fn(usize, usize)) -> Result<Self> {
        let images = images(context, progress)?;
        let (mut modules, mut absent) = (HashMap::new(), images.absent);
        for (name, image) in images.files {
            match context.load_module(Ptx::from_binary(image)) {
                Ok(module) => drop(modules.insert(name, module)),
                Err(error) if specific(name).is_some() => absent.push((name, refused(name, error))),
                Err(error) => {
                    return Err(Error::device(Device::Cuda(context.ordinal()), refused(name, error)));
                }
            }
        }
        Ok(Kernels { modules, absent, compiler: images.compiler, functions: Mutex::default() })
    }
}

/// The message for code that the driver does not load.
fn refused(name: &str, error: DriverError) -> String {
    let (major, minor) = driver_version().unwrap_or_default();
    format!(
        "the driver (CUDA {major}.{minor}) does not load the code of {name}.cu ({error}); a driver that is older than \
         NVRTC does that, see `flowmask devices`"
    )
}

/// The compiled code of each file of `kernels` that is for the card.
fn images(context: &Arc<CudaContext>, progress: &dyn Fn(usize, usize)) -> Result<Images> {
    let capability = context.compute_capability();
    let capability = capability.map_err(|e| Error::device(Device::Cuda(context.ordinal()), e))?;
    Compiler::find_images(driver_version()?, capability, &Cache::user(), progress)
}
