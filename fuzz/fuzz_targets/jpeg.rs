#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flowmask_fuzz::read("jpeg", bytes));
