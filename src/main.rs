//! The command `flowmask`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
