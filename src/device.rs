//! The devices that images are segmented on, and their names.

use std::fmt;
use std::str::FromStr;

use crate::cuda;
use crate::{Error, Result};

/// A device that images are segmented on.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU by its index, from 0. It needs the feature `cuda`.
    Cuda(usize),
}

impl Device {
    /// The devices that a list such as `cuda:0,cuda:1` names. `auto` stands for all GPUs that can be used, or for the
    /// processor where there are none.
    ///
    /// ```
    /// use flowmask::Device;
    /// assert_eq!(Device::list("cpu")?, [Device::Cpu]);
    /// assert_eq!(Device::list("cuda:0,cuda:2")?, [Device::Cuda(0), Device::Cuda(2)]);
    /// # Ok::<(), flowmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] for an unknown name, for a device that is named twice, and for the processor beside a GPU: their
    /// results differ in the last digits, so the masks of an image would depend on which of them took it.
    pub fn list(names: &str) -> Result<Vec<Device>> {
        if names == "auto" {
            let gpus: Vec<Device> = (0..cuda::count().unwrap_or(0)).map(Device::Cuda).collect();
            return Ok(if gpus.is_empty() { vec![Device::Cpu] } else { gpus });
        }
        let devices: Vec<Device> = names.split(',').map(str::parse).collect::<Result<_>>()?;
        Device::check(&devices)?;
        Ok(devices)
    }

    /// The index of a GPU; nothing for the processor.
    pub(crate) fn ordinal(self) -> Option<usize> {
        match self {
            Device::Cpu => None,
            Device::Cuda(n) => Some(n),
        }
    }

    /// Refuses devices that cannot be used together.
    pub(crate) fn check(devices: &[Device]) -> Result<()> {
        let fail = |reason: String| Err(Error::option("device", reason));
        if let Some((_, twice)) =
            devices.iter().enumerate().find(|(i, device)| devices[..*i].contains(device))
        {
            return fail(format!("{twice} is named twice"));
        }
        if devices.len() > 1 && devices.contains(&Device::Cpu) {
            return fail(
                "the processor and a GPU cannot share images: their results differ in the last digits".into(),
            );
        }
        Ok(())
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let gpu = |number: &str| number.parse().ok().map(Device::Cuda);
        let device = match name {
            "cpu" => Some(Device::Cpu),
            "cuda" => Some(Device::Cuda(0)),
            _ => name.strip_prefix("cuda:").and_then(gpu),
        };
        device.ok_or_else(|| {
            Error::option(
                "device",
                format!("{name} is not a device; use cpu, cuda, cuda:0, cuda:0,cuda:1 or auto"),
            )
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in ["cpu", "cuda:0", "cuda:13"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse::<Device>().unwrap(), Device::Cuda(0));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:0,", "cuda:0,cuda:0", "cpu,cuda"] {
            assert!(matches!(Device::list(wrong), Err(Error::Option { name: "device", .. })), "{wrong}");
        }
    }
}
