//! flowmask's side of `compare.py`: one stage at a time, asked for by a line of JSON on stdin, answered by one
//! on stdout. It stays warm between the questions, so that both sides can take turns.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::{Value, json};

#[cfg(feature = "cuda")]
mod gpu;
mod question;
mod side;
mod stages;
mod volumes;

use question::{Result, Run};
use side::Side;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [serve, model, threads, device] = arguments.as_slice() else { return usage() };
    if serve != "--serve" {
        return usage();
    }
    let side = Side::new(PathBuf::from(model), threads.parse().context("threads")?, device.parse()?)?;
    let mut prepared = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let answer =
            answer(&side, &mut prepared, &line?).unwrap_or_else(|e| json!({"error": format!("{e:#}")}));
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// `cargo bench` starts every benchmark; alone, this one has nothing to do.
fn usage() -> anyhow::Result<()> {
    println!("benches/compare/compare.py starts this program: peer --serve MODEL THREADS DEVICE");
    Ok(())
}

fn answer(side: &Side, prepared: &mut HashMap<String, Run>, line: &str) -> Result<Value> {
    let question: Value = serde_json::from_str(line)?;
    let name = question["name"].as_str().unwrap_or_default().to_string();
    match question["do"].as_str() {
        Some("about") => Ok(side.about()),
        Some("prepare") => {
            prepared.insert(name, side.prepare(&question)?);
            Ok(json!({}))
        }
        Some("run") => {
            let run = prepared.get_mut(&name).context("nothing of that name is prepared")?;
            let (seconds, arrays) = side.run(run)?;
            if let Some(prefix) = question["save"].as_str() {
                arrays.iter().try_for_each(|(name, array)| array.save(prefix, name))?;
            }
            Ok(json!({"seconds": seconds.as_secs_f64()}))
        }
        Some("forget") => {
            prepared.clear();
            Ok(json!({}))
        }
        _ => bail!("asked for nothing that is known"),
    }
}
