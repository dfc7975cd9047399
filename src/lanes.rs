//! The lanes of a segmenter: each takes a few images at a time from pixels to masks, and lanes work side by side.

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex};

use crate::pipeline::Segmented;
use crate::pool::{Home, Pool};
use crate::spares::Spares;
use crate::volume::Found;
use crate::watch::Watch;
use crate::{Device, Image, Options, Result, prepare};

/// A pipeline on one device, with the memory that it needs.
pub(crate) trait Lane: Any + Send {
    /// The device that the lane runs on.
    fn device(&self) -> Device;

    /// How many tiles the lane should get at once. Images are handed to it together until they have so many.
    fn tiles(&self, options: &Options) -> usize;

    /// Turns the pixels of several images into masks. The results are in the order of the images.
    fn segment(&mut self, images: &[&Image], options: &Options, watch: &Watch) -> Vec<Result<Segmented>>;

    /// Turns the planes of a volume into masks. `scale` is what it is scaled by for the network.
    fn volume(&mut self, planes: &[&Image], scale: f64, options: &Options, watch: &Watch) -> Result<Found>;

    /// Restores an image of one channel, which is scaled by a factor for the network. The result is `[height, width]`.
    fn restore(&mut self, image: &Image, scale: f64, options: &Options, watch: &Watch) -> Result<Vec<f32>>;

    /// Computes only the style vector of each image.
    fn style(&mut self, images: &[&Image], options: &Options) -> Vec<Result<Vec<f32>>>;
}

/// Makes one more lane.
pub(crate) type More = Box<dyn Fn() -> Box<dyn Lane> + Send + Sync>;

/// The lanes of a segmenter. A caller takes an idle one, and gives it back when it is done.
pub(crate) struct Lanes {
    idle: Mutex<Vec<Box<dyn Lane>>>,
    returned: Condvar,
    /// The devices of the lanes that were there at the start, whether idle or taken now.
    devices: Vec<Device>,
    /// Makes another lane when none is idle, where a lane costs little; without it, callers wait.
    more: Option<More>,
    /// What results are written to, where lanes copy them from another memory.
    spares: Option<Arc<Spares>>,
    /// The threads that prepare images for all lanes.
    pool: Pool,
    home: Home,
}

impl Lanes {
    /// `lanes` are as many as are faster together than one after the other; their images are prepared by the threads of the
    /// pool.
    pub fn new(lanes: Vec<Box<dyn Lane>>, more: Option<More>, pool: Pool) -> Self {
        let devices = lanes.iter().map(|lane| lane.device()).collect();
        Lanes {
            idle: Mutex::new(lanes),
            returned: Condvar::new(),
            devices,
            more,
            spares: None,
            pool,
            home: Home::here(),
        }
    }

    /// Lanes that write results to these arrays.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only results on a GPU are copied"))]
    pub fn with(mut self, spares: Arc<Spares>) -> Self {
        self.spares = Some(spares);
        self
    }

    /// The arrays that results are written to; `None` where lanes return the arrays that they work in.
    pub fn spares(&self) -> Option<&Spares> {
        self.spares.as_deref()
    }

    /// Takes an idle lane, or waits for one. The lane goes back when the [`Taken`] is dropped.
    pub fn take(&self) -> Taken<'_> {
        self.take_where(|_| true)
    }

    /// Takes an idle lane for which `wanted` is true, or waits for one.
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

    /// The devices of the lanes that were there at the start.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        if !self.home.is_here() {
            // A GPU's driver does not work in a fork of the process that opened it, not even to free memory.
            std::mem::forget(std::mem::take(self.idle.get_mut().unwrap_or_else(|e| e.into_inner())));
        }
    }
}

/// A lane that was taken.
pub(crate) struct Taken<'a> {
    lane: Option<Box<dyn Lane>>,
    lanes: &'a Lanes,
}

impl Taken<'_> {
    pub fn lane(&mut self) -> &mut dyn Lane {
        self.lane.as_deref_mut().expect("the lane is there until the drop")
    }

    /// [`Lane::segment`] of images that are prepared where the options ask for it.
    pub fn segment(&mut self, images: &[&Image], options: &Options, watch: &Watch) -> Vec<Result<Segmented>> {
        self.prepared(images, options, watch, |lane, images, options| lane.segment(images, options, watch))
    }

    /// [`Lane::style`], like [`Taken::segment`].
    pub fn style(&mut self, images: &[&Image], options: &Options) -> Vec<Result<Vec<f32>>> {
        self.prepared(images, options, &Watch::none(), |lane, images, options| lane.style(images, options))
    }

    fn prepared<T>(
        &mut self,
        images: &[&Image],
        options: &Options,
        watch: &Watch,
        run: impl FnOnce(&mut dyn Lane, &[&Image], &Options) -> Vec<Result<T>>,
    ) -> Vec<Result<T>> {
        let (lanes, lane) = (self.lanes, self.lane());
        let device = lane.device();
        let run = |images: &[&Image], options: &Options| run(lane, images, options);
        prepare::of_images(images, options, (&lanes.pool, device), watch, run)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.lanes.idle.lock().unwrap_or_else(|e| e.into_inner()).extend(self.lane.take());
        // All callers wake up, since the first may wait for a lane of another device.
        self.lanes.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// A lane of a backend that the crate does not have.
    struct Other(Device);

    impl Lane for Other {
        fn device(&self) -> Device {
            self.0
        }

        fn tiles(&self, _: &Options) -> usize {
            1
        }

        fn segment(&mut self, images: &[&Image], _: &Options, _: &Watch) -> Vec<Result<Segmented>> {
            images.iter().map(|_| Err(Error::Cancelled)).collect()
        }

        fn volume(&mut self, _: &[&Image], _: f64, _: &Options, _: &Watch) -> Result<Found> {
            Err(Error::Cancelled)
        }

        fn restore(&mut self, _: &Image, _: f64, _: &Options, _: &Watch) -> Result<Vec<f32>> {
            Err(Error::Cancelled)
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
        let lanes = Lanes::new(devices.map(other).into(), None, Pool::new(1).unwrap());
        assert_eq!(lanes.devices(), devices);
        let on = |device| move |lane: &dyn Lane| lane.device() == device;
        let mut first = lanes.take_where(on(devices[0]));
        assert_eq!(first.lane().device(), devices[0]);
        let second = lanes.take();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lanes.take_where(on(devices[0])).lane().device());
            drop(second);
            // A lane of the other device does not end the wait.
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!waiting.is_finished());
            drop(first);
            assert_eq!(waiting.join().unwrap(), devices[0]);
        });
        assert_eq!(lanes.idle.lock().unwrap().len(), 2);
    }

    #[test]
    fn lanes_that_cost_little_are_made_and_kept() {
        let lanes = Lanes::new(
            vec![other(Device::Cpu)],
            Some(Box::new(|| other(Device::Cpu))),
            Pool::new(1).unwrap(),
        );
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
