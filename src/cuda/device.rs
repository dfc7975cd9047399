//! A GPU: its context, a stream and the kernels.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute};
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaStream, DriverError};
use cudarc::nvrtc::Ptx;

use super::driver::{driver, driver_version};
use crate::{Device, Error, Result};

/// Shared memory that a kernel gets without asking.
const SHARED_MEMORY: u32 = 48 << 10;

/// A stream of work on one GPU. [`Gpu::fork`] gives another stream on the same one.
#[derive(Clone, Debug)]
pub struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    kernels: Arc<Kernels>,
}

/// The kernels that were loaded, by name, with the shared memory that each was allowed.
#[derive(Debug)]
struct Kernels {
    /// One for each file of `kernels`.
    modules: HashMap<&'static str, Arc<CudaModule>>,
    functions: Mutex<HashMap<&'static str, (CudaFunction, u32)>>,
}

impl Gpu {
    /// Opens a GPU, counted from 0, and loads the kernels. They are compiled at the first use on a kind of card, which
    /// takes seconds; [`Gpu::open_with`] tells of that.
    ///
    /// # Errors
    /// [`Error::Device`]: no driver, no such GPU, or the kernels cannot be compiled.
    pub fn open(ordinal: usize) -> Result<Self> {
        Self::open_with(ordinal, &|_, _| {})
    }

    /// As [`Gpu::open`]; `progress` is that of [`Compiler::compile_all`](super::nvrtc::Compiler::compile_all).
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub fn open_with(ordinal: usize, progress: &dyn Fn(usize, usize)) -> Result<Self> {
        driver()?;
        let error = |e: DriverError| Error::device(Device::Cuda(ordinal), e);
        let context = CudaContext::new(ordinal).map_err(error)?;
        // SAFETY: buffers are used in the stream that they were made for, in which all work is in order.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(error)?;
        let kernels = Arc::new(Kernels::load(&context, progress)?);
        Ok(Gpu { context, stream, kernels })
    }

    /// The same GPU with another stream.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn fork(&self) -> Result<Self> {
        let stream = self.context.new_stream().map_err(|e| self.error(e))?;
        Ok(Gpu { stream, ..self.clone() })
    }

    /// The name of the card.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn name(&self) -> Result<String> {
        self.context.name().map_err(|e| self.error(e))
    }

    /// Its multiprocessors.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn multiprocessors(&self) -> Result<usize> {
        let count = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        self.context.attribute(count).map(|n| n as usize).map_err(|e| self.error(e))
    }

    /// Bytes of its memory that are free.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn free_memory(&self) -> Result<usize> {
        self.context.mem_get_info().map(|(free, _)| free).map_err(|e| self.error(e))
    }

    /// Waits for all work in the stream.
    ///
    /// # Errors
    /// [`Error::Device`] when some of it failed.
    pub fn synchronize(&self) -> Result<()> {
        self.stream.synchronize().map_err(|e| self.error(e))
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// The context.
    pub fn context(&self) -> &Arc<CudaContext> {
        &self.context
    }

    /// Which device it is.
    pub(crate) fn device(&self) -> Device {
        Device::Cuda(self.context.ordinal())
    }

    pub(crate) fn error(&self, error: DriverError) -> Error {
        Error::device(self.device(), error)
    }

    /// The function `name` of `kernels/FILE.cu`, allowed to use so much shared memory.
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
            let most = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(most, shared as i32).map_err(|e| self.error(e))?;
            // Such kernels hide their latencies by several blocks, whose shared memory must fit beside each other.
            let part = CUfunction_attribute::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
            function.set_attribute(part, 100).map_err(|e| self.error(e))?;
            *allowed = shared;
        }
        Ok(function.clone())
    }
}

impl Kernels {
    fn load(context: &Arc<CudaContext>, progress: &dyn Fn(usize, usize)) -> Result<Self> {
        let module = |(name, image): (&'static str, Ptx)| {
            let error = |e| Error::device(Device::Cuda(context.ordinal()), refused(name, e));
            Ok((name, context.load_module(image).map_err(error)?))
        };
        Ok(Kernels {
            modules: images(context, progress)?.into_iter().map(module).collect::<Result<_>>()?,
            functions: Mutex::default(),
        })
    }
}

/// Why the driver did not take the code of a file.
fn refused(name: &str, error: DriverError) -> String {
    let (major, minor) = driver_version().unwrap_or_default();
    format!(
        "the driver (CUDA {major}.{minor}) does not load the code of {name}.cu ({error}); a driver that is older than \
         NVRTC does that, see `flowmask devices`"
    )
}

/// What the driver loads, by the name of the file.
fn images(context: &Arc<CudaContext>, progress: &dyn Fn(usize, usize)) -> Result<Vec<(&'static str, Ptx)>> {
    use super::nvrtc::{Cache, Compiler};
    let capability = context.compute_capability();
    let capability = capability.map_err(|e| Error::device(Device::Cuda(context.ordinal()), e))?;
    let compiler = Compiler::find(Some(driver_version()?))?;
    let images = compiler.compile_all(capability, &Cache::user(), progress)?;
    Ok(images.files.into_iter().map(|(name, image)| (name, Ptx::from_binary(image))).collect())
}
