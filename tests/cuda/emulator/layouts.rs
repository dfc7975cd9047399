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
    for line in TABLE.lines() {
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
