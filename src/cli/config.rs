//! `--config FILE`: flags from a TOML file, whose keys are the long names of flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command, CommandFactory};
use toml::{Table, Value};

use super::args::Cli;
use super::usage;

/// The sub-commands that take `--config`, each of which may have a table in the file.
const COMMANDS: [&str; 4] = ["segment", "restore", "evaluate", "styles"];

/// The flags whose value may be a list with commas.
const LISTS: [&str; 2] = ["flow3d-smooth", "device"];

/// The words of a command line.
pub struct Words {
    pub words: Vec<OsString>,
    /// The file that some of them come from, and the flags that do.
    file: Option<(PathBuf, Vec<String>)>,
}

impl Words {
    /// Names the file if the error is about a flag from there.
    pub fn origin(&self, error: &clap::Error) -> String {
        let argument = usage::argument(error).unwrap_or_default();
        let name = argument.split([' ', '=']).next().unwrap_or_default().trim_start_matches('-');
        match &self.file {
            Some((file, flags)) if flags.iter().any(|flag| flag == name) => {
                format!(" (in {})", file.display())
            }
            _ => String::new(),
        }
    }
}

/// Adds the flags of the file that `--config` names, if there is one. Flags on the command line win: those of the file
/// that say the same, or exclude one of them, are left out.
pub fn insert(mut words: Vec<OsString>) -> anyhow::Result<Words> {
    // Errors of the command line are found later, when it is complete.
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(&words);
    let Some((name, given)) = matches.as_ref().ok().and_then(|matches| matches.subcommand()) else {
        return Ok(Words { words, file: None });
    };
    let file = given.try_get_one::<PathBuf>("config").ok().flatten();
    let Some(file) = file.filter(|_| COMMANDS.contains(&name)) else {
        return Ok(Words { words, file: None });
    };
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand(name).ok_or_else(|| anyhow!("there is no {name}"))?;
    let is_given = |arg: &Arg| given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let by_user: Vec<&Arg> = command.get_arguments().filter(|arg| is_given(arg)).collect();
    let yields = |arg: &Arg| by_user.iter().any(|other| excludes(command, arg, other));
    let (mut added, mut flags) = (Vec::new(), Vec::new());
    for (key, value) in read(file, name)? {
        let arg = known(command, &key).ok_or_else(|| unknown(file, &key, name))?;
        let long = arg.get_long().unwrap_or_default();
        let own = to_words(arg, long, &value)
            .ok_or_else(|| anyhow!("{}: {key} cannot be this {}", file.display(), value.type_str()))?;
        if !yields(arg) {
            added.extend(own);
            flags.push(long.to_string());
        }
    }
    let at = words.iter().position(|word| word == name).map_or(words.len(), |at| at + 1);
    words.splice(at..at, added);
    Ok(Words { words, file: Some((file.clone(), flags)) })
}

/// The keys and values for the sub-command `name`: those at the top, and those of its own table, which win.
fn read(file: &Path, name: &str) -> anyhow::Result<Table> {
    // A pipe without a writer would block for ever.
    if file.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir()) {
        bail!("cannot read {}: it is a pipe or a device, not a file", file.display());
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
    let text = text.map_err(|error| anyhow!("{error:#}"))?;
    let mut keys: Table =
        text.parse().map_err(|error| anyhow!("{}: {}", file.display(), problem(&text, &error)))?;
    let mut own = Table::new();
    for command in COMMANDS {
        match keys.remove(command) {
            Some(Value::Table(table)) if command == name => own = table,
            Some(Value::Table(_)) | None => {}
            Some(_) => bail!("{}: {command} is not a table", file.display()),
        }
    }
    // Two spellings of one key would be one flag given twice.
    let same = |a: &str, b: &str| a.replace('_', "-") == b.replace('_', "-");
    keys.retain(|key, _| !own.keys().any(|other| same(key, other)));
    keys.extend(own);
    Ok(keys)
}

/// What is wrong with the text, and in which line.
fn problem(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// The argument with a long name, written with hyphens or underscores.
fn known<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    let key = key.replace('_', "-");
    let is = |name: &str| name.replace('_', "-") == key;
    command
        .get_arguments()
        .filter(|arg| !["config", "help", "version"].contains(&arg.get_id().as_str()))
        .find(|arg| {
            arg.get_long().is_some_and(is) || arg.get_all_aliases().unwrap_or_default().into_iter().any(is)
        })
}

fn unknown(file: &Path, key: &str, name: &str) -> anyhow::Error {
    anyhow!("{}: {key} is no flag of `flowmask {name}`; its help lists them all", file.display())
}

fn excludes(command: &Command, arg: &Arg, given: &Arg) -> bool {
    let conflicts =
        |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|c| c.get_id() == b.get_id());
    arg.get_id() == given.get_id() || conflicts(arg, given) || conflicts(given, arg)
}

/// The words that give `arg` its value; nothing for a value of the wrong type.
fn to_words(arg: &Arg, long: &str, value: &Value) -> Option<Vec<OsString>> {
    let flag = format!("--{long}");
    let one = |value: &Value| Some(format!("{flag}={}", scalar(value)?).into());
    // Values too many would be taken for inputs, and too few would take inputs for values.
    let count = arg.get_num_args().map_or(1, |range| range.min_values());
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(on)) => Some(if *on { vec![flag.into()] } else { vec![] }),
        (ArgAction::SetTrue, _) | (_, Value::Boolean(_)) => None,
        (_, Value::Array(values)) if count > 1 => {
            let values = values.iter().map(scalar).collect::<Option<Vec<String>>>();
            let values = values.filter(|values| values.len() == count)?;
            Some(std::iter::once(flag).chain(values).map(OsString::from).collect())
        }
        (_, Value::Array(values)) if LISTS.contains(&long) => {
            let values = values.iter().map(scalar).collect::<Option<Vec<String>>>()?;
            Some(vec![format!("{flag}={}", values.join(",")).into()])
        }
        (ArgAction::Append, Value::Array(values)) => values.iter().map(one).collect(),
        _ => Some(vec![one(value)?]),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}
