use clap::Parser;

use super::*;
use crate::cli::args::{Cli, Command, Format};
use crate::cli::usage::{self, Asked};

/// Every flag of `cli.py` of cellpose 3.1.1, in its order, with a value where it takes one.
const CLI_PY: &str = "--version --verbose --Zstack --use_gpu --gpu_device=0 --check_mkl --dir=d --image_path=i \
    --look_one_level_down --img_filter=f --channel_axis=0 --z_axis=0 --chan=0 --chan2=0 --invert --all_channels \
    --pretrained_model=cyto --restore_type=denoise_cyto3 --chan2_restore --add_model=m --transformer \
    --pretrained_model_ortho=m --no_resample --no_interp --no_norm --norm_percentile,1,99 --do_3D --diameter=30 \
    --stitch_threshold=0 --min_size=15 --flow3D_smooth=0 --flow_threshold=0.4 --cellprob_threshold=0 --niter=0 \
    --anisotropy=1 --exclude_on_edges --augment --save_png --save_tif --output_name=o --no_npy --savedir=s \
    --dir_above --in_folders --save_flows --save_outlines --save_rois --save_txt --save_mpl --train --train_size \
    --test_dir=d --file_list=f --mask_filter=_masks --diam_mean=30 --learning_rate=0.2 --weight_decay=0.00001 \
    --n_epochs=500 --batch_size=8 --nimg_per_epoch=8 --nimg_test_per_epoch=8 --min_train_masks=5 --SGD=1 \
    --save_every=100 --model_name_out=n";

fn words(line: &str) -> Vec<OsString> {
    line.split([' ', ',']).map(OsString::from).collect()
}

#[test]
fn every_flag_of_the_original_is_taken_or_answered_in_one_sentence() {
    let (mut taken, mut answered) = (0, 0);
    for flag in CLI_PY.split_whitespace() {
        match translate(words(&format!("flowmask segment a.png {flag}"))) {
            Ok(words) => {
                let line = words.join(OsStr::new(" "));
                match usage::parse(words) {
                    Ok(Asked::Run(_)) => taken += 1,
                    // `--version` prints it.
                    Ok(Asked::Shown(_)) => taken += usize::from(flag == "--version"),
                    Err(error) => {
                        let name = flag.split(['=', ',']).next().unwrap();
                        assert_eq!(
                            error.to_string(),
                            format!("{name}: is not there yet; leave it out"),
                            "{line:?}"
                        );
                        answered += 1;
                    }
                }
            }
            Err(error) => {
                let sentence = error.to_string();
                let name = flag.split(['=', ',']).next().unwrap();
                assert!(sentence.starts_with(&format!("{name}: ")) && sentence.len() > 40, "{sentence}");
                assert!(!sentence.contains('\n') && !sentence.contains("similar"), "{sentence}");
                answered += 1;
            }
        }
        let name = flag.split(',').next().unwrap();
        assert!(sentence(name).is_some(), "{flag}");
    }
    assert_eq!(taken + answered, 65);
    assert!(taken >= 31, "{taken}");
}

#[test]
fn a_line_of_the_original_means_the_same_here() {
    let line = "flowmask segment --dir scans --pretrained_model nuclei --diameter 20 --use_gpu --gpu_device=1 \
                --save_png --no_npy --save_outlines --savedir out";
    let line: Vec<_> = line.split_whitespace().map(OsString::from).collect();
    let Command::Segment(args) = Cli::parse_from(translate(line).unwrap()).command else { unreachable!() };
    assert_eq!(args.inputs, [std::path::PathBuf::from("scans")]);
    assert_eq!((args.model.model.as_str(), args.speed.device.as_str()), ("nuclei", "cuda:1"));
    assert!(matches!(args.output.format, Format::Png) && args.output.overlay);
    assert_eq!(args.output.dir, Some("out".into()));
    // The original uses no GPU without --use_gpu.
    let words = translate(words("flowmask segment a.png --gpu_device 1")).unwrap();
    assert_eq!(words.len(), 3);
}

#[test]
fn flags_that_exclude_each_other_are_an_error_and_after_two_hyphens_there_are_none() {
    let error = translate(words("flowmask segment a.png --save_png --save_tif")).unwrap_err().to_string();
    assert!(error.contains("--save_tif") && error.contains("--format tif"), "{error}");
    assert!(translate(words("flowmask segment a.png --save_png --save-png")).is_ok());
    assert!(translate(words("flowmask segment a.png --use_gpu --gpu_device mps")).is_err());
    assert!(translate(words("flowmask segment a.png --dir")).is_err());
    let literal = words("flowmask segment -- --train");
    assert_eq!(translate(literal.clone()).unwrap(), literal);
}

#[test]
fn without_a_sub_command_segment_is_named() {
    let error = |line| translate(words(line)).unwrap_err().to_string();
    assert!(error("flowmask --dir x --pretrained_model cyto").contains("`flowmask segment`"));
    assert!(error("flowmask --dir x --train").contains("training"));
    assert!(translate(words("flowmask --version")).is_ok());
}
