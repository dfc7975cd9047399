//! Takes the place of the module `cuda` when the feature `cuda` is off: every use of a GPU is an error.

use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::{Device, Error, Model, Precision, Result};

const REASON: &str = "this program was built without the feature `cuda`, so it cannot use GPUs";

pub(crate) fn count() -> Result<usize> {
    Err(Error::device("cuda", REASON))
}

pub(crate) fn lanes(
    _: &Model,
    _: Option<&Model>,
    gpus: &[usize],
    _: Precision,
    _: Option<&str>,
    _: &dyn Fn(usize, usize),
    _: Pool,
) -> Result<Lanes> {
    Err(Error::device(gpus.first().map_or("cuda".into(), |&n| Device::Cuda(n).to_string()), REASON))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Segmenter;

    #[test]
    fn gpus_have_names_but_cannot_be_used() {
        assert_eq!(Device::list("auto").unwrap(), [Device::Cpu]);
        let devices = Device::list("cuda:1,cuda:0").unwrap();
        let error = Segmenter::builder().devices(devices).build().err().unwrap();
        assert!(matches!(&error, Error::Device { device, .. } if device == "cuda:1"), "{error}");
        assert_eq!(error.to_string(), format!("cuda:1: {REASON}"));
    }
}
