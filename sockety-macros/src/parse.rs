//! From the trait to the model. Every mistake is reported, and something sensible assumed instead.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, ItemTrait, Pat, PatIdent, PatType, ReceiverKind, ReturnType, Safety,
    Signature, TraitItem, TraitItemFn, Type,
};

use crate::attr::{ActionArguments, ServiceArguments};
use crate::errors::Errors;
use crate::model::{Action, Carried, Output, Param, ParamKind, Reply, Service};
use crate::names::Names;
use crate::types::{check_owned, is_context, is_unit, last_segment, type_arguments};

pub(crate) fn service(arguments: TokenStream, mut item: ItemTrait, errors: &mut Errors) -> Service {
    let arguments = ServiceArguments::parse(arguments, errors);
    check_trait(&item, errors);
    let prefix = arguments.prefix.as_ref();
    let prefix = prefix.map(|prefix| (prefix.value(), prefix.to_token_stream()));
    let actions = actions(&mut item, prefix, errors);
    Service {
        names: Names::new(&item.ident, &arguments.krate),
        carried: Carried::of(&item.attrs),
        actions,
        item,
    }
}

fn check_trait(item: &ItemTrait, errors: &mut Errors) {
    let name = &item.ident;
    if let Some(token) = &item.unsafety {
        errors.at(
            token,
            format!("a service is not unsafe: write `trait {name}`"),
        );
    }
    if !item.generics.params.is_empty() {
        errors.at(
            &item.generics,
            format!(
                "a service is not generic: write `trait {name}` and concrete types in its methods"
            ),
        );
    }
    if let Some(clause) = &item.generics.where_clause {
        errors.at(
            clause,
            format!("a service has no where clause: write supertraits, as in `trait {name}: Send`"),
        );
    }
}

/// The actions, prefix and all. Takes the `#[action]` attributes off the trait.
fn actions(
    item: &mut ItemTrait,
    prefix: Option<(String, TokenStream)>,
    errors: &mut Errors,
) -> Vec<Action> {
    let service = item.ident.clone();
    let (prefix, prefix_tokens) = prefix.unzip();
    let mut actions = Vec::new();
    for item in &mut item.items {
        let TraitItem::Fn(method) = item else {
            errors.at(
                item,
                format!("a service has only methods: move this out of `trait {service}`"),
            );
            continue;
        };
        let mut action = action(method, errors);
        action
            .name
            .insert_str(0, prefix.as_deref().unwrap_or_default());
        action.prefix_tokens.clone_from(&prefix_tokens);
        actions.push(action);
    }
    actions
}

fn action(method: &mut TraitItemFn, errors: &mut Errors) -> Action {
    let arguments = ActionArguments::take(&mut method.attrs, errors);
    let ident = method.sig.ident.clone();
    check_signature(&method.sig, errors);
    let mut nameable = method.sig.generics.params.is_empty();
    let params = params(&method.sig, &mut nameable, errors);
    let (name, name_tokens) = match &arguments.name {
        Some(name) => (name.value(), name.to_token_stream()),
        None => (ident.unraw().to_string(), ident.to_token_stream()),
    };
    let reply = match &arguments.one_way {
        Some(one_way) => no_reply(one_way, &method.sig, errors),
        None => reply(&method.sig, &mut nameable, errors),
    };
    Action {
        ident,
        name,
        name_tokens,
        prefix_tokens: None,
        carried: Carried::of(&method.attrs),
        params,
        reply,
        nameable,
    }
}

fn check_signature(sig: &Signature, errors: &mut Errors) {
    let name = &sig.ident;
    let instead = format!("write `async fn {name}`");
    if sig.asyncness.is_none() {
        errors.at(
            sig.fn_token,
            format!("an action is asynchronous: {instead}"),
        );
    }
    if let Some(token) = &sig.constness {
        errors.at(token, format!("an action is not const: {instead}"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(token, format!("an action is not unsafe: {instead}"));
    }
    if let Some(abi) = &sig.abi {
        errors.at(
            abi,
            format!("an action is called by peers, not by other languages: {instead}"),
        );
    }
    if !sig.generics.params.is_empty() {
        errors.at(
            &sig.generics,
            format!("an action is not generic: {instead}, with concrete owned types"),
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        errors.at(
            clause,
            format!("an action has no where clause: {instead}, with concrete owned types"),
        );
    }
}

fn params(sig: &Signature, nameable: &mut bool, errors: &mut Errors) -> Vec<Param> {
    if sig.receiver().is_none() {
        errors.at(
            &sig.ident,
            format!(
                "an action is called on a service: write `async fn {}(&self, …)`",
                sig.ident
            ),
        );
    }
    let mut params: Vec<Param> = Vec::new();
    for (index, input) in sig.inputs.iter().enumerate() {
        let FnArg::Typed(typed) = input else {
            check_receiver(input, errors);
            continue;
        };
        refuse_conditions(&typed.attrs, errors);
        let ident = param_ident(typed, errors).unwrap_or_else(|| format_ident!("__{index}"));
        let kind = param_kind(&typed.ty, nameable, errors);
        if kind == ParamKind::Context && params.iter().any(|param| param.kind == kind) {
            errors.at(
                &typed.ty,
                format!(
                    "there is one context in a call: keep one `&Context` in `{}`",
                    sig.ident
                ),
            );
        }
        params.push(Param {
            ident,
            ty: (*typed.ty).clone(),
            kind,
        });
    }
    params
}

/// Many calls run at the same time on one service, hence `&self`.
fn check_receiver(input: &FnArg, errors: &mut Errors) {
    let FnArg::Receiver(receiver) = input else {
        return;
    };
    let is_shared = matches!(receiver.kind, ReceiverKind::Reference(_, None, None))
        && receiver.mutability.is_none();
    if !is_shared {
        errors.at(receiver, "many calls share a service: write `&self`");
    }
}

fn refuse_conditions(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in attributes {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            errors.at(
                attribute,
                "a parameter cannot be conditional: write two methods, each with its own `#[cfg]`",
            );
        }
    }
}

/// The name of a parameter, which may be a key on the wire.
fn param_ident(typed: &PatType, errors: &mut Errors) -> Option<Ident> {
    match &*typed.pat {
        Pat::Ident(PatIdent {
            by_ref: None,
            subpat: None,
            ident,
            ..
        }) => Some(ident.clone()),
        pattern => {
            errors.at(
                pattern,
                "a parameter is known by its name: write a name instead of a pattern",
            );
            None
        }
    }
}

fn param_kind(ty: &Type, nameable: &mut bool, errors: &mut Errors) -> ParamKind {
    if is_context(ty) {
        check_context(ty, errors);
        return ParamKind::Context;
    }
    *nameable &= check_owned(ty, errors);
    ParamKind::Payload
}

fn check_context(ty: &Type, errors: &mut Errors) {
    if let Type::Reference(reference) = crate::types::bare(ty)
        && (reference.mutability.is_some() || reference.lifetime.is_some())
    {
        errors.at(ty, "the context is lent for the call: write `&Context`");
    }
}

fn no_reply(one_way: &Ident, sig: &Signature, errors: &mut Errors) -> Reply {
    if let ReturnType::Type(_, ty) = &sig.output
        && !is_unit(ty)
    {
        errors.at(ty, format!("the caller of a one-way action hears nothing: write no return type, or no `{one_way}`"));
    }
    Reply::OneWay
}

fn reply(sig: &Signature, nameable: &mut bool, errors: &mut Errors) -> Reply {
    let ReturnType::Type(_, ty) = &sig.output else {
        return Reply::Response {
            output: Output::Unit,
            error: None,
        };
    };
    *nameable &= check_owned(ty, errors);
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result") else {
        return Reply::Response {
            output: output(ty),
            error: None,
        };
    };
    let [value, error] = type_arguments(segment)[..] else {
        errors.at(
            ty,
            "both sides must know the error: write `Result<T, E>` with both types",
        );
        *nameable = false;
        return Reply::Response {
            output: Output::Unit,
            error: None,
        };
    };
    Reply::Response {
        output: output(value),
        error: Some(Box::new(error.clone())),
    }
}

fn output(ty: &Type) -> Output {
    if is_unit(ty) {
        Output::Unit
    } else {
        Output::Value(Box::new(ty.clone()))
    }
}
