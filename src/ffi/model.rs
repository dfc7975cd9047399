//! Models: weights on their devices, shared by sessions.

use std::ffi::{CStr, c_char, c_void};
use std::time::Instant;

use super::fault::{Fault, guard};
use super::flowmask_log_level::FLOWMASK_LOG_INFO;
use super::flowmask_status;
use super::handles::Handles;
use super::image::check_pointer;
use super::log::{Log, flowmask_log_callback};
use super::sized::{self, sized};
use crate::{Device, Error, Model, Precision, Segmenter};

/// A network with its weights, ready to run on its devices. Threads may share it.
#[allow(missing_debug_implementations)]
pub struct flowmask_model {
    _nothing: [u8; 0],
}

/// In what a GPU computes the network.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_precision {
    /// Half precision with sums in single precision, on the tensor cores.
    FLOWMASK_PRECISION_F16 = 0,
    /// Single precision.
    FLOWMASK_PRECISION_F32 = 1,
}

/// Where and how a model runs. Begin with flowmask_model_options_default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_model_options {
    /// sizeof(flowmask_model_options).
    pub size: u32,
    /// Threads of the processor; 0 takes RAYON_NUM_THREADS, or one a core. Default 0.
    pub threads: u32,
    /// A flowmask_precision. Default FLOWMASK_PRECISION_F16.
    pub precision: i32,
    /// 0.
    pub reserved: u32,
    /// "cpu", "cuda", "cuda:1", "cuda:0,cuda:1", or "auto": all GPUs that can be used, or else the processor. NULL is
    /// "cpu". Default NULL.
    pub device: *const c_char,
    /// Is told what happens to the model and in its sessions; may be NULL. The library itself prints nothing.
    pub log: flowmask_log_callback,
    /// The first argument of log.
    pub log_user_data: *mut c_void,
}

sized!(
    flowmask_model_options, "model_options", first: 40,
    fields: [
        size: u32, threads: u32, precision: i32, reserved: u32, device: *const c_char, log: flowmask_log_callback,
        log_user_data: *mut c_void,
    ],
    flowmask_model_options {
        size: 40, threads: 0, precision: 0, reserved: 0, device: std::ptr::null(), log: None,
        log_user_data: std::ptr::null_mut(),
    }
);

/// What a model is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_model_info {
    /// sizeof(flowmask_model_info): set it before the call.
    pub size: u32,
    /// Channels that the network takes: 1, or 2 with the nuclei.
    pub channels: u32,
    /// Numbers of a style vector.
    pub style_length: u32,
    /// 1 when FLOWMASK_DIAMETER_AUTO can be used.
    pub estimates_diameter: u32,
    /// The diameter in pixels to which the network expects cells to be scaled.
    pub diam_mean: f64,
    /// The mean diameter in pixels of the cells that it was trained on.
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

/// What is behind a handle of a model.
pub(super) struct Loaded {
    pub segmenter: Segmenter,
    pub log: Log,
}

pub(super) static MODELS: Handles<Loaded> = Handles::new("model");

/// Sets all fields to their defaults; size is sizeof(flowmask_model_options).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_model_options_default(
    options: *mut flowmask_model_options,
    size: u32,
) -> flowmask_status {
    // SAFETY: the caller has so many bytes.
    guard(|| unsafe { sized::set_defaults(options, size) })
}

/// Loads a model: "cyto" or "nuclei", which are in the library, "cellpose:NAME", which cellpose has downloaded, or the
/// path of a file of safetensors or of PyTorch, in UTF-8. options may be NULL for the defaults. On a GPU, kernels may
/// have to be compiled, which takes a while at the first time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_model_load(
    name: *const c_char,
    options: *const flowmask_model_options,
    model: *mut *mut flowmask_model,
) -> flowmask_status {
    // SAFETY: what the caller gave is as the header says.
    guard(|| unsafe {
        let name = string("name", name)?.to_owned();
        load(options, model, || Ok(Model::named(&name)?))
    })
}

/// Loads a model from the content of a file; name, which may be NULL, is for messages. The bytes are not kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_model_load_bytes(
    bytes: *const c_void,
    length: u64,
    name: *const c_char,
    options: *const flowmask_model_options,
    model: *mut *mut flowmask_model,
) -> flowmask_status {
    // SAFETY: what the caller gave is as the header says.
    guard(|| unsafe {
        let name = if name.is_null() { "in memory" } else { string("name", name)? }.to_owned();
        let length = usize::try_from(length).ok().filter(|&length| length < 1 << 31);
        let length = length.ok_or_else(|| Fault::argument("length", "no model has 2 GiB"))?;
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
    // SAFETY: what the caller gave is as the header says.
    unsafe {
        let start = Instant::now();
        set_null("model", out)?;
        let given = read(options)?;
        let precision = match given.precision {
            0 => Precision::F16,
            1 => Precision::F32,
            other => return Err(option("precision", format!("{other} is no flowmask_precision"))),
        };
        let names = if given.device.is_null() { "cpu" } else { string("device", given.device)? };
        let devices = Device::list(names)?;
        if given.threads > MOST_THREADS {
            return Err(option("threads", format!("must be at most {MOST_THREADS}")));
        }
        let log = Log { callback: given.log, user_data: given.log_user_data };
        let builder = Segmenter::builder().model(model()?).devices(devices.iter().copied());
        let segmenter = builder.precision(precision).threads(given.threads as usize).build()?;
        log.say(FLOWMASK_LOG_INFO, &loaded(&segmenter, &devices, start));
        out.write(MODELS.insert(Loaded { segmenter, log }));
    }
    Ok(())
}

/// More than any machine has: a number beyond it is a mistake, which would take all of its memory.
const MOST_THREADS: u32 = 4096;

fn option(name: &'static str, reason: String) -> Fault {
    Error::option(name, reason).into()
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
    use super::sized::Versioned;
    let given = match options.is_null() {
        true => flowmask_model_options::defaults(),
        // SAFETY: of the caller.
        false => unsafe { sized::read(options) }?,
    };
    match given.reserved {
        0 => Ok(given),
        _ => Err(Fault::argument("model_options", "its field reserved is not 0")),
    }
}

/// The text at a pointer.
///
/// # Safety
/// It is NULL or ends with a zero byte, and lives for `'a`.
pub(super) unsafe fn string<'a>(name: &str, text: *const c_char) -> Result<&'a str, Fault> {
    check_pointer(name, text)?;
    // SAFETY: of the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Fault::argument(name, "is not UTF-8"))
}

/// Makes an output NULL, which it stays when something goes wrong.
///
/// # Safety
/// It is NULL or can be written.
pub(super) unsafe fn set_null<H>(name: &str, out: *mut *mut H) -> Result<(), Fault> {
    check_pointer(name, out)?;
    // SAFETY: of the caller.
    unsafe { out.write(std::ptr::null_mut()) };
    Ok(())
}

/// Says what a model is.
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
        // SAFETY: the struct of the caller has the size that it says.
        unsafe { sized::write(info, &described) }
    })
}

/// Frees a model, or does nothing for NULL. Its sessions go on until they are freed.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_model_free(model: *mut flowmask_model) -> flowmask_status {
    guard(|| MODELS.free(model))
}
