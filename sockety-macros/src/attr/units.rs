//! Durations and sizes: numbers with units, such as `"2s"` and `"1 MiB"`.

use syn::LitStr;

mod parse;

use parse::{SIZES, TIMES, Unread, parse};

pub(super) fn milliseconds(text: &LitStr) -> syn::Result<u64> {
    let instead =
        "write a number and a unit, as in `\"500ms\"`, `\"2s\"`, `\"5m\"`, `\"1h\"` or `\"1m30s\"`";
    match parse(&text.value(), TIMES) {
        // A timeout of zero would end every call before its reply could arrive.
        Ok(0) => Err(error(text, "duration must not be zero", instead)),
        Ok(time) => Ok(time),
        Err(Unread::Malformed) => Err(error(text, &invalid("duration", text), instead)),
        Err(Unread::TooLarge) => {
            let days = u64::MAX / (24 * 3_600_000);
            Err(too_large(text, &format!("{days} days")))
        }
    }
}

pub(super) fn bytes(text: &LitStr) -> syn::Result<u64> {
    let instead = "write a number and a unit, as in `\"512 B\"` or `\"1 MiB\"`; units are B, KB, MB, GB, TB \
                   (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024)";
    parse(&text.value(), SIZES).map_err(|unread| match unread {
        Unread::Malformed => error(text, &invalid("size", text), instead),
        Unread::TooLarge => too_large(text, "2^64 - 1 bytes"),
    })
}

fn too_large(text: &LitStr, maximum: &str) -> syn::Error {
    let mistake = format!("{:?} is too large", text.value());
    error(text, &mistake, &format!("maximum is {maximum}"))
}

fn invalid(what: &str, text: &LitStr) -> String {
    format!("invalid {what} {:?}", text.value())
}

fn error(text: &LitStr, mistake: &str, instead: &str) -> syn::Error {
    syn::Error::new_spanned(text, format!("{mistake}: {instead}"))
}
