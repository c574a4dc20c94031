//! What a service trait means, independent of how it was written and of what is generated.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{ItemTrait, LitStr, Type, parse_quote};

use crate::attr::{ActionArguments, ForwardedAttributes};
use crate::names::{self, Names};

/// A service: a trait, and the actions it stands for.
pub(crate) struct Service {
    /// The trait as written, without the attributes that only we understand.
    pub(crate) item: ItemTrait,
    pub(crate) names: Names,
    pub(crate) forwarded: ForwardedAttributes,
    pub(crate) actions: Vec<Action>,
}

/// A method, and the action by which peers call it.
pub(crate) struct Action {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    /// Where the action got its name: a literal, or the name of the method.
    pub(crate) name_tokens: TokenStream,
    /// Further names, and where they stand.
    pub(crate) aliases: Vec<(String, LitStr)>,
    pub(crate) arguments: ActionArguments,
    /// The prefix that `name` begins with.
    pub(crate) prefix_tokens: Option<TokenStream>,
    pub(crate) forwarded: ForwardedAttributes,
    pub(crate) params: Vec<Param>,
    pub(crate) reply: Reply,
    /// A mistake, after which types may name parameters that are nowhere else.
    pub(crate) is_generic: bool,
}

impl Action {
    /// Its variant of the request enum.
    pub(crate) fn variant(&self) -> Ident {
        names::variant(&self.ident)
    }

    /// The parameters that travel as the payload.
    pub(crate) fn payload(&self) -> Vec<&Param> {
        self.params
            .iter()
            .filter(|param| param.kind == ParamKind::Part(Part::Payload))
            .collect()
    }

    /// All names on the wire, and the tokens they come from.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, TokenStream)> {
        let own = (self.name.as_str(), self.name_tokens.clone());
        let aliases = self.aliases.iter();
        let aliases = aliases.map(|(name, tokens)| (name.as_str(), tokens.to_token_stream()));
        std::iter::once(own).chain(aliases)
    }

    pub(crate) fn is_spawned(&self) -> bool {
        self.arguments.spawn.is_some()
    }

    /// Whether a stream travels, in either direction.
    pub(crate) fn has_stream(&self) -> bool {
        let is_stream =
            |kind: &ParamKind| matches!(kind, ParamKind::Part(part) if part.is_stream());
        let called = self.params.iter().any(|param| is_stream(&param.kind));
        called || self.reply.output().parts().any(Part::is_stream)
    }

    /// Whether files travel with the call.
    pub(crate) fn takes_files(&self) -> bool {
        let is_file =
            |param: &Param| matches!(param.kind, ParamKind::Part(Part::File | Part::Files));
        self.params.iter().any(is_file)
    }

    /// Whether files or a stream travel with the call.
    pub(crate) fn takes_content(&self) -> bool {
        let is_plain = |param: &Param| {
            matches!(
                param.kind,
                ParamKind::Context | ParamKind::Part(Part::Payload)
            )
        };
        !self.params.iter().all(is_plain)
    }

    /// The parameters that a caller gives.
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
}

/// Where the value of a parameter comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamKind {
    /// Nothing travels: the receiving side gives it.
    Context,
    Part(Part),
}

/// How a value travels. The order is that in which values are packed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Payload,
    File,
    /// All files that follow.
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

/// What the caller hears of a call.
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
    /// A one-way action returns nothing.
    pub(crate) fn output(&self) -> &Output {
        match self {
            Self::OneWay => &Output::Unit,
            Self::Response { output, .. } => output,
        }
    }

    pub(crate) fn error(&self) -> Option<&Type> {
        match self {
            Self::OneWay => None,
            Self::Response { error, .. } => error.as_deref(),
        }
    }
}

/// What a response carries when all went well.
pub(crate) enum Output {
    Unit,
    Value(Box<Type>),
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

    /// How it travels.
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

/// A value that is not, or not as a whole, the payload: a file, a stream, or a tuple with some of those.
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
