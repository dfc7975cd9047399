//! What a test takes that not every machine has.
//!
//! A test that takes it is ignored, with the reason, and fails where it is run without. `FLOWMASK_REQUIRE_…=1` makes a
//! plain `cargo test` run it too, so that an absence cannot go unseen.

use std::process::Command;

/// Runs tests of this program by its arguments `which`: without what they take, which `absent` hides, each must fail
/// with the words `reason`; and where the variable `required` is set, they must pass as things are.
#[track_caller]
pub fn check(required: &str, which: &[&str], absent: &[(&str, &str)], reason: &str) {
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(which).envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said.into_owned())
    };
    let (passed, said) = run(absent);
    let all_failed = said.contains("test result: FAILED. 0 passed; ") && !said.contains("; 0 failed");
    assert!(!passed && all_failed && said.contains(reason), "an absence went through:\n{said}");
    if std::env::var_os(required).is_some_and(|value| !value.is_empty()) {
        let (passed, said) = run(&[]);
        let ran = said.contains("test result: ok. ") && !said.contains("ok. 0 passed");
        assert!(passed && ran, "{required} is set, and:\n{said}");
    }
}
