//! Restores images before they are segmented: the networks of cellpose 3 that remove noise and blur, and that enlarge
//! images (`DenoiseModel` in `denoise.py`).

use ndarray::{Array2, Array3, ArrayView2, ArrayViewMut2};

use crate::cpu::channels::channels;
use crate::cpu::{resize, stitch::drop_small};
use crate::lanes::Lanes;
use crate::memory::{enough, require, zeros};
use crate::options::{Compat, Normalize, Options};
use crate::plan::channels::present;
use crate::plan::memory::{pixels, pixels_of};
use crate::pool::Pool;
use crate::watch::{Progress, Watch};
use crate::{Device, Diameter, Error, Image, Model, PixelType, Pixels, Result};

/// The channel of the nuclei is scaled by this much more, since nuclei are smaller than their cells (`DenoiseModel.eval`).
const NUCLEI: f64 = 30.0 / 17.0;
/// Smaller cells than this, in pixels, are not enlarged, as in the original.
const SMALLEST: f64 = 3.0;

/// A network that restores images, together with the devices that it runs on. [`Builder::restorer`](crate::Builder::restorer)
/// makes one.
///
/// What is restored is segmented with [`Restorer::options`]:
///
/// ```no_run
/// use flowmask::{Builder, Diameter, Image, Model, Options, Segmenter};
/// # let image = Image::from_gray(ndarray::Array2::<u8>::zeros((32, 32)).view())?;
///
/// let restorer = Builder::default().model(Model::named("denoise_cyto3")?).restorer()?;
/// let segmenter = Segmenter::builder().build()?;
/// let options = Options::default().diameter(Diameter::Pixels(22.0));
/// let restored = restorer.restore(&image, &options)?;
/// let found = segmenter.segment(&restored, &restorer.options(&options))?;
/// # Ok::<(), flowmask::Error>(())
/// ```
pub struct Restorer {
    net: Net,
    /// The network of the second channel, if that has its own.
    chan2: Option<Net>,
    pool: Pool,
}

/// A model with its lanes.
pub(crate) struct Net {
    pub model: Model,
    pub lanes: Lanes,
}

impl Restorer {
    pub(crate) fn new(net: Net, chan2: Option<Net>, pool: Pool) -> Self {
        Restorer { net, chan2, pool }
    }

    /// The model in use.
    pub fn model(&self) -> &Model {
        &self.net.model
    }

    /// The diameter in pixels to which the network expects cells to be scaled: of the networks that cellpose publishes, 17
    /// if they are for nuclei and otherwise 30, whatever their files say, as in the original.
    pub fn diam_mean(&self) -> f64 {
        self.model().restored_diameter()
    }

    /// Whether the network enlarges images so that their cells get its diameter: its file is one of cellpose's `upsample_`
    /// networks, or has this word in its name.
    pub fn enlarges(&self) -> bool {
        self.model().file_name().contains("upsample")
    }

    /// How many times larger than an image the restored one is, in pixels along each axis: the network's diameter over that of
    /// the options, if the network [enlarges](Self::enlarges) and the cells are smaller, but not less than 3 pixels.
    pub fn ratio(&self, options: &Options) -> f64 {
        match options.diameter {
            Diameter::Pixels(pixels) if self.enlarges() && (SMALLEST..self.diam_mean()).contains(&pixels) => {
                self.diam_mean() / pixels
            }
            _ => 1.0,
        }
    }

    /// Whether every option is in its range.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child process of the one that built this; [`Error::Option`] for a value out of its range, and for
    /// [`Diameter::Auto`], since a network that estimates sizes would see the image before it is restored.
    pub fn check(&self, options: &Options) -> Result<()> {
        self.pool.check()?;
        match options.diameter {
            Diameter::Auto => {
                let reason =
                    "cannot be estimated from an image that is still to be restored; give it in pixels";
                Err(Error::option("diameter", reason))
            }
            _ => options.check(),
        }
    }

    /// Restores an image: the channels that [`Options::channels`] chooses, one or two, in single precision. The background of
    /// cells becomes about 0 and bright pixels about 1, since the network was trained so.
    ///
    /// Of the options, those of the diameter, the channels, the normalisation, the tiles and the memory count. With
    /// [`Diameter::Model`], the image is not scaled for the network. A channel in which all pixels are equal becomes zeros.
    /// Tiles are not flipped (`augment`), as in the original.
    ///
    /// # Errors
    /// Those of [`Restorer::check`]; [`Error::Image`] when the image does not have a channel, or a pixel is not finite;
    /// [`Error::Memory`] when there is too little memory; [`Error::Device`] when a GPU fails.
    pub fn restore(&self, image: &Image, options: &Options) -> Result<Image> {
        self.watched(image, options, &Watch::none())
    }

    /// Like [`Restorer::restore`], and calls `progress` as
    /// [`Segmenter::segment_with_progress`](crate::Segmenter::segment_with_progress) does.
    ///
    /// # Errors
    /// Those of [`Restorer::restore`], and [`Error::Cancelled`] when `progress` returns `false`.
    pub fn restore_with_progress<'a>(
        &self,
        image: &Image,
        options: &Options,
        progress: &'a mut Progress<'a>,
    ) -> Result<Image> {
        self.watched(image, options, &Watch::new(progress))
    }

    /// The options with which an image is segmented that was restored with `options`: its channels are the first and second,
    /// its intensities are scaled by the usual percentiles and not inverted a second time, and its cells have the network's
    /// diameter if it was enlarged. Planes of an enlarged volume are farther apart in pixels.
    ///
    /// [`Compat::V3_1_1`] inverts twice, and leaves the anisotropy as it is.
    pub fn options(&self, options: &Options) -> Options {
        let original = options.compat == Compat::V3_1_1;
        let mut after = options.clone();
        after.channels =
            if options.channels == [0, 0] { [0, 0] } else { [1, 2 * options.channels[1].min(1)] };
        after.normalize = Normalize::default()
            .enabled(options.normalize.enabled)
            .invert(options.normalize.invert && original);
        let ratio = self.ratio(options);
        if ratio > 1.0 {
            after.diameter = Diameter::Pixels(self.diam_mean());
            after.anisotropy *= if original { 1.0 } else { ratio };
        }
        after
    }

    /// The masks of a restored image at the size, (height, width), of the image as it was: of each pixel the nearest. All
    /// `masks` are of one image or volume, in which a cell has one label. Cells that have no pixel left are dropped, and the
    /// others numbered anew. Returns the masks, and the number of cells.
    pub fn masks_at(masks: &[ArrayView2<u32>], size: (usize, usize)) -> (Vec<Array2<u32>>, u32) {
        let smaller = masks.iter().map(|plane| {
            let labels: Vec<u32> = plane.iter().copied().collect();
            let labels =
                if plane.dim() == size { labels } else { resize::nearest(&labels, plane.dim(), size) };
            Array2::from_shape_vec(size, labels).expect("as many labels as pixels")
        });
        let mut smaller: Vec<Array2<u32>> = smaller.collect();
        let mut views: Vec<ArrayViewMut2<u32>> = smaller.iter_mut().map(|plane| plane.view_mut()).collect();
        let cells = drop_small(&mut views, 1);
        (smaller, cells)
    }

    fn watched(&self, image: &Image, options: &Options, watch: &Watch) -> Result<Image> {
        self.check(options)?;
        present(image.channels(), options.channels)?;
        let (size, scale) = (self.size_of(image, options), self.scale(options));
        let what = || format!("an image of {} by {} pixels to restore", image.height(), image.width());
        let [cells, nuclei] = options.channels;
        let chosen: Vec<usize> = [cells].into_iter().chain((nuclei > 0).then_some(nuclei)).collect();
        // Beside the pixels of the image lie the maps that are done.
        let mut maps: Vec<Vec<f32>> = Vec::new();
        for (i, &channel) in chosen.iter().enumerate() {
            watch.begin(i, chosen.len());
            let own = self.chan2.as_ref().filter(|_| i == 1 && options.compat == Compat::None);
            let scale = if i == 1 { scale * NUCLEI } else { scale };
            let held = pixels_of(image) + i as u64 * pixels(size, 1, PixelType::F32);
            let of = |options: &Options| {
                self.channel(image, channel, own.unwrap_or(&self.net), (size, scale), options, watch)
            };
            maps.push(enough(what, || of(&self.for_network(options, held)))?);
        }
        watch.finish();
        enough(what, || together(maps, size))
    }

    /// The size of the restored image.
    fn size_of(&self, image: &Image, options: &Options) -> (usize, usize) {
        let ratio = self.ratio(options);
        match ratio > 1.0 {
            true => ((image.height() as f64 * ratio) as usize, (image.width() as f64 * ratio) as usize),
            false => image.size(),
        }
    }

    /// What the image is scaled by for the network. An image that was enlarged is scaled by the ratio once more, as in the
    /// original.
    fn scale(&self, options: &Options) -> f64 {
        match options.diameter {
            Diameter::Pixels(pixels) => self.diam_mean() / pixels,
            _ => 1.0,
        }
    }

    /// The options of the network's run, beside which `held` bytes are in the host's memory.
    fn for_network(&self, options: &Options, held: u64) -> Options {
        let on_host = self.net.lanes.devices().contains(&Device::Cpu);
        let mut own = options.clone().channels([1, 0]).augment(false).resample(true);
        own.memory = own.memory.map(|memory| if on_host { memory.saturating_sub(held) } else { memory });
        own
    }

    /// One channel of an image, restored at a size, for which it is scaled by a factor.
    fn channel(
        &self,
        image: &Image,
        channel: usize,
        net: &Net,
        (size, scale): ((usize, usize), f64),
        options: &Options,
        watch: &Watch,
    ) -> Result<Vec<f32>> {
        // The channel, and a copy of it at another size.
        require(2 * pixels(size, 1, PixelType::F32), options.memory);
        let values = self.pool.install(|| match channels(image, [channel, 0], 1) {
            Ok(values) if size != image.size() => Ok(resize::linear(&values, image.size(), size, 1)),
            values => values,
        })?;
        if values.iter().all(|value| *value == values[0]) {
            return Ok(zeros(values.len()));
        }
        let image = together(vec![values], size)?;
        net.lanes.take().lane().restore(&image, scale, options, watch)
    }
}

/// An image of these channels, each `[height, width]`.
fn together(mut channels: Vec<Vec<f32>>, (height, width): (usize, usize)) -> Result<Image> {
    let count = channels.len();
    let values = match count {
        1 => channels.remove(0),
        _ => {
            let mut values = zeros(height * width * count);
            for (c, channel) in channels.iter().enumerate() {
                let places = values.iter_mut().skip(c).step_by(count);
                places.zip(channel).for_each(|(place, value)| *place = *value);
            }
            values
        }
    };
    let pixels = Array3::from_shape_vec((height, width, count), values);
    Image::new(Pixels::F32(pixels.map_err(|error| Error::Image(error.to_string()))?))
}
