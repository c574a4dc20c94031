//! A file: all services of a schema.

use std::collections::{BTreeMap, BTreeSet};

use sockety_schema::{Content, Definition, Schema, Service, Shape, Type};

use crate::{
    checks::Checks,
    names::{Names, comment, quoted, upper_camel},
    service::{ServiceNames, Written},
    types::{Result, TypeNames, Types},
};

/// The package that generated code imports.
const RUNTIME: &str = "sockety-runtime/generated";

pub(crate) fn file(schema: &Schema) -> Result<String> {
    let mut names = Names::default();
    let own = schema.services.keys();
    let own: Vec<_> = own
        .map(|name| ServiceNames::claim(name, &mut names))
        .collect();
    let mut known = Known::default();
    let mut first = Vec::new();
    let mut services = Vec::new();
    for (service, own) in schema.services.values().zip(own) {
        let (types, added) = known.types(service, schema.services.len() > 1, &mut names);
        first.push(added);
        services.push(Written::new(types, own, &mut names)?);
    }

    let mut sections = vec![heading(schema)];
    for (service, added) in services.iter().zip(&first) {
        for name in added {
            let definition = &service.types().service.types[*name];
            sections.push(service.types().declaration(name, definition)?);
        }
    }
    for service in &services {
        sections.push(service.client()?);
        sections.push(service.handlers()?);
        sections.push(service.drafts()?);
        sections.extend(service.failures()?);
    }
    let mut declared = BTreeSet::new();
    for (service, added) in services.iter().zip(&first) {
        let mut checks = Checks {
            types: service.types(),
            declared,
        };
        for name in added {
            let definition = &service.types().service.types[*name];
            sections.push(checks.declaration(name, definition)?);
        }
        declared = checks.declared;
    }
    for service in &services {
        let checks = Checks {
            types: service.types(),
            declared: declared.clone(),
        };
        sections.extend(service.tables(&checks)?);
    }
    Ok(sections.join("\n"))
}

fn heading(schema: &Schema) -> String {
    let names: Vec<_> = schema.services.keys().map(|name| quoted(name)).collect();
    let text = format!(
        "Written by sockety-typescript from the schema of {}. Changes belong there.",
        names.join(", ")
    );
    format!(
        "{}import * as sockety from '{RUNTIME}';\n",
        comment(&text, 0)
    )
}

/// Types of services that were seen, by their names there. Services often share some.
#[derive(Default)]
struct Known<'a>(BTreeMap<&'a str, Vec<(Closure<'a>, TypeNames)>>);

/// A type, with all that it names.
type Closure<'a> = BTreeMap<&'a str, &'a Definition>;

impl<'a> Known<'a> {
    /// The types of a service, and which of them are new.
    fn types(
        &mut self,
        service: &'a Service,
        is_shared: bool,
        names: &mut Names,
    ) -> (Types<'a>, Vec<&'a str>) {
        let (mut all, mut added) = (BTreeMap::new(), Vec::new());
        for name in service.types.keys() {
            let closure = match is_shared {
                true => closure(service, name),
                false => Closure::new(),
            };
            let known = self.0.entry(name).or_default();
            let same = known
                .iter()
                .find(|(other, _)| is_shared && *other == closure);
            let own = match same {
                Some((_, own)) => own.clone(),
                None => {
                    let ty = names.claim(&upper_camel(name));
                    let check = names.claim(&format!("is{ty}"));
                    let own = TypeNames { ty, check };
                    known.push((closure, own.clone()));
                    added.push(name.as_str());
                    own
                }
            };
            all.insert(name.as_str(), own);
        }
        let types = Types {
            service,
            names: all,
        };
        (types, added)
    }
}

fn closure<'a>(service: &'a Service, name: &'a str) -> Closure<'a> {
    let mut closure = Closure::new();
    let mut open = vec![name];
    while let Some(name) = open.pop() {
        let Some((name, definition)) = service.types.get_key_value(name) else {
            continue;
        };
        if closure.insert(name, definition).is_none() {
            named(definition, &mut open);
        }
    }
    closure
}

/// The types that a definition names.
fn named<'a>(definition: &'a Definition, into: &mut Vec<&'a str>) {
    match &definition.shape {
        Shape::Struct(of) => of.fields.iter().for_each(|field| within(&field.ty, into)),
        Shape::Newtype(ty) => within(ty, into),
        Shape::Tuple(items) => items.iter().for_each(|ty| within(ty, into)),
        Shape::Enum(of) => {
            for variant in &of.variants {
                match &variant.content {
                    Content::Newtype(ty) => within(ty, into),
                    Content::Tuple(items) => items.iter().for_each(|ty| within(ty, into)),
                    Content::Struct(of) => of.iter().for_each(|field| within(&field.ty, into)),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn within<'a>(ty: &'a Type, into: &mut Vec<&'a str>) {
    if let Type::Named(name) = ty {
        into.push(name);
    }
    ty.inner().into_iter().for_each(|ty| within(ty, into));
}
