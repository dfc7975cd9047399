//! What `flowmask devices` tells of the kernels of the convolutions.

use flowmask::cuda::conv::{self, Choice, Kind, Row};
use flowmask::cuda::{DeviceInfo, Gpu};
use serde_json::{Value, json};

use super::messages;

/// Measures the kernels on each of these GPUs.
pub fn tune(gpus: &[DeviceInfo]) -> flowmask::Result<Vec<Choice>> {
    let progress = |done: usize, files: usize| {
        if done == 0 {
            messages::notice(&format!("compiling {files} files"));
        }
    };
    gpus.iter().map(|gpu| conv::tune(&Gpu::open_with(gpu.index, &progress)?)).collect()
}

/// Which kernels are chosen and how, then those that are refused or not for the card.
pub fn lines(choice: &Choice) -> Vec<String> {
    let refused = choice.refused().iter().map(|(name, reason)| format!("kernels refused: {name}, {reason}"));
    let absent = choice.absent().iter().map(|(name, reason)| format!("kernels left out: {name}, {reason}"));
    let rows = choice.rows();
    let mut chosen: Vec<(&str, usize)> = Vec::new();
    for Row { chosen: name, .. } in &rows {
        match chosen.iter_mut().find(|(other, _)| other == name) {
            Some((_, count)) => *count += 1,
            None => chosen.push((name, 1)),
        }
    }
    let chosen: Vec<String> = chosen.iter().map(|(name, count)| format!("{name} for {count}")).collect();
    let how = match rows.len() {
        0 => "kernels by rule: sm_80 and sm_80_apart; the first run measures which are the fastest".into(),
        kinds => format!("kernels by measurement: of {kinds} kinds of convolutions {}", chosen.join(", ")),
    };
    std::iter::once(how).chain(refused).chain(absent).collect()
}

/// The measured times; the chosen one has a star.
pub fn table(choice: &Choice) -> Vec<String> {
    let cell = |row: &Row, (name, seconds): &(&str, f64)| {
        format!("{name} {:.1}{}", seconds * 1e6, if *name == row.chosen { "*" } else { "" })
    };
    let line = |row: Row| {
        let cells: Vec<String> = row.seconds.iter().map(|time| cell(&row, time)).collect();
        format!("{:31} {} us", what(&row), cells.join("  "))
    };
    let tiles = choice.rows().first().map_or(0, |row| row.size.count);
    let head = format!("times for {tiles} tiles; a star is at what is chosen");
    std::iter::once(head).chain(choice.rows().into_iter().map(line)).collect()
}

/// A kind of convolution in words: side, channels, and what else it does.
fn what(row: &Row) -> String {
    let Kind { inputs, proj_inputs, outputs, up, proj_up, act } = row.kind;
    let twice = |up| if up { " twice" } else { "" };
    let proj = if proj_inputs > 0 { format!(" +{proj_inputs}{}", twice(proj_up)) } else { String::new() };
    let act = if act { " act" } else { "" };
    format!("{:3} {inputs}{}{proj} to {outputs}{act}", row.size.height, twice(up))
}

/// The same as `lines` and `table`.
pub fn json(choice: &Choice) -> Value {
    let row = |row: Row| {
        let seconds: serde_json::Map<String, Value> =
            row.seconds.iter().map(|(name, seconds)| ((*name).to_owned(), json!(seconds))).collect();
        json!({ "what": what(&row), "tiles": row.size.count, "chosen": row.chosen, "seconds": seconds })
    };
    json!({
        "by": if choice.is_measured() { "measurement" } else { "rule" },
        "refused": reasons(choice.refused()),
        "absent": reasons(choice.absent()),
        "measured": choice.rows().into_iter().map(row).collect::<Vec<_>>(),
    })
}

/// Names with the reason for each.
pub fn reasons(of: &[(&'static str, String)]) -> Value {
    of.iter().map(|(name, reason)| ((*name).to_owned(), json!(reason))).collect()
}
