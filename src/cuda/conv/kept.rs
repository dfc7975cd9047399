//! What was measured, kept beside the compiled kernels.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::choice::{Choice, Time};
use super::variants::{Kind, VARIANTS, Variant};
use super::{Gpu, Size};
use crate::cuda::nvrtc::{Cache, Compiler, Entry};
use crate::cuda::{DeviceInfo, describe, driver_version};
use crate::{Error, Result};

/// How long another process may measure, which takes seconds at most: one that hangs holds up nobody for longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The place of what was measured on a kind of card: with this name, compute capability and driver, and kernels that
/// this version of NVRTC compiled.
pub(super) struct Kept {
    cache: Cache,
    entry: Entry,
}

impl Kept {
    /// The place for an opened GPU.
    pub fn of(gpu: &Gpu) -> Result<Self> {
        let info = describe(gpu.device().ordinal().unwrap_or(0))?;
        Self::of_card(&info, gpu.compiler(), Cache::user())
    }

    fn of_card(info: &DeviceInfo, compiler: (i32, i32), cache: Cache) -> Result<Self> {
        let entry = Entry::choice(compiler, driver_version()?, &info.name, info.capability);
        Ok(Kept { cache, entry })
    }

    /// What was measured. An entry that is damaged or of another form counts as missing.
    pub fn read(&self) -> Option<Choice> {
        read(&serde_json::from_slice(&self.cache.read(&self.entry)?).ok()?)
    }

    /// Keeps a choice.
    pub fn write(&self, choice: &Choice) -> Result<()> {
        self.cache.write(&self.entry, written(choice).to_string().as_bytes())
    }

    /// Waits until no other process measures this kind of card, but not longer than a minute.
    pub fn trials(&self) -> Result<Trials> {
        let path = self.cache.beside(&self.entry, "lock")?;
        let error = |e| Error::write(&path, e);
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(error)?;
        let start = Instant::now();
        while let Err(locked) = file.try_lock() {
            match locked {
                TryLockError::Error(e) => return Err(error(e)),
                TryLockError::WouldBlock if start.elapsed() > PATIENCE => {
                    let reason = "another process has measured the kernels of this card for over a minute";
                    return Err(Error::device("cuda", reason));
                }
                TryLockError::WouldBlock => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Ok(Trials { file, suspect: None })
    }
}

/// What is known of the kernels on a card that need not be opened; nothing has been measured where the cache says
/// nothing.
pub fn kept(info: &DeviceInfo, compiler: &Compiler, cache: &Cache) -> Choice {
    let kept = Kept::of_card(info, compiler.version(), cache.clone());
    kept.ok().and_then(|kept| kept.read()).unwrap_or_default()
}

/// The right to measure. The file has the name of the variant that is being tried, so that one that ends the process, or
/// that does not end itself, is known the next time.
pub(super) struct Trials {
    file: File,
    /// The name of a variant whose last trial did not end. That may have been the user's doing, so it gets another.
    suspect: Option<&'static str>,
}

/// What follows the name of a variant on its second trial.
const AGAIN: char = '!';

impl Trials {
    /// The variant of which two trials in a row did not end.
    pub fn unfinished(&mut self) -> Option<&'static Variant> {
        let mut name = String::new();
        self.file.rewind().and_then(|()| self.file.read_to_string(&mut name)).ok()?;
        let variant = VARIANTS.iter().find(|variant| variant.name == name.trim_end_matches(AGAIN))?;
        self.suspect = Some(variant.name).filter(|_| !name.ends_with(AGAIN));
        Some(variant).filter(|_| self.suspect.is_none())
    }

    /// Notes the variant that is tried next; an empty name says that none is.
    pub fn note(&mut self, name: &str) -> Result<()> {
        let mut name = name.to_owned();
        name.extend(self.suspect.filter(|suspect| *suspect == name).map(|_| AGAIN));
        let file = &mut self.file;
        let noted =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(name.as_bytes()));
        noted.map_err(|e| Error::device("cuda", format!("the trial of a kernel cannot be noted: {e}")))
    }
}

fn written(choice: &Choice) -> Value {
    let time = |Time { kind, size, variant, seconds }: &Time| {
        let numbers = [kind.inputs, kind.proj_inputs, kind.outputs, size.count, size.height, size.width];
        json!([variant, seconds, numbers, [kind.up, kind.proj_up, kind.act]])
    };
    let times: Vec<Value> = choice.times.iter().map(time).collect();
    json!({ "refused": choice.refused, "absent": choice.absent, "times": times })
}

fn read(value: &Value) -> Option<Choice> {
    let name = |value: &Value| Some(Variant::named(value.as_str()?).ok()?.name);
    let reason = |value: &Value| Some((name(&value[0])?, value[1].as_str()?.to_owned()));
    let reasons = |key: &str| value[key].as_array()?.iter().map(reason).collect::<Option<_>>();
    let time = |value: &Value| {
        let number = |i: usize| value[2][i].as_u64().map(|n| n as usize);
        let flag = |i: usize| value[3][i].as_bool();
        let kind = Kind {
            inputs: number(0)?,
            proj_inputs: number(1)?,
            outputs: number(2)?,
            up: flag(0)?,
            proj_up: flag(1)?,
            act: flag(2)?,
        };
        let size = Size { count: number(3)?, height: number(4)?, width: number(5)? };
        Some(Time { kind, size, variant: name(&value[0])?, seconds: value[1].as_f64()? })
    };
    Some(Choice {
        pinned: None,
        refused: reasons("refused")?,
        absent: reasons("absent")?,
        times: value["times"].as_array()?.iter().map(time).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_was_written_and_nothing_of_another_form() {
        let kind = Kind { inputs: 64, proj_inputs: 32, outputs: 128, up: true, proj_up: false, act: true };
        let size = Size { count: 3, height: 56, width: 28 };
        let choice = Choice {
            pinned: None,
            refused: vec![("sm_90a", "it gives 1, not 2".into())],
            absent: vec![("sm_90a_apart", "it is for others".into())],
            times: vec![Time { kind, size, variant: "sm_80_apart", seconds: 1.25e-4 }],
        };
        let value = written(&choice);
        assert_eq!(read(&value), Some(choice));
        for (from, to) in [("sm_80_apart", "sm_70"), ("true", "1"), ("128", "-1"), ("times", "time")] {
            let other: Value = serde_json::from_str(&value.to_string().replace(from, to)).unwrap();
            assert_eq!(read(&other), None, "{to}");
        }
    }
}
