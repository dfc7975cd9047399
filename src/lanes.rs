//! Who does the work of a segmenter: lanes, each of which takes some images at a time from pixels to masks.

use std::any::Any;
use std::sync::{Condvar, Mutex};

use crate::pipeline::Segmented;
use crate::watch::Watch;
use crate::{Device, Image, Options, Result};

/// A pipeline with its memory.
pub(crate) trait Lane: Any + Send {
    /// Where it runs.
    fn device(&self) -> Device;

    /// How many tiles it wants together; images are taken together until there are so many.
    fn tiles(&self, options: &Options) -> usize;

    /// Pixels to masks: of several images, in their order.
    fn segment(&mut self, images: &[&Image], options: &Options, watch: &mut Watch) -> Vec<Result<Segmented>>;

    /// Pixels to the style vector alone.
    fn style(&mut self, images: &[&Image], options: &Options) -> Vec<Result<Vec<f32>>>;
}

/// Makes one more lane.
pub(crate) type More = Box<dyn Fn() -> Box<dyn Lane> + Send + Sync>;

/// The lanes that wait for work.
pub(crate) struct Lanes {
    idle: Mutex<Vec<Box<dyn Lane>>>,
    returned: Condvar,
    /// The devices of the lanes from the start, idle or at work.
    devices: Vec<Device>,
    /// Where a lane costs little, another one is made rather than waited for.
    more: Option<More>,
}

impl Lanes {
    /// `lanes` are those that can work at the same time with profit.
    pub fn new(lanes: Vec<Box<dyn Lane>>, more: Option<More>) -> Self {
        let devices = lanes.iter().map(|lane| lane.device()).collect();
        Lanes { idle: Mutex::new(lanes), returned: Condvar::new(), devices, more }
    }

    /// An idle lane, once there is one. It goes back when it is dropped.
    pub fn take(&self) -> Taken<'_> {
        self.take_where(|_| true)
    }

    /// An idle lane that is wanted, once there is one.
    pub fn take_where(&self, wanted: impl Fn(&dyn Lane) -> bool) -> Taken<'_> {
        let mut idle = self.idle.lock().unwrap_or_else(|e| e.into_inner());
        loop {
            if let Some(i) = idle.iter().rposition(|lane| wanted(&**lane)) {
                return Taken { lane: Some(idle.remove(i)), lanes: self };
            }
            if let Some(more) = &self.more {
                return Taken { lane: Some(more()), lanes: self };
            }
            idle = self.returned.wait(idle).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// The device of each lane that can work at the same time with profit.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }
}

/// A lane at work.
pub(crate) struct Taken<'a> {
    lane: Option<Box<dyn Lane>>,
    lanes: &'a Lanes,
}

impl Taken<'_> {
    pub fn lane(&mut self) -> &mut dyn Lane {
        self.lane.as_deref_mut().expect("it is there until the drop")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.lanes.idle.lock().unwrap_or_else(|e| e.into_inner()).extend(self.lane.take());
        // All, since some may wait for a lane of another device.
        self.lanes.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// A backend that this file knows nothing of.
    struct Other(Device);

    impl Lane for Other {
        fn device(&self) -> Device {
            self.0
        }

        fn tiles(&self, _: &Options) -> usize {
            1
        }

        fn segment(&mut self, images: &[&Image], _: &Options, _: &mut Watch) -> Vec<Result<Segmented>> {
            images.iter().map(|_| Err(Error::Cancelled)).collect()
        }

        fn style(&mut self, images: &[&Image], _: &Options) -> Vec<Result<Vec<f32>>> {
            images.iter().map(|image| Ok(vec![image.width() as f32])).collect()
        }
    }

    fn other(device: Device) -> Box<dyn Lane> {
        Box::new(Other(device))
    }

    #[test]
    fn a_lane_of_a_device_is_waited_for() {
        let devices = [Device::Cuda(0), Device::Cuda(1)];
        let lanes = Lanes::new(devices.map(other).into(), None);
        assert_eq!(lanes.devices(), devices);
        let on = |device| move |lane: &dyn Lane| lane.device() == device;
        let mut first = lanes.take_where(on(devices[0]));
        assert_eq!(first.lane().device(), devices[0]);
        let second = lanes.take();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lanes.take_where(on(devices[0])).lane().device());
            drop(second);
            // One of the other device does not end the wait.
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!waiting.is_finished());
            drop(first);
            assert_eq!(waiting.join().unwrap(), devices[0]);
        });
        assert_eq!(lanes.idle.lock().unwrap().len(), 2);
    }

    #[test]
    fn lanes_that_cost_little_are_made_and_kept() {
        let lanes = Lanes::new(vec![other(Device::Cpu)], Some(Box::new(|| other(Device::Cpu))));
        let mut taken = [lanes.take(), lanes.take(), lanes.take()];
        let image = Image::from_gray(ndarray::Array2::<u8>::zeros((3, 5)).view()).unwrap();
        for taken in &mut taken {
            let styles = taken.lane().style(&[&image; 2], &Options::default());
            assert_eq!(styles.into_iter().collect::<Result<Vec<_>>>().unwrap(), [[5.0]; 2]);
        }
        drop(taken);
        assert_eq!(lanes.idle.lock().unwrap().len(), 3);
        assert_eq!(lanes.devices(), [Device::Cpu]);
    }
}
