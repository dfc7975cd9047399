//! `input`: any part of the network's input against the whole image, computed stage by stage.

use flowmask::cpu::channels::{Channels, channels};
use flowmask::cpu::input::{Input, Scratch};
use flowmask::cpu::normalize::{levels, normalize};
use flowmask::cpu::resize;
use flowmask::{Compat, Image, Normalize};
use ndarray::Array3;
use proptest::prelude::*;

use crate::check::{config, noise, side};

/// Images of noise, one of each type.
fn images(seed: u64, size: (usize, usize, usize)) -> [Image; 3] {
    let values = Array3::from_shape_vec(size, noise(seed, size.0 * size.1 * size.2)).unwrap();
    [
        Image::from_channels(values.mapv(|v| (v * 127.0 + 128.0) as u8).view()).unwrap(),
        Image::from_channels(values.mapv(|v| (v * 32767.0 + 32768.0) as u16).view()).unwrap(),
        // Transposed, so that the array is not in C order.
        Image::new(flowmask::Pixels::F32(values.permuted_axes([1, 0, 2]))).unwrap(),
    ]
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn rows(
        (from, to) in ((side(20), side(20)), (side(30), side(30))),
        (channel, nuclei, nchan) in (0..4usize, 0..4usize, 1..3usize),
        same in any::<bool>(),
        options in proptest::option::of(any::<bool>()),
        seed in any::<u32>(),
        part in (0.0..1.0, 0.0..1.0),
    ) {
        for image in images(seed.into(), (from.0, from.1, 3)) {
            let from = (image.height(), image.width());
            let to = if same { from } else { to };
            let choice = [channel, nuclei];
            let options = options.map(|invert| Normalize::default().invert(invert));

            let mut want = channels(&image, choice, nchan).unwrap();
            if let Some(options) = &options {
                normalize(&mut want, from.0, from.1, nchan, options, Compat::None);
            }
            let want = if same { want } else { resize::linear(&want, from, to, nchan) };

            let channels = Channels::of(&image, choice, nchan).unwrap();
            let row = |y: usize, out: &mut [f32]| channels.row(y, 0..from.1, out);
            let levels = options
                .map_or(Vec::new(), |options| levels(row, from.0, from.1, nchan, &options, Compat::None));
            let input = Input::new(channels, &levels, from, to);
            let first = (part.0 * to.1 as f64) as usize;
            let last = first + (part.1 * (to.1 - first) as f64) as usize;
            let mut scratch = Scratch::default();
            for y in 0..to.0 {
                let mut got = vec![f32::NAN; (last - first) * nchan];
                input.row(y, first..last, &mut scratch, &mut got);
                prop_assert_eq!(&got[..], &want[(y * to.1 + first) * nchan..(y * to.1 + last) * nchan]);
            }
        }
    }
}
