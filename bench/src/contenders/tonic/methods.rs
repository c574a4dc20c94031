//! The paths of the methods.

pub const ECHO: &str = "/bench.Bench/Echo";
pub const UPLOAD: &str = "/bench.Bench/Upload";
pub const RECORDS: &str = "/bench.Bench/Records";
pub const ECHOES: &str = "/bench.Bench/Echoes";
pub const NOTES: &str = "/bench.Bench/Notes";
pub const STREAM: &str = "/bench.Bench/Stream";
pub const STORE: &str = "/bench.Bench/Store";
pub const SUBSCRIBE: &str = "/bench.Bench/Subscribe";
