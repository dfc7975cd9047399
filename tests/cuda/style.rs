//! The style vectors and their linear maps, against the processor's.

use flowmask::Precision;
use flowmask::cpu::network::unit_length;
use flowmask::cuda::Buffer;
use flowmask::cuda::conv::{GROUP, Map, Size};
use flowmask::cuda::style::{Linears, Shifts, style};

use crate::device::{gpu, on_device};
use crate::random::Random;

/// Mean over the pixels of one tile, of unit length.
fn plain(tile: &[f32], stored: usize, length: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; length];
    for pixel in tile.chunks_exact(stored) {
        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    let pixels = (tile.len() / stored) as f64;
    let mut style: Vec<f32> = sums.iter().map(|sum| (sum / pixels) as f32).collect();
    unit_length(&mut style);
    style
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn style_and_its_linear_maps() {
    // A pixel, less and more than one block sums, more channels than threads; the last tile is black.
    for (height, width, length) in [(1, 1, 5), (7, 9, 32), (13, 11, 70), (3, 2, 257)] {
        let (count, stored) = (3, usize::next_multiple_of(length, GROUP));
        let size = Size { count, height, width };
        let mut random = Random(length as u64);
        let mut values = random.rows(size.pixels(), length);
        values[2 * height * width * stored..].fill(0.0);
        let maps: Vec<_> = [40, 3, 100].map(|outputs| random.linear(length, outputs)).into();
        on_device(|gpu| {
            for precision in [Precision::F16, Precision::F32] {
                let linears = Linears::new(gpu, &maps.iter().collect::<Vec<_>>(), length).unwrap();
                let mut shifts = Shifts::new(gpu, precision, &linears, size).unwrap();
                let mut styles = Buffer::of(gpu, &vec![7.0; count * length]).unwrap();
                let map = Map::of(gpu, precision, &values).unwrap();
                style(gpu, &map, size, &linears, &mut shifts, &mut styles).unwrap();
                let styles = styles.download(gpu).unwrap();
                for tile in 0..count {
                    let what = format!("{height}x{width}, {length} channels, {precision:?}, tile {tile}");
                    let pixels = &values[tile * height * width * stored..][..height * width * stored];
                    let want = plain(pixels, stored, length);
                    let got = &styles[tile * length..][..length];
                    close(&what, got, &want, 1e-6);
                    for (n, map) in maps.iter().enumerate() {
                        let rows = map.weight.chunks_exact(length).zip(&map.bias);
                        let want: Vec<f32> = rows
                            .map(|(row, b)| row.iter().zip(got).map(|(w, s)| w * s).sum::<f32>() + b)
                            .collect();
                        let (table, rounded) = (shifts.of(&linears, n), shifts.act_of(&linears, n));
                        let values = table.table.download(gpu).unwrap();
                        let row = &values[table.at + tile * table.stride..];
                        close(&what, &row[..want.len()], &want, 1e-5);
                        let padding = &row[want.len()..want.len().next_multiple_of(GROUP)];
                        assert!(padding.iter().all(|&v| v == 0.0), "{what}: padding");
                        let halves = rounded.table.download(gpu).unwrap();
                        close(
                            &what,
                            &halves[rounded.at + tile * rounded.stride..][..want.len()],
                            &want,
                            1e-3,
                        );
                    }
                }
            }
        });
    }
}

/// More tiles than a grid has blocks along y.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn many_tiles() {
    let (gpu, length, count) = (gpu(), 3, 65_536 + 2);
    let size = Size { count, height: 1, width: 1 };
    let values = Random(5).rows(count, length);
    let map = Random(6).linear(length, 2);
    let linears = Linears::new(&gpu, &[&map], length).unwrap();
    let mut shifts = Shifts::new(&gpu, Precision::F32, &linears, size).unwrap();
    let mut styles = Buffer::of(&gpu, &vec![7.0; count * length]).unwrap();
    let deepest = Map::of(&gpu, Precision::F32, &values).unwrap();
    style(&gpu, &deepest, size, &linears, &mut shifts, &mut styles).unwrap();
    let styles = styles.download(&gpu).unwrap();
    let stored = values.len() / count;
    let want: Vec<f32> = values.chunks_exact(stored).flat_map(|tile| plain(tile, stored, length)).collect();
    close("many tiles", &styles, &want, 1e-6);
    let table = shifts.of(&linears, 0);
    let last = table.table.download(&gpu).unwrap()[table.at + (count - 1) * table.stride];
    let of_last = map.weight.iter().zip(&styles[(count - 1) * length..]).take(length);
    close("the last shift", &[last], &[of_last.map(|(w, s)| w * s).sum::<f32>() + map.bias[0]], 1e-5);
}

fn close(what: &str, got: &[f32], want: &[f32], bound: f32) {
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= bound * (1.0 + want.abs()), "{what}: {i}: {got}, not {want}");
    }
}
