//! What a service trait means, independent of how it was written and of what is generated.

use proc_macro2::{Ident, TokenStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, ItemTrait, Meta, Token, Type, parse_quote};

use crate::names::Names;

/// A service: a trait, and the actions it stands for.
pub(crate) struct Service {
    /// The trait as written, without the attributes that only we understand.
    pub(crate) item: ItemTrait,
    pub(crate) names: Names,
    pub(crate) carried: Carried,
    pub(crate) actions: Vec<Action>,
}

/// A method, and the action by which peers call it.
pub(crate) struct Action {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    /// Where the action got its name: a literal, or the name of the method.
    pub(crate) name_tokens: TokenStream,
    /// The prefix that `name` begins with.
    pub(crate) prefix_tokens: Option<TokenStream>,
    pub(crate) carried: Carried,
    pub(crate) params: Vec<Param>,
    pub(crate) reply: Reply,
    /// A mistake, after which types may name parameters that are nowhere else.
    pub(crate) is_generic: bool,
}

impl Action {
    /// The parameters that travel as the payload.
    pub(crate) fn payload(&self) -> Vec<&Param> {
        self.params
            .iter()
            .filter(|param| param.kind == ParamKind::Payload)
            .collect()
    }

    /// The parameters that a caller gives.
    pub(crate) fn given(&self) -> impl Iterator<Item = &Param> {
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
    Payload,
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

/// What a response carries when all went well.
pub(crate) enum Output {
    Unit,
    Value(Box<Type>),
}

impl Output {
    pub(crate) fn ty(&self) -> Type {
        match self {
            Self::Unit => parse_quote!(()),
            Self::Value(ty) => (**ty).clone(),
        }
    }
}

/// The attributes of a trait or method that are repeated on what is generated for it.
pub(crate) struct Carried {
    /// `cfg`: on everything.
    pub(crate) conditions: Vec<Attribute>,
    /// `doc`, `deprecated` and `allow`: on public items.
    pub(crate) descriptions: Vec<Attribute>,
}

impl Carried {
    pub(crate) fn of(attributes: &[Attribute]) -> Self {
        let having = |names: &[&str]| {
            let carried = |attribute: &&Attribute| has(&attribute.meta, names);
            attributes.iter().filter(carried).cloned().collect()
        };
        Self {
            conditions: having(&["cfg"]),
            descriptions: having(&["doc", "deprecated", "allow"]),
        }
    }

    pub(crate) fn is_deprecated(&self) -> bool {
        self.descriptions
            .iter()
            .any(|attribute| has(&attribute.meta, &["deprecated"]))
    }

    /// Whether there is any text in the documentation.
    pub(crate) fn is_documented(&self) -> bool {
        self.descriptions
            .iter()
            .any(|attribute| match &attribute.meta {
                Meta::NameValue(meta) => meta.path.is_ident("doc"),
                Meta::Path(_) | Meta::List(_) => false,
            })
    }
}

/// Whether the attribute is one of `names`, or a `cfg_attr` of nothing but those.
fn has(meta: &Meta, names: &[&str]) -> bool {
    if meta.path().is_ident("cfg_attr") {
        let inner = conditional(meta);
        return !inner.is_empty() && inner.iter().all(|meta| has(meta, names));
    }
    names.iter().any(|name| meta.path().is_ident(name))
}

/// The attributes inside a `cfg_attr`.
pub(crate) fn conditional(meta: &Meta) -> Vec<Meta> {
    let Ok(list) = meta.require_list() else {
        return Vec::new();
    };
    let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    metas.unwrap_or_default().into_iter().skip(1).collect()
}
