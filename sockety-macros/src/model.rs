//! The model of a service trait. It depends neither on how the trait was written nor on what is
//! generated from it.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{ItemTrait, LitStr, Type, parse_quote};

use crate::attr::{ActionArguments, ForwardedAttributes, ParamArguments};
use crate::names::{self, Names};

/// A service trait and its actions.
pub(crate) struct Service {
    /// The trait as written, without its `#[action]` attributes.
    pub(crate) item: ItemTrait,
    pub(crate) names: Names,
    pub(crate) forwarded: ForwardedAttributes,
    pub(crate) actions: Vec<Action>,
}

/// A method, and the action that peers call it by.
pub(crate) struct Action {
    pub(crate) ident: Ident,
    /// The name on the wire, including the prefix.
    pub(crate) name: String,
    /// The tokens of the name without its prefix: a literal, or the name of the method.
    pub(crate) name_tokens: TokenStream,
    /// Additional names on the wire, including the prefix, and their tokens.
    pub(crate) aliases: Vec<(String, LitStr)>,
    pub(crate) arguments: ActionArguments,
    /// The literal of the prefix that `name` begins with.
    pub(crate) prefix_tokens: Option<TokenStream>,
    pub(crate) forwarded: ForwardedAttributes,
    pub(crate) params: Vec<Param>,
    pub(crate) reply: Reply,
    /// Whether the method is generic. This is a mistake, but stand-ins must know: the types of such
    /// a method may name its type parameters, which do not exist outside the trait.
    pub(crate) is_generic: bool,
}

impl Action {
    /// The name of its variant in the request enum.
    pub(crate) fn variant(&self) -> Ident {
        names::variant(&self.ident)
    }

    /// The parameters that are sent in the payload.
    pub(crate) fn payload(&self) -> Vec<&Param> {
        self.params
            .iter()
            .filter(|param| param.kind == ParamKind::Part(Part::Payload))
            .collect()
    }

    /// All names on the wire with their tokens, the main name first.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, TokenStream)> {
        let own = (self.name.as_str(), self.name_tokens.clone());
        let aliases = self.aliases.iter();
        let aliases = aliases.map(|(name, tokens)| (name.as_str(), tokens.to_token_stream()));
        std::iter::once(own).chain(aliases)
    }

    /// Whether every call is handled in its own task.
    pub(crate) fn is_spawned(&self) -> bool {
        self.arguments.spawn.is_some()
    }

    /// Whether a stream is sent in either direction.
    pub(crate) fn has_stream(&self) -> bool {
        self.takes_stream() || self.reply.output().parts().any(Part::is_stream)
    }

    /// Whether calls carry files.
    pub(crate) fn takes_files(&self) -> bool {
        let is_file =
            |param: &Param| matches!(param.kind, ParamKind::Part(Part::File | Part::Files));
        self.params.iter().any(is_file)
    }

    /// Whether calls carry a stream.
    pub(crate) fn takes_stream(&self) -> bool {
        let is_stream =
            |param: &Param| matches!(param.kind, ParamKind::Part(part) if part.is_stream());
        self.params.iter().any(is_stream)
    }

    /// Whether calls carry files or a stream.
    pub(crate) fn takes_content(&self) -> bool {
        let is_plain = |param: &Param| {
            matches!(
                param.kind,
                ParamKind::Context | ParamKind::Part(Part::Payload)
            )
        };
        !self.params.iter().all(is_plain)
    }

    /// The parameters that a caller passes: all but the context.
    pub(crate) fn caller_params(&self) -> impl Iterator<Item = &Param> {
        self.params
            .iter()
            .filter(|param| param.kind != ParamKind::Context)
    }
}

pub(crate) struct Param {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: ParamKind,
    pub(crate) arguments: ParamArguments,
}

/// Where the value of a parameter comes from on the serving side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamKind {
    /// The connection that received the call. Nothing is sent for it.
    Context,
    /// The call.
    Part(Part),
}

/// How a value is sent. The order of the variants is the order in which the values of a message are
/// added to it and taken out of it: single files before the rest of the files, streams last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Payload,
    File,
    /// All files after the single ones.
    Files,
    ByteStream,
    Streaming,
}

impl Part {
    pub(crate) fn is_stream(self) -> bool {
        match self {
            Self::ByteStream | Self::Streaming => true,
            Self::Payload | Self::File | Self::Files => false,
        }
    }
}

/// What a caller receives for a call.
pub(crate) enum Reply {
    /// Nothing.
    OneWay,
    Response {
        output: Output,
        /// `E`, when the method returns `Result<T, E>`.
        error: Option<Box<Type>>,
    },
}

impl Reply {
    /// What the method returns on success. A one-way action returns nothing.
    pub(crate) fn output(&self) -> &Output {
        match self {
            Self::OneWay => &Output::Unit,
            Self::Response { output, .. } => output,
        }
    }

    /// The error type of the method, if it returns a `Result`.
    pub(crate) fn error(&self) -> Option<&Type> {
        match self {
            Self::OneWay => None,
            Self::Response { error, .. } => error.as_deref(),
        }
    }
}

/// What a response carries on success.
pub(crate) enum Output {
    /// Nothing.
    Unit,
    /// One value, which is the payload.
    Value(Box<Type>),
    /// Files or a stream, possibly with a payload.
    Parts(Box<Parts>),
}

impl Output {
    pub(crate) fn ty(&self) -> Type {
        match self {
            Self::Unit => parse_quote!(()),
            Self::Value(ty) => (**ty).clone(),
            Self::Parts(parts) => parts.ty.clone(),
        }
    }

    /// How its values are sent, in the order in which the method returns them.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        let (value, parts) = match self {
            Self::Unit => (None, &[][..]),
            Self::Value(_) => (Some(Part::Payload), &[][..]),
            Self::Parts(parts) => (None, &parts.elements[..]),
        };
        let parts = parts.iter().map(|element| element.part);
        value.into_iter().chain(parts)
    }
}

/// A returned value that is not sent as a payload alone: files, a stream, or a tuple that contains
/// some of these.
pub(crate) struct Parts {
    pub(crate) ty: Type,
    pub(crate) is_tuple: bool,
    /// The elements of the tuple, or the one value.
    pub(crate) elements: Vec<Element>,
}

pub(crate) struct Element {
    pub(crate) ty: Type,
    pub(crate) part: Part,
}
