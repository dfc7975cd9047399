//! Models, which sessions share: a network on its devices.

use std::ffi::{CStr, c_char, c_void};
use std::time::Instant;

use crate::fault::{Fault, guard, guard_free};
use crate::flowmask_log_level::FLOWMASK_LOG_INFO;
use crate::flowmask_status;
use crate::handles::Handles;
use crate::image::check_pointer;
use crate::log::{Log, flowmask_log_callback};
use crate::pool::{Home, POOLS, flowmask_pool};
use crate::sized::{self, sized};
use flowmask::{Device, Error, Model, Precision, Segmenter};

/// A network with its weights, loaded onto its devices. Threads may share it.
#[allow(missing_debug_implementations)]
pub struct flowmask_model {
    _nothing: [u8; 0],
}

/// The number format in which a GPU computes the network.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_precision {
    /// Half precision, with sums in single precision, on the tensor cores.
    FLOWMASK_PRECISION_F16 = 0,
    /// Single precision throughout.
    FLOWMASK_PRECISION_F32 = 1,
}

/// Where and how a model runs. Call flowmask_model_options_default first, then set what differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_model_options {
    /// sizeof(flowmask_model_options).
    pub size: u32,
    /// The number of threads; 0 takes the number in RAYON_NUM_THREADS, or one for each core. Default 0.
    pub threads: u32,
    /// A flowmask_precision. Default FLOWMASK_PRECISION_F16.
    pub precision: i32,
    /// Must be 0.
    pub reserved: u32,
    /// "cpu", "cuda" (the first GPU), "cuda:1", "cuda:0,cuda:1" or "auto" (all GPUs that can be used, or the processor if
    /// there are none). NULL means "cpu". Default NULL.
    pub device: *const c_char,
    /// A function that gets the log messages of the model and its sessions; may be NULL. Default NULL.
    pub log: flowmask_log_callback,
    /// The first argument of log. Default NULL.
    pub log_user_data: *mut c_void,
    /// The threads to compute on, which other models may use too; threads is then not used. NULL starts threads for this
    /// model alone. Default NULL.
    pub pool: *const flowmask_pool,
    /// The kernels of the convolutions in half precision on a GPU, by a name that `flowmask devices` shows, such as "sm_80".
    /// NULL takes what is fastest on each kind of card; it is measured at the first use and kept. Default NULL.
    pub kernels: *const c_char,
}

sized!(
    flowmask_model_options, "model_options", first: 40,
    fields: [
        size: u32, threads: u32, precision: i32, reserved: u32, device: *const c_char, log: flowmask_log_callback,
        log_user_data: *mut c_void, pool: *const flowmask_pool, kernels: *const c_char,
    ],
    flowmask_model_options {
        size: 56, threads: 0, precision: 0, reserved: 0, device: std::ptr::null(), log: None,
        log_user_data: std::ptr::null_mut(), pool: std::ptr::null(), kernels: std::ptr::null(),
    }
);

/// The properties of a model.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_model_info {
    /// sizeof(flowmask_model_info): set it before the call.
    pub size: u32,
    /// The number of channels that the network takes: 1, or 2 if it also takes the nuclei.
    pub channels: u32,
    /// The length of a style vector.
    pub style_length: u32,
    /// 1 when the model can estimate the diameter (FLOWMASK_DIAMETER_AUTO), else 0.
    pub estimates_diameter: u32,
    /// The diameter in pixels that cells have in the network's input; images are scaled to it.
    pub diam_mean: f64,
    /// The mean diameter in pixels of the cells that the model was trained on.
    pub diam_labels: f64,
}

sized!(
    flowmask_model_info, "model_info", first: 32,
    fields: [
        size: u32, channels: u32, style_length: u32, estimates_diameter: u32, diam_mean: f64, diam_labels: f64,
    ],
    flowmask_model_info {
        size: 32, channels: 0, style_length: 0, estimates_diameter: 0, diam_mean: 0.0, diam_labels: 0.0,
    }
);

/// The value behind a model handle.
pub(crate) struct Loaded {
    pub segmenter: Segmenter,
    pub log: Log,
    pub home: Home,
}

pub(crate) static MODELS: Handles<Loaded> = Handles::new("model");

/// Sets all fields to their defaults. size is sizeof(flowmask_model_options), so that a newer library writes no more than
/// the caller has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_model_options_default(
    options: *mut flowmask_model_options,
    size: u32,
) -> flowmask_status {
    // SAFETY: the caller's struct has `size` bytes.
    guard(|| unsafe { sized::set_defaults(options, size) })
}

/// The name of a built-in model, by its index from 0; NULL when there are no more. The string is valid while the library is
/// loaded.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_builtin_model(index: u32) -> *const c_char {
    const NAMES: [&CStr; 2] = [c"cyto", c"nuclei"];
    NAMES.get(index as usize).map_or(std::ptr::null(), |name| name.as_ptr())
}

/// Loads a model. name is in UTF-8: "cyto" or "nuclei" for the built-in models, "cellpose:NAME" for a model that cellpose
/// has downloaded, or the path of a safetensors or PyTorch file. options may be NULL for the defaults. The first time on a
/// GPU, kernels are compiled, which takes seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_model_load(
    name: *const c_char,
    options: *const flowmask_model_options,
    model: *mut *mut flowmask_model,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        let name = string("name", name)?.to_owned();
        load(options, model, || Ok(Model::named(&name)?))
    })
}

/// Loads a model from the bytes of such a file. They are not kept. name is used in messages, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_model_load_bytes(
    bytes: *const c_void,
    length: u64,
    name: *const c_char,
    options: *const flowmask_model_options,
    model: *mut *mut flowmask_model,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        let name = if name.is_null() { "in memory" } else { string("name", name)? }.to_owned();
        let length = usize::try_from(length).ok().filter(|&length| length < 1 << 31);
        let length =
            length.ok_or_else(|| Fault::argument("length", "is 2 GiB or more, which no model has"))?;
        check_pointer("bytes", bytes.cast::<u8>())?;
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length);
        load(options, model, || Ok(Model::from_bytes(&name, bytes)?))
    })
}

unsafe fn load(
    options: *const flowmask_model_options,
    out: *mut *mut flowmask_model,
    model: impl FnOnce() -> Result<Model, Fault>,
) -> Result<(), Fault> {
    // SAFETY: the caller's arguments are as the header demands.
    unsafe {
        let start = Instant::now();
        set_null("model", out)?;
        let options = read(options)?;
        let precision = match options.precision {
            0 => Precision::F16,
            1 => Precision::F32,
            other => return Err(option("precision", format!("{other} is not a flowmask_precision"))),
        };
        let names = if options.device.is_null() { "cpu" } else { string("device", options.device)? };
        let devices = Device::list(names)?;
        let log = Log { callback: options.log, user_data: options.log_user_data };
        let mut builder = Segmenter::builder().model(model()?).devices(devices.iter().copied());
        if !options.pool.is_null() {
            builder = builder.pool(&*POOLS.get(options.pool)?);
        }
        if !options.kernels.is_null() {
            builder = builder.kernels(string("kernels", options.kernels)?);
        }
        let segmenter = builder.precision(precision).threads(options.threads as usize).build()?;
        log.say(FLOWMASK_LOG_INFO, &loaded(&segmenter, &devices, start));
        out.write(MODELS.insert(Loaded { segmenter, log, home: Home::here() }));
    }
    Ok(())
}

fn option(name: &'static str, reason: String) -> Fault {
    Error::Option { name, reason }.into()
}

fn loaded(segmenter: &Segmenter, devices: &[Device], start: Instant) -> String {
    let devices: Vec<String> = devices.iter().map(Device::to_string).collect();
    let (model, threads) = (segmenter.model(), segmenter.threads());
    format!(
        "model {} (diameter {} pixels) on {} with {threads} threads, loaded in {:.2} s",
        model.name(),
        model.diam_mean(),
        devices.join(","),
        start.elapsed().as_secs_f64()
    )
}

unsafe fn read(options: *const flowmask_model_options) -> Result<flowmask_model_options, Fault> {
    use crate::sized::Versioned;
    let options = match options.is_null() {
        true => flowmask_model_options::defaults(),
        // SAFETY: the caller guarantees it.
        false => unsafe { sized::read(options) }?,
    };
    match options.reserved {
        0 => Ok(options),
        _ => Err(Fault::argument("model_options", "its field reserved is not 0")),
    }
}

/// The text at a pointer.
///
/// # Safety
/// The pointer is NULL, or the text ends with a zero byte and lives for `'a`.
pub(crate) unsafe fn string<'a>(name: &str, text: *const c_char) -> Result<&'a str, Fault> {
    check_pointer(name, text)?;
    // SAFETY: the caller guarantees it.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Fault::argument(name, "is not UTF-8"))
}

/// Sets an output to NULL, which it keeps after an error.
///
/// # Safety
/// The pointer is NULL or can be written.
pub(crate) unsafe fn set_null<H>(name: &str, out: *mut *mut H) -> Result<(), Fault> {
    check_pointer(name, out)?;
    // SAFETY: the caller guarantees it.
    unsafe { out.write(std::ptr::null_mut()) };
    Ok(())
}

/// Describes a model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_model_describe(
    model: *const flowmask_model,
    info: *mut flowmask_model_info,
) -> flowmask_status {
    guard(|| {
        let loaded = MODELS.get(model)?;
        let model = loaded.segmenter.model();
        let nbase = &model.network().nbase;
        let described = flowmask_model_info {
            size: size_of::<flowmask_model_info>() as u32,
            channels: nbase.first().map_or(0, |&n| n as u32),
            style_length: nbase.last().map_or(0, |&n| n as u32),
            estimates_diameter: model.size_model().is_some().into(),
            diam_mean: model.diam_mean().into(),
            diam_labels: model.diam_labels().into(),
        };
        // SAFETY: the caller's struct has the size in its first field.
        unsafe { sized::write(info, &described) }
    })
}

/// Frees a model; NULL does nothing. Its sessions can still be used until they are freed.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_model_free(model: *mut flowmask_model) -> flowmask_status {
    guard_free(|| MODELS.free(model))
}
