//! Errors in the words of the command, which has flags where the library has options.

use flowmask::Error;

/// The sentence of an error. Where the library names an option, this names the flag; and it names the flag that helps.
pub fn sentence(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::Option { name, reason }) => format!("{}: {reason}", flag(name)),
        Some(Error::Exists { .. }) => format!("{error}: --overwrite replaces it, or choose another place"),
        _ => error.to_string(),
    }
}

/// The flag that sets an option of the library.
fn flag(option: &str) -> String {
    match option {
        // Of `Normalize`, whose fields have short names.
        "percentile" => "--norm-percentile".into(),
        _ => format!("--{}", option.replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use flowmask::{Diameter, Normalize, Options};

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn every_option_that_can_be_wrong_is_named_by_its_flag() {
        let cli = Cli::command();
        let segment = cli.find_subcommand("segment").unwrap();
        let wrong = Options::default();
        for options in [
            wrong.clone().diameter(Diameter::Pixels(-1.0)),
            wrong.clone().normalize(Normalize::default().percentile([9.0, 1.0])),
            wrong.clone().normalize(Normalize::default().lowhigh(Some([[1.0, 1.0]; 2]))),
            wrong.clone().normalize(Normalize::default().sharpen_radius(-1.0)),
            wrong.clone().normalize(Normalize::default().smooth_radius(f64::NAN)),
            wrong.clone().normalize(Normalize::default().tile_norm_smooth3d(1e9)),
            wrong.clone().normalize(Normalize::default().tile_norm_blocksize(9).enabled(false)),
            wrong.clone().diameter(Diameter::Scale(0.0)),
            wrong.clone().max_size_fraction(0.0),
            wrong.clone().flow_threshold(f64::NAN),
            wrong.clone().cellprob_threshold(f32::NAN),
            wrong.clone().batch_size(Some(0)),
            wrong.clone().tile_overlap(0.9),
            wrong.clone().bsize(100),
        ] {
            let sentence = sentence(&options.check().unwrap_err().into());
            let flag = sentence.split(": ").next().unwrap().trim_start_matches("--");
            assert!(segment.get_arguments().any(|arg| arg.get_long() == Some(flag)), "{sentence}");
        }
    }
}
