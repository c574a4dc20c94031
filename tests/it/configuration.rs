//! Options from configuration: what needs the sources; the rest is tested next to the code.

use std::{fs, path::Path};

#[test]
fn configuration_and_attributes_accept_the_same_units() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let [one, other] = [
        "sockety/src/config/units.rs",
        "sockety-macros/src/attr/units/parse.rs",
    ]
    .map(|path| fs::read_to_string(root.join(path)).expect("a source"));
    assert!(one.contains("GiB") && one == other, "the copies differ");
}
