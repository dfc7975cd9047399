//! From the words of the command line to the arguments. What is wrong with them is told in one line.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use super::args::{Cli, Command};
use super::{CANNOT_START, config, original};

/// What the command line asks for.
pub enum Asked {
    Run(Box<Command>),
    /// Help or the version, which are printed already.
    Shown(ExitCode),
}

/// Reads the words of the command line, the name of the program first.
///
/// # Errors
/// One sentence about what is wrong with them.
pub fn parse(words: Vec<OsString>) -> anyhow::Result<Asked> {
    let words = original::translate(words)?;
    let words = config::insert(words)?;
    let parsed = Cli::command().try_get_matches_from(&words.words).and_then(|m| Cli::from_arg_matches(&m));
    match parsed {
        Ok(cli) => Ok(Asked::Run(Box::new(cli.command))),
        Err(error) if is_help(error.kind()) => {
            // There is nowhere left to print when this fails.
            let _ = error.print();
            Ok(Asked::Shown(ExitCode::from(if error.use_stderr() { CANNOT_START } else { 0 })))
        }
        Err(error) => Err(anyhow!("{}{}", sentence(&error, &words.words), words.origin(&error))),
    }
}

fn is_help(kind: ErrorKind) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    matches!(kind, DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion)
}

/// The argument that an error is about, as clap writes it: `--diameter <PIXELS>`.
pub fn argument(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => Some(argument),
        _ => None,
    }
}

/// Clap's error in one line.
pub fn sentence(error: &clap::Error, words: &[OsString]) -> String {
    let unknown = (error.kind() == ErrorKind::UnknownArgument).then(|| argument(error)).flatten();
    if let Some(sentence) = unknown.and_then(original::sentence) {
        return sentence;
    }
    if error.kind() == ErrorKind::InvalidUtf8 {
        let odd: Vec<_> =
            words.iter().filter(|word| word.to_str().is_none()).map(|w| w.to_string_lossy()).collect();
        return format!("{}: this is not UTF-8", odd.join(", "));
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let mut sentence = String::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")) {
        let line = line.strip_prefix("error: ").or(line.strip_prefix("tip: ")).unwrap_or(line);
        let goes_on = sentence.is_empty() || sentence.ends_with(':') || line.starts_with(['[', '<', '-']);
        sentence += if sentence.is_empty() {
            ""
        } else if goes_on {
            " "
        } else {
            "; "
        };
        sentence += line;
    }
    sentence
}

/// Takes text that is UTF-8, and names in its error any that is not.
pub fn utf8() -> impl clap::builder::TypedValueParser<Value = String> {
    use clap::builder::{OsStringValueParser, TypedValueParser};
    OsStringValueParser::new()
        .try_map(|text| text.into_string().map_err(|_| "it is not UTF-8, which flowmask needs here"))
}
