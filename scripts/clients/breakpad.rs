//! A program that holds a private key on its stack, and whose Breakpad client calls the hook when its dump is written.
//! breakpad KEY FOLDER PROGRAM POLICY SENDER

use std::hint::black_box;
use std::io::Read;
use std::process::Command;

#[inline(never)]
fn inner(depth: u32, path: &str) -> u8 {
    if depth > 0 {
        return inner(depth - 1, path).wrapping_add(1);
    }
    let mut key = [0; 8192];
    let len = std::fs::File::open(path).and_then(|mut file| file.read(&mut key)).unwrap();
    if black_box(&key)[len / 2] != 0 {
        std::process::abort();
    }
    key[0]
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let told = words.clone();
    let on_crash = move |dump: std::path::PathBuf| {
        std::fs::copy(&dump, "before").unwrap();
        let mut hook = Command::new(&told[3]);
        hook.args(["hook", "breakpad", "--policy", &told[4]]).arg(dump).args(["--", &told[5]]);
        println!("the hook ended with {}", hook.status().unwrap());
    };
    let options = breakpad_handler::InstallOptions::BothHandlers;
    let _handler = breakpad_handler::BreakpadHandler::attach(&words[2], options, Box::new(on_crash)).unwrap();
    inner(3, &words[1]);
}
