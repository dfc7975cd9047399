//! The layouts of fragments against a table made from NVIDIA's own description of the instructions.

use std::collections::HashMap;

use half::f16;

use super::{config, context, run};

const TABLE: &str = include_str!("../../../kernels/emulator/layouts/layouts.txt");

/// The place (row, column) of each value of each lane.
type Places = HashMap<(usize, usize), (usize, usize)>;

/// For each operand.
fn table() -> HashMap<&'static str, Places> {
    let mut tables: HashMap<_, Places> = HashMap::new();
    for line in TABLE.lines().filter(|line| "ABCNT".contains(&line[..1])) {
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<usize> = words[1..].iter().map(|word| word.parse().unwrap()).collect();
        tables.entry(words[0]).or_default().insert((numbers[0], numbers[1]), (numbers[2], numbers[3]));
    }
    tables
}

/// Packs halves two by two.
fn packed(halves: &[u16]) -> Vec<u32> {
    halves.chunks(2).map(|pair| pair[0] as u32 | (pair[1] as u32) << 16).collect()
}

#[test]
fn products_have_nvidias_layout() {
    let table = table();
    // Small whole numbers, whose sums are exact in any order.
    let a = |row: usize, k: usize| ((row * 7 + k * 5) % 17) as f32 - 8.0;
    let b = |k: usize, column: usize| ((k * 3 + column * 11) % 13) as f32 - 6.0;
    let fragment = |name: &str, values: usize, of: &dyn Fn(usize, usize) -> f32| {
        let places = (0..32 * values).map(|i| table[name][&(i / values, i % values)]);
        packed(&places.map(|(x, y)| f16::from_f32(of(x, y)).to_bits()).collect::<Vec<_>>())
    };
    let stream = context(0).new_stream().unwrap();
    let left = stream.clone_htod(&fragment("A", 8, &a)).unwrap();
    let right = stream.clone_htod(&fragment("B", 4, &b)).unwrap();
    let mut out = stream.alloc_zeros::<f32>(128).unwrap();
    run!(&stream, "product", config(1, 32, 0); &left, &right, &mut out).unwrap();
    let values = stream.clone_dtoh(&out).unwrap();
    for (i, value) in values.iter().enumerate() {
        let (row, column) = table["C"][&(i / 4, i % 4)];
        let expected: f32 = (0..16).map(|k| a(row, k) * b(k, column)).sum();
        assert_eq!(*value, expected, "lane {}, value {}", i / 4, i % 4);
    }
}

/// The lines of a name, without the name and the number.
fn lines(name: &str) -> Vec<Vec<usize>> {
    let numbers = |line: &str| line.split(' ').skip(1).map(|word| word.parse().unwrap()).collect::<Vec<_>>();
    let lines = TABLE.lines().filter(|line| line.starts_with(name)).map(numbers);
    lines
        .enumerate()
        .map(|(i, mut line)| if line.remove(0) == i { line } else { panic!("{name} {i}") })
        .collect()
}

#[test]
fn products_of_warp_groups_have_nvidias_layout() {
    let a = |row: usize, k: usize| ((row * 7 + k * 5) % 17) as f32 - 8.0;
    let b = |k: usize, column: usize| ((k * 3 + column * 11) % 13) as f32 - 6.0;
    let half = |value: f32| f16::from_f32(value).to_bits();
    let left: Vec<u16> = lines("U").concat().into_iter().map(|at| half(a(at / 16, at % 16))).collect();
    let mut right = vec![0; 1024];
    for (column, places) in lines("V").iter().enumerate() {
        places.iter().enumerate().for_each(|(k, &at)| right[at] = half(b(k, column)));
    }
    let stream = context(0).new_stream().unwrap();
    let left = stream.clone_htod(&packed(&left)).unwrap();
    let right = stream.clone_htod(&packed(&right)).unwrap();
    let mut out = stream.alloc_zeros::<f32>(4096).unwrap();
    let mut matrix = stream.alloc_zeros::<u64>(1).unwrap();
    run!(&stream, "warp_group", config(1, 128, 2048); &left, &right, &mut out, &mut matrix, &0i32).unwrap();
    let values = stream.clone_dtoh(&out).unwrap();
    for (value, at) in values.iter().zip(lines("W").concat()) {
        let expected: f32 = (0..16).map(|k| a(at / 64, k) * b(k, at % 64)).sum();
        assert_eq!(*value, expected, "row {}, column {}", at / 64, at % 64);
    }
    let described = TABLE.lines().find_map(|line| line.strip_prefix("M ")).unwrap();
    assert_eq!(stream.clone_dtoh(&matrix).unwrap()[0].to_string(), described);
}

#[test]
fn matrices_are_read_in_nvidias_layout() {
    let table = table();
    let numbers: Vec<u16> = (0..256).collect();
    let stream = context(0).new_stream().unwrap();
    let rows = stream.clone_htod(&packed(&numbers)).unwrap();
    let mut plain = stream.alloc_zeros::<u32>(128).unwrap();
    let mut transposed = stream.alloc_zeros::<u32>(128).unwrap();
    run!(&stream, "rows", config(1, 32, 512); &rows, &mut plain, &mut transposed).unwrap();
    for (name, found) in [("N", &plain), ("T", &transposed)] {
        for (i, word) in stream.clone_dtoh(found).unwrap().iter().enumerate() {
            for half in 0..2 {
                let (lane, value) = (i / 4, i % 4 * 2 + half);
                let (row, column) = table[name][&(lane, value)];
                assert_eq!(
                    (word >> (16 * half)) as usize & 0xffff,
                    row * 8 + column,
                    "{name} {lane} {value}"
                );
            }
        }
    }
}
