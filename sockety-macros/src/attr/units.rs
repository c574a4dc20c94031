//! Durations and sizes: numbers with units, such as `"2s"` and `"1 MiB"`.

use syn::LitStr;

mod parse;

use parse::{SIZES, TIMES, parse};

pub(super) fn milliseconds(text: &LitStr) -> syn::Result<u64> {
    let instead = "write a number and a unit, as in `\"500ms\"`, `\"2s\"`, `\"5m\"` or `\"1h\"`";
    match parse(&text.value(), TIMES) {
        // A timeout of zero would end every call before its reply could arrive.
        Some(0) => Err(error(text, "duration must not be zero", instead)),
        Some(time) => Ok(time),
        None => Err(error(text, &invalid("duration", text), instead)),
    }
}

pub(super) fn bytes(text: &LitStr) -> syn::Result<u64> {
    let instead = "write a number and a unit, as in `\"512 B\"` or `\"1 MiB\"`; units are B, KB, MB, GB \
                   (powers of 1000) and KiB, MiB, GiB (powers of 1024), and the maximum is 2^64 - 1 bytes";
    parse(&text.value(), SIZES).ok_or_else(|| error(text, &invalid("size", text), instead))
}

fn invalid(what: &str, text: &LitStr) -> String {
    format!("invalid {what} {:?}", text.value())
}

fn error(text: &LitStr, mistake: &str, instead: &str) -> syn::Error {
    syn::Error::new_spanned(text, format!("{mistake}: {instead}"))
}
