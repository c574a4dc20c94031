//! The arguments of `#[service]`, `#[action]`, `#[param]` and `#[service_error]`, and the attributes that are
//! forwarded to generated items.

use proc_macro2::TokenStream;
use syn::{Attribute, LitStr, Path};

use crate::errors::Errors;
use crate::names::default_crate;

mod action;
mod forwarded;
mod known;
mod limits;
mod param;
mod units;

pub(crate) use action::ActionArguments;
pub(crate) use forwarded::{ForwardedAttributes, without_deprecated};
pub(crate) use limits::Limits;
pub(crate) use param::ParamArguments;

use known::KnownArguments;

const SERVICE: KnownArguments = KnownArguments {
    attribute: "#[service(…)]",
    arguments: &[("prefix", "prefix = \"…\""), ("crate", "crate = \"…\"")],
};

const SERVICE_ERROR: KnownArguments = KnownArguments {
    attribute: "#[service_error(…)]",
    arguments: &[("crate", "crate = \"…\""), ("display", "display = false")],
};

/// The arguments of `#[service]`.
pub(crate) struct ServiceArguments {
    pub(crate) prefix: Option<LitStr>,
    pub(crate) krate: Path,
}

impl ServiceArguments {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut arguments = Self {
            prefix: None,
            krate: default_crate(),
        };
        for argument in SERVICE.read(tokens, errors) {
            match argument.name.as_str() {
                "prefix" => arguments.prefix = argument.text(errors),
                _ => arguments.krate = argument.path(errors).unwrap_or(arguments.krate),
            }
        }
        arguments
    }
}

/// The arguments of `#[service_error]`.
pub(crate) struct ServiceErrorArguments {
    pub(crate) krate: Path,
    /// Whether the derive implements `Display` and `Error`.
    pub(crate) display: bool,
}

impl ServiceErrorArguments {
    pub(crate) fn parse(attributes: &[Attribute], errors: &mut Errors) -> Self {
        let is_ours = |attribute: &&Attribute| attribute.path().is_ident("service_error");
        let attributes: Vec<_> = attributes.iter().filter(is_ours).cloned().collect();
        let mut arguments = Self {
            krate: default_crate(),
            display: true,
        };
        for argument in SERVICE_ERROR.read_all(&attributes, errors) {
            match argument.name.as_str() {
                "display" => arguments.display = argument.boolean(errors),
                _ => arguments.krate = argument.path(errors).unwrap_or(arguments.krate),
            }
        }
        arguments
    }
}
