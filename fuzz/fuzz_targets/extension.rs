#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockety_fuzz_harness::run("extension", data));
