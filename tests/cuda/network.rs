//! The U-Net against the processor's, and against itself in other batches.

use flowmask::cpu::{conv::Isa, network as cpu};
use flowmask::cuda::conv::{self, CHANNELS_IN, Layout, Map, VARIANTS};
use flowmask::cuda::network::{State, Unet, forward};
use flowmask::cuda::{Buffer, Gpu};
use flowmask::model::network::{Network, ResDown, ResUp};
use flowmask::{Model, Precision};

use crate::device::{gpu, on_device};
use crate::random::Random;

/// Outputs and style vector of one tile.
#[derive(Clone, Debug, PartialEq)]
pub struct Result {
    pub output: Vec<f32>,
    pub style: Vec<f32>,
}

/// Tiles of `[height, width, nchan]`, each of another brightness and contrast.
pub fn tiles(count: usize, (height, width): (usize, usize), nchan: usize) -> Vec<Vec<f32>> {
    let mut random = Random(count as u64);
    let tile = |n: usize| {
        let blob = |y: usize, x: usize| ((y as f32 * 0.4).sin() * (x as f32 * 0.3 + n as f32).cos()).max(0.0);
        let mut pixel =
            |i: usize| blob(i / nchan / width, i / nchan % width) + 0.2 * n as f32 * random.next();
        (0..height * width * nchan).map(&mut pixel).collect()
    };
    (0..count).map(tile).collect()
}

pub fn on_cpu(network: &Network, tile: &[f32], (height, width): (usize, usize)) -> Result {
    let unet = cpu::Unet::new(network, Isa::best());
    let mut state = cpu::State::new(&unet, height, width);
    state.set_input(tile);
    let mut output = vec![0.0; height * width * unet.nout()];
    cpu::forward(&unet, &mut state, &mut output);
    Result { output, style: state.style }
}

/// Fills the state's first tiles and marks the others.
fn set_input(gpu: &Gpu, unet: &Unet, state: &mut State, tiles: &[Vec<f32>]) {
    let pad = |pixel: &[f32]| [pixel, &vec![0.0; CHANNELS_IN - pixel.len()]].concat();
    let mut values: Vec<f32> =
        tiles.iter().flat_map(|t| t.chunks_exact(unet.nchan()).flat_map(pad)).collect();
    values.resize(state.batch() * state.tile().0 * state.tile().1 * CHANNELS_IN, f32::NAN);
    state.input = Map::of(gpu, unet.precision(), &values).unwrap();
}

fn results(gpu: &Gpu, unet: &Unet, state: &State, count: usize) -> Vec<Result> {
    let (output, style) = (state.output.download(gpu).unwrap(), state.style.download(gpu).unwrap());
    let len = unet.nout() * state.tile().0 * state.tile().1;
    let tiles = output.chunks_exact(len).zip(style.chunks_exact(unet.style_length())).take(count);
    tiles.map(|(output, style)| Result { output: output.to_vec(), style: style.to_vec() }).collect()
}

pub fn run(gpu: &Gpu, unet: &Unet, tiles: &[Vec<f32>], tile: (usize, usize)) -> Vec<Result> {
    let mut state = State::new(gpu, unet, tiles.len(), tile).unwrap();
    set_input(gpu, unet, &mut state, tiles);
    forward(gpu, unet, &mut state, tiles.len()).unwrap();
    results(gpu, unet, &state, tiles.len())
}

/// The part of the bound `bound (1 + |want|)` that is used.
pub fn part(what: &str, got: &Result, want: &Result, bound: f32) -> f32 {
    let mut most = 0.0f32;
    for (name, got, want) in [("output", &got.output, &want.output), ("style", &got.style, &want.style)] {
        assert_eq!(got.len(), want.len(), "{what}: {name}");
        for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
            let part = (got - want).abs() / (bound * (1.0 + want.abs()));
            assert!(part <= 1.0, "{what}: {name} {i}: {got}, not {want}: {part} of the bound");
            most = most.max(part);
        }
    }
    most
}

pub fn same(what: &str, got: &Result, want: &Result) {
    for (name, got, want) in [("output", &got.output, &want.output), ("style", &got.style, &want.style)] {
        let differs = got.iter().zip(want).position(|(g, w)| g.to_bits() != w.to_bits());
        let at = differs.map(|i| format!("{what}: {name} {i}: {}, not {}", got[i], want[i]));
        assert!(at.is_none() && got.len() == want.len(), "{}", at.unwrap_or_default());
    }
}

pub const F32: f32 = 1e-4;
pub const F16: f32 = 2e-2;

/// Each precision against its reference: single against the processor, half against single.
fn compare(what: &str, gpu: &Gpu, network: &Network, tile: (usize, usize)) {
    let input = tiles(1, tile, network.nbase[0]);
    let cpu = on_cpu(network, &input[0], tile);
    let [f32, f16] = [Precision::F32, Precision::F16]
        .map(|precision| run(gpu, &Unet::new(gpu, network, precision).unwrap(), &input, tile).remove(0));
    let parts = (part(what, &f32, &cpu, F32), part(what, &f16, &f32, F16));
    println!(
        "{what}: {:.3} of the bound {F32:e} in single precision, {:.3} of {F16:e} in half",
        parts.0, parts.1
    );
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn network_of_a_small_model() {
    let model = crate::scene::tiny();
    on_device(|gpu| compare("tiny", gpu, model.network(), (16, 16)));
}

/// Slow on the emulator: in one order of threads only.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn network_of_a_built_in_model() {
    let gpu = gpu();
    compare("nuclei", &gpu, Model::named("nuclei").unwrap().network(), (32, 48));
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn network_of_any_depth_and_width() {
    let gpu = gpu();
    for nbase in [&[1, 5][..], &[2, 32, 40], &[3, 8, 33, 20, 64, 36]] {
        compare(&format!("{nbase:?}"), &gpu, &random_network(nbase, 5), (16, 48));
    }
}

/// Each is within its bound of single precision; those of `mma.sync` have the same bits. One that is for other cards is
/// left out, and said.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn network_with_every_variant_of_its_kernels() {
    crate::on_hopper("network::network_with_every_variant_of_its_kernels", || {
        let (gpu, tile) = (gpu(), (32, 48));
        let network = random_network(&[2, 32, 64, 128], 5);
        let input = tiles(2, tile, 2);
        let on = |gpu: &Gpu, precision| run(gpu, &Unet::new(gpu, &network, precision).unwrap(), &input, tile);
        let (single, half) = (on(&gpu, Precision::F32), on(&gpu, Precision::F16));
        let mut ran = 0;
        for variant in VARIANTS {
            let pinned = match conv::pinned(&gpu, variant.name) {
                Ok(choice) => gpu.clone().choosing(choice),
                Err(error) => {
                    println!("{error}");
                    continue;
                }
            };
            let got = on(&pinned, Precision::F16);
            for n in 0..input.len() {
                let used = part(variant.name, &got[n], &single[n], F16);
                println!("{}: {used:.3} of the bound {F16:e}", variant.name);
                if variant.layout == Layout::Lanes {
                    same(variant.name, &got[n], &half[n]);
                }
            }
            ran += 1;
        }
        let capability = gpu.context().compute_capability().unwrap();
        assert_eq!(ran, if capability == (9, 0) { VARIANTS.len() } else { 2 });
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn network_gives_a_tile_the_same_bits_in_any_batch() {
    let gpu = gpu();
    let network = random_network(&[2, 6, 10], 3);
    let (gpu, tile) = (&gpu, (16, 16));
    for precision in [Precision::F16, Precision::F32] {
        let unet = Unet::new(gpu, &network, precision).unwrap();
        let input = tiles(3, tile, 2);
        let together = run(gpu, &unet, &input, tile);
        for (n, result) in together.iter().enumerate() {
            let alone = run(gpu, &unet, &input[n..=n], tile).remove(0);
            same(&format!("{precision:?}, tile {n} of 3"), result, &alone);
        }
        let mut state = State::new(gpu, &unet, 3, tile).unwrap();
        set_input(gpu, &unet, &mut state, &input[1..]);
        forward(gpu, &unet, &mut state, 2).unwrap();
        let fewer = results(gpu, &unet, &state, 2);
        same("a batch that is not full", &fewer[0], &together[1]);
        same("a batch that is not full", &fewer[1], &together[2]);
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn network_recorded_gives_the_same_bits() {
    let (network, other) = (random_network(&[2, 6, 10], 3), random_network(&[2, 6, 10], 1));
    let tile = (16, 16);
    let gpu = gpu();
    let [unet, other] = [&network, &other].map(|n| Unet::new(&gpu, n, Precision::F16).unwrap());
    let mut state = State::new(&gpu, &unet, 2, tile).unwrap();
    let batches: Vec<_> = (0..6).map(|n| tiles(n + 2, tile, 2)[n..].to_vec()).collect();
    let mut input = vec![flowmask::cuda::Half(0); 2 * tile.0 * tile.1 * CHANNELS_IN];
    for (n, batch) in batches.iter().enumerate() {
        // The fourth batch lies in other memory; the fifth goes through another network.
        let mut source = State::new(&gpu, &unet, 2, tile).unwrap();
        set_input(&gpu, &unet, &mut source, batch);
        match (&source.input, &mut state.input) {
            (Map::F16(from), Map::F16(to)) if n != 3 => {
                from.download_to(&gpu, &mut input).unwrap();
                to.upload(&gpu, &input).unwrap();
            }
            _ => state.input = source.input,
        }
        let unet = if n == 4 { &other } else { &unet };
        forward(&gpu, unet, &mut state, 2).unwrap();
        let want = run(&gpu, unet, batch, tile);
        for (got, want) in results(&gpu, unet, &state, 2).iter().zip(&want) {
            same(&format!("batch {n}"), got, want);
        }
    }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn network_says_what_it_takes() {
    let gpu = gpu();
    let unet = Unet::new(&gpu, &random_network(&[2, 6, 10], 3), Precision::F16).unwrap();
    // Stored channels: 16 and 32, of 2 bytes; 3 maps a level and the maxima between the two; the style of 4 × 8 pixels.
    let maps = 2 * 512 * (16 + 3 * 32 + 32 / 4) + 2 * 128 * 3 * 32;
    let others = 4 * (512 * 3 + 10) + 8 * 2 * 32 + 6 * 6 * 32;
    assert_eq!(State::bytes(&unet, 5, (16, 32)), 5 * (maps + others));
    assert_eq!((unet.nchan(), unet.nout(), unet.style_length()), (2, 3, 10));
    let error = Unet::new(&gpu, &random_network(&[17, 6], 3), Precision::F16).unwrap_err().to_string();
    assert!(error.contains("17 input channels"), "{error}");
    let huge = State::new(&gpu, &unet, 1 << 15, (1 << 12, 1 << 12)).unwrap_err().to_string();
    assert!(huge.contains("too large"), "{huge}");
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn a_state_of_no_tiles_stays_as_it_is() {
    let gpu = gpu();
    let unet = Unet::new(&gpu, &random_network(&[1, 4], 1), Precision::F32).unwrap();
    let mut state = State::new(&gpu, &unet, 1, (16, 16)).unwrap();
    state.output = Buffer::of(&gpu, &[7.0; 3 * 256]).unwrap();
    forward(&gpu, &unet, &mut state, 0).unwrap();
    assert!(state.output.download(&gpu).unwrap().iter().all(|&v| v == 7.0));
}

/// A network whose maps stay of the order of 1.
fn random_network(nbase: &[usize], seed: u64) -> Network {
    let random = &mut Random(seed);
    let levels = nbase.len() - 1;
    let down = |n: usize| res_down(random, nbase[n], nbase[n + 1]);
    let down = (0..levels).map(down).collect();
    let up = (0..levels)
        .map(|n| res_up(random, nbase[(n + 2).min(levels)], nbase[n + 1], nbase[levels]))
        .collect();
    let (before_output, output) = (random.affine(nbase[1]), random.conv(1, nbase[1], 3));
    Network { nbase: nbase.to_vec(), nout: 3, down, up, before_output, output }
}

fn res_down(random: &mut Random, inputs: usize, outputs: usize) -> ResDown {
    ResDown {
        before0: random.affine(inputs),
        conv0: random.conv(9, inputs, outputs),
        conv1: random.conv(9, outputs, outputs),
        proj: random.conv(1, inputs, outputs),
        before2: random.affine(outputs),
        conv2: random.conv(9, outputs, outputs),
        conv3: random.conv(9, outputs, outputs),
    }
}

fn res_up(random: &mut Random, inputs: usize, outputs: usize, style: usize) -> ResUp {
    ResUp {
        before0: random.affine(inputs),
        conv0: random.conv(9, inputs, outputs),
        skip_scale: random.affine(outputs).scale,
        shift1: random.linear(style, outputs),
        conv1: random.conv(9, outputs, outputs),
        proj: random.conv(1, inputs, outputs),
        scale2: random.affine(outputs).scale,
        shift2: random.linear(style, outputs),
        conv2: random.conv(9, outputs, outputs),
        shift3: random.linear(style, outputs),
        conv3: random.conv(9, outputs, outputs),
    }
}
