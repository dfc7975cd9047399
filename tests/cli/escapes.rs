//! Text from files and their names is shown, never given to the terminal to act on.

use std::fs;

use crate::scene::{BIN, Scene};

/// No control character except the ends of lines.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}')
}

#[test]
fn escapes_in_the_header_of_a_file_are_shown() {
    let scene = Scene::new();
    scene.npy("a.npy", "\u{1b}[31m\u{9b}2J<f4", "(64, 64)", &[0; 100]);
    let run = scene.run("segment a.npy").failed(1, "a.npy");
    assert!(is_plain(&run.stderr), "{:?}", run.stderr);
    let run = scene.run("segment a.npy --json").failed(1, "a.npy");
    assert!(is_plain(&run.stderr) && is_plain(&run.stdout), "{run:?}");
    run.json();
}

#[cfg(unix)]
#[test]
fn names_of_files_are_shown_and_json_has_them_as_they_are() {
    let scene = Scene::new();
    let name = "a\n\u{1b}[31m\u{9b}\u{202e}b.png";
    scene.blank(name, 32, 32);
    let run = scene.run("segment . -o out").done();
    assert!(is_plain(&run.stdout) && run.stdout.lines().count() == 1, "{run:?}");
    assert!(run.stdout.contains(r"a\n\u001b[31m\u009b\u202eb.png"), "{run:?}");
    let run = scene.run("segment . -o out2 --json").done();
    assert!(is_plain(&run.stdout), "{run:?}");
    assert_eq!(run.json()[0]["input"], format!("./{name}"));
    fs::write(scene.path(name), "").unwrap();
    let run = scene.run("segment .").failed(1, "flowmask").stderr;
    assert!(is_plain(&run), "{run:?}");
}

#[test]
fn names_of_models_and_values_of_flags_are_shown() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    for flag in ["--model", "--device", "--diameter"] {
        let run =
            scene.output(std::process::Command::new(BIN).args(["segment", "a.png", flag, "\u{1b}[31m\n"]));
        let run = run.failed(2, "flowmask: ");
        assert!(is_plain(&run.stderr), "{run:?}");
        // Clap removes escapes from what it quotes.
        assert!(flag == "--diameter" || run.stderr.contains(r"\u001b[31m\n"), "{run:?}");
    }
}

/// `ulimit` makes every write beyond 1 block fail.
#[cfg(target_os = "linux")]
#[test]
fn errors_do_not_name_temporary_files() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let script = format!("trap '' XFSZ; ulimit -f 1; exec {BIN} segment a.png --format npy",);
    let run = scene.output(std::process::Command::new("sh").args(["-c", &script])).failed(1, "a_masks.npy");
    assert!(!run.stderr.contains(".part") && !run.stderr.contains(".tmp"), "{run:?}");
}
