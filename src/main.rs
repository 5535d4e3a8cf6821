//! The program: see [`dumpscrub::commands`].

fn main() -> std::process::ExitCode {
    dumpscrub::commands::main()
}
