//! A file: all services of a schema.

use std::collections::{BTreeMap, BTreeSet};

use sockety_schema::{Content, Definition, Schema, Service, Shape, Type};

use crate::{
    BigInts,
    checks::Checks,
    names::{Names, comment, quoted, upper_camel},
    service::{ServiceNames, Written},
    types::{Result, TypeNames, Types, unsupported},
};

/// The package that generated code imports.
const RUNTIME: &str = "sockety-runtime/generated";

/// The most bytes of a file. A schema has 4 MiB at most when it is read, and a name in it may be written often.
const MAX_FILE: usize = 32 << 20;

pub(crate) fn file(schema: &Schema, bigints: BigInts) -> Result<String> {
    let mut names = Names::default();
    let own = schema.services.keys();
    let own: Vec<_> = own
        .map(|name| ServiceNames::claim(name, &mut names))
        .collect();
    let mut known = Known::new(schema);
    let mut first = Vec::new();
    let mut services = Vec::new();
    for (service, own) in schema.services.values().zip(own) {
        let (type_names, added) = known.types(service, &mut names);
        let types = Types {
            service,
            names: type_names,
            bigints,
        };
        first.push(added);
        services.push(Written::new(types, own, &mut names)?);
    }

    let mut file = File::default();
    file.add(heading(schema))?;
    for (service, added) in services.iter().zip(&first) {
        for name in added {
            let definition = &service.types().service.types[*name];
            file.add(service.types().declaration(name, definition)?)?;
        }
    }
    for service in &services {
        file.add(service.client()?)?;
        file.add(service.handlers()?)?;
        file.add(service.drafts()?)?;
        service.failures(|section| file.add(section))?;
    }
    let mut declared = BTreeSet::new();
    for (service, added) in services.iter().zip(&first) {
        let mut checks = Checks {
            types: service.types(),
            declared,
        };
        for name in added {
            let definition = &service.types().service.types[*name];
            file.add(checks.declaration(name, definition)?)?;
        }
        declared = checks.declared;
    }
    for service in &services {
        let checks = Checks {
            types: service.types(),
            declared,
        };
        service.tables(&checks, |section| file.add(section))?;
        declared = checks.declared;
    }
    Ok(file.text)
}

/// What is written so far: sections with empty lines between them.
#[derive(Default)]
struct File {
    text: String,
}

impl File {
    fn add(&mut self, section: String) -> Result<()> {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += &section;
        if self.text.len() > MAX_FILE {
            let reason = format!("the file would have more than {MAX_FILE} bytes");
            return Err(unsupported("the schema", reason));
        }
        Ok(())
    }
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

/// Types of services that were seen. Services often share some, which are written once.
struct Known<'a> {
    names: BTreeMap<&'a str, TypeNames>,
    /// Names of types that are not the same wherever they occur, or lead to such types.
    ambiguous: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn new(schema: &'a Schema) -> Self {
        let mut definitions = BTreeMap::new();
        let mut users: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut open = Vec::new();
        for service in schema.services.values() {
            for (name, definition) in &service.types {
                if *definitions.entry(name.as_str()).or_insert(definition) != definition {
                    open.push(name.as_str());
                }
                let mut used = Vec::new();
                named(definition, &mut used);
                for used in used {
                    users.entry(used).or_default().push(name.as_str());
                }
            }
        }
        let mut ambiguous = BTreeSet::new();
        while let Some(name) = open.pop() {
            if ambiguous.insert(name) {
                open.extend(users.remove(name).unwrap_or_default());
            }
        }
        Self {
            names: BTreeMap::new(),
            ambiguous,
        }
    }

    /// The names of a service's types, and those types that are new.
    fn types(
        &mut self,
        service: &'a Service,
        names: &mut Names,
    ) -> (BTreeMap<&'a str, TypeNames>, Vec<&'a str>) {
        let (mut all, mut added) = (BTreeMap::new(), Vec::new());
        for name in service.types.keys() {
            let own = match self.names.get(name.as_str()) {
                Some(own) => own.clone(),
                None => {
                    let ty = names.claim(&upper_camel(name));
                    let check = names.claim(&format!("is{ty}"));
                    let own = TypeNames { ty, check };
                    if !self.ambiguous.contains(name.as_str()) {
                        self.names.insert(name, own.clone());
                    }
                    added.push(name.as_str());
                    own
                }
            };
            all.insert(name.as_str(), own);
        }
        (all, added)
    }
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
