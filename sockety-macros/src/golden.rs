//! Compares generated code with the files in `tests/expand`. `UPDATE_EXPECT=1` rewrites the files.

use expect_test::{ExpectFile, expect_file};
use proc_macro2::TokenStream;
use quote::quote;

use crate::{service, service_error};

#[test]
fn a_basic_service() {
    let item = quote! {
        /// Stores clips.
        pub trait Media {
            /// Notes an event.
            #[action(one_way)]
            async fn track(&self, event: String);
            async fn get(&self, id: u64) -> Result<Clip, MediaError>;
            async fn rename(&self, id: u64, cx: &Context, title: String);
            async fn remove(&self, id: u64) -> Result<(), MediaError>;
            async fn count(&self) -> usize {
                0
            }
        }
    };
    check(
        &service::expand(quote!(), item),
        expect_file!["../tests/expand/basic.rs"],
    );
}

#[test]
fn parameters_have_aliases_and_defaults() {
    let item = quote! {
        trait Media {
            async fn find(
                &self,
                #[param(alias = ["text", "query"])] title: String,
                #[param(default)] limit: u32,
                #[param(default, alias = ["from"])] offset: u32,
            );
        }
    };
    check(
        &service::expand(quote!(), item),
        expect_file!["../tests/expand/parameters.rs"],
    );
}

#[test]
fn names_and_paths_are_replaced() {
    let item = quote! {
        pub(crate) trait Media: Send + Sync {
            #[action(name = "fetch")]
            async fn get(&self, id: u64, r#type: Kind) -> Clip;
            async fn r#move(&self);
        }
    };
    let arguments = quote!(prefix = "media.", crate = "::facade::rpc");
    let tokens = service::expand(arguments, item);
    assert!(
        !tokens.to_string().contains("sockety"),
        "the default path leaks"
    );
    check(&tokens, expect_file!["../tests/expand/names.rs"]);
}

#[test]
fn conditions_docs_and_deprecation_are_forwarded() {
    let item = quote! {
        #[cfg(feature = "media")]
        trait Media {
            /// Finds a clip.
            #[cfg(feature = "search")]
            #[cfg_attr(docsrs, doc(cfg(feature = "search")))]
            async fn find(&self, text: String, limit: u32) -> Vec<Clip>;
            #[deprecated = "use `find`"]
            #[allow(non_snake_case)]
            async fn findOld(&self, text: String) -> Vec<Clip>;
        }
    };
    check(
        &service::expand(quote!(), item),
        expect_file!["../tests/expand/attributes.rs"],
    );
}

#[test]
fn arguments_of_actions() {
    let item = quote! {
        pub trait Media {
            #[action(alias = ["fetch"], idempotent, long_poll, timeout = "1m")]
            async fn get(&self, id: u64) -> Result<Clip, MediaError>;
            #[action(spawn, no_cancel, limit(payload = "1 KiB", files = 8, file = "2 GB"))]
            async fn upload(&self, id: u64, title: String, files: Vec<File>);
        }
    };
    check(
        &service::expand(quote!(prefix = "media."), item),
        expect_file!["../tests/expand/arguments.rs"],
    );
}

#[test]
fn parameters_with_content() {
    let item = quote! {
        pub trait Media {
            async fn upload(&self, cx: &Context, title: String, video: File, subtitles: Vec<File>) -> Result<Clip, MediaError>;
            async fn store(&self, video: sockety::File, lines: Streaming<Line, LogError>, id: u64, cover: File, r#type: Kind);
            async fn keep(&self, files: Vec<File>) -> Result<(), MediaError>;
            #[action(one_way)]
            async fn ingest(&self, source: String, lines: Streaming<Line>, attachments: Vec<File>);
        }
    };
    check(
        &service::expand(quote!(), item),
        expect_file!["../tests/expand/carrying_parameters.rs"],
    );
}

#[test]
fn returns_with_content() {
    let item = quote! {
        pub trait Media {
            async fn search(&self, ids: Streaming<u64>) -> Result<Streaming<Clip>, MediaError>;
            async fn download(&self, id: u64) -> Result<(Clip, File), MediaError>;
            async fn shell(&self, input: ByteStream) -> ByteStream;
            async fn logs(&self, from: u64, to: u64) -> Streaming<Line, LogError>;
            async fn export(&self) -> (File, ByteStream, Vec<Clip>, Vec<File>);
            async fn covers(&self) -> Result<Vec<File>, MediaError>;
            async fn plain(&self) -> (u64, String);
        }
    };
    check(
        &service::expand(quote!(), item),
        expect_file!["../tests/expand/carrying_returns.rs"],
    );
}

#[test]
fn content_has_the_path_of_the_crate() {
    let item = quote! {
        trait Media {
            async fn copy(&self, id: u64, file: File, bytes: ByteStream) -> (u64, Vec<File>, Streaming<u64>);
        }
    };
    let tokens = service::expand(quote!(crate = "::facade::rpc"), item);
    assert!(
        !tokens.to_string().contains("sockety"),
        "the default path leaks"
    );
}

#[test]
fn mistakes_leave_stand_ins() {
    let item = quote! {
        pub trait Media {
            async fn get(&self, id: u64) -> Clip;
            fn find(&mut self, text: &str) -> Clip;
        }
    };
    check(
        &service::expand(quote!(), item),
        expect_file!["../tests/expand/stand_ins.rs"],
    );
}

#[test]
fn a_service_error() {
    let item = quote! {
        pub enum MediaError {
            /// There is no such
            /// clip.
            ///
            /// Nothing was changed.
            #[code(16)]
            NotFound,
            #[code(17)]
            QuotaExceeded { used: u64, limit: u64 },
            #[code(18)]
            Refused(String),
        }
    };
    check(
        &service_error::expand(item),
        expect_file!["../tests/expand/service_error.rs"],
    );
}

#[test]
fn a_service_error_with_foreign_display() {
    let item = quote! {
        #[service_error(crate = "::facade::rpc")]
        enum MediaError {
            #[code(0x10)]
            #[error("no such clip")]
            NotFound,
        }
    };
    let tokens = service_error::expand(item);
    assert!(
        !tokens.to_string().contains("sockety"),
        "the default path leaks"
    );
    check(
        &tokens,
        expect_file!["../tests/expand/service_error_foreign.rs"],
    );
}

#[test]
fn a_service_error_has_the_display_of_others() {
    let enums = [
        quote! { #[service_error(display = false)] enum E { #[code(16)] A } },
        quote! { #[display("no clip")] enum E { #[code(16)] A } },
        quote! { enum E { #[code(16)] #[display("no clip")] A } },
        quote! { enum E { #[code(16)] #[snafu(display("no clip"))] A } },
    ];
    for item in enums {
        let tokens = service_error::expand(item.clone()).to_string();
        assert!(!tokens.contains("compile_error"), "{item}");
        assert!(!tokens.contains("fmt :: Display for"), "{item}");
        assert!(!tokens.contains("error :: Error for"), "{item}");
    }
    let own = service_error::expand(quote! {
        #[service_error(display = true)] enum E { #[code(16)] A }
    });
    assert!(own.to_string().contains("fmt :: Display for"));
}

fn check(tokens: &TokenStream, file: ExpectFile) {
    let parsed = syn::parse2(tokens.clone()).expect("generated code is a file of items");
    file.assert_eq(&prettyplease::unparse(&parsed));
}
