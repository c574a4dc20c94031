//! Examples, each run by `cargo run --example NAME`; see `README.md` in this folder.

/// Compiles and runs the code in the README of the repository.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The same for the README that crates.io shows for the library.
#[cfg(doctest)]
#[doc = include_str!("../sockety/README.md")]
struct LibraryReadme;

/// Compiles and runs the code in the guide. Each page is a separate test, so that a failure names
/// its page.
#[cfg(doctest)]
mod guide {
    macro_rules! pages {
        ($($name:ident: $file:literal,)*) => {
            $(#[doc = include_str!(concat!("../docs/src/", $file))] struct $name;)*
        };
    }

    pages! {
        GettingStarted: "getting-started.md",
        Services: "services.md",
        Streams: "streams.md",
        Files: "files.md",
        Errors: "errors.md",
        Cancellation: "cancellation.md",
        Metadata: "metadata.md",
        Versions: "versions.md",
        Changing: "changing.md",
        Typescript: "typescript.md",
        Limits: "limits.md",
        Tls: "tls.md",
        Testing: "testing.md",
        Operations: "operations.md",
        Fleet: "fleet.md",
        BehindABalancer: "behind-a-balancer.md",
        FleetOperations: "fleet-operations.md",
        WireProtocol: "wire-protocol.md",
        OtherLanguages: "other-languages.md",
        FromSocketyJs: "from-sockety-js.md",
        FromGrpc: "from-grpc.md",
        FromTarpc: "from-tarpc.md",
    }
}
