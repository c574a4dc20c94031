//! The text of an error never includes its cause, which is in `source()`. Here the derived errors
//! are read; `sockety/src/error/tests.rs` makes values of those that are written by hand, too.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Fields, Item, Meta, punctuated::Punctuated, token::Comma, visit::Visit};

/// The fields and attributes of a struct, or of a variant.
struct Shape {
    name: String,
    attributes: Vec<Attribute>,
    fields: Fields,
}

#[test]
fn no_text_includes_its_cause_and_every_cause_is_a_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut shapes, mut errors) = (Vec::new(), BTreeSet::new());
    for krate in ["sockety", "sockety-codec", "sockety-msgpack", "sockety-cli"] {
        for file in sources(&root.join(krate).join("src")) {
            let file = syn::parse_file(&fs::read_to_string(file).expect("a source"));
            collect(&file.expect("a file").items, &mut shapes, &mut errors);
        }
    }
    // What is wrong is a part of the sentence, not its cause.
    errors.retain(|name| !name.ends_with("Problem"));
    assert!(errors.contains("Violation") && errors.contains("CallError"));

    let mut causes = 0;
    let mut mistakes = Vec::new();
    for shape in &shapes {
        for (field, name) in causes_of(shape, &errors) {
            causes += 1;
            mistakes.extend(mistake(shape, field, &name));
        }
    }
    assert!(causes > 25, "{causes} causes");
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn mistakes_are_found() {
    let of = |text: &str| {
        let (mut shapes, mut errors) = (Vec::new(), BTreeSet::new());
        let file = syn::parse_file(text).expect("a file");
        collect(&file.items, &mut shapes, &mut errors);
        let causes = shapes.iter().flat_map(|shape| {
            let causes = causes_of(shape, &errors).into_iter();
            causes.filter_map(move |(field, name)| mistake(shape, field, &name))
        });
        causes.collect::<Vec<_>>()
    };
    let head = "#[derive(Debug, thiserror::Error)] enum Failure";
    let right = [
        r#"{ #[error("failed")] Io(#[source] Arc<io::Error>) }"#,
        r#"{ #[error("failed")] Io(#[from] io::Error) }"#,
        "{ #[error(transparent)] Io(io::Error) }",
        r#"{ #[error("{what} failed")] Io { what: String, #[source] error: io::Error } }"#,
        r#"{ #[error("code {0}")] Code(u16) }"#,
    ];
    for body in right {
        assert_eq!(of(&format!("{head} {body}")), [""; 0], "{body}");
    }
    let wrong = [
        r#"{ #[error("failed")] Io(io::Error) }"#,
        r#"{ #[error("failed: {0}")] Io(#[source] io::Error) }"#,
        r#"{ #[error("failed: {0:?}")] Io(#[source] io::Error) }"#,
        r#"{ #[error("failed: {error}")] Io { #[source] error: Arc<io::Error> } }"#,
        r#"{ #[error("failed")] Inner(Box<Failure>) }"#,
    ];
    for body in wrong {
        assert_eq!(of(&format!("{head} {body}")).len(), 1, "{body}");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

/// Derived errors, and the names of all error types.
fn collect(items: &[Item], shapes: &mut Vec<Shape>, errors: &mut BTreeSet<String>) {
    // Of std and other crates.
    errors.insert("Error".into());
    for item in items {
        match item {
            Item::Enum(item) if derives_error(&item.attrs) => {
                errors.insert(item.ident.to_string());
                shapes.extend(item.variants.iter().map(|variant| Shape {
                    name: format!("{}::{}", item.ident, variant.ident),
                    attributes: variant.attrs.clone(),
                    fields: variant.fields.clone(),
                }));
            }
            Item::Struct(item) if derives_error(&item.attrs) => {
                errors.insert(item.ident.to_string());
                shapes.push(Shape {
                    name: item.ident.to_string(),
                    attributes: item.attrs.clone(),
                    fields: item.fields.clone(),
                });
            }
            Item::Impl(item) => {
                let of = item
                    .trait_
                    .as_ref()
                    .and_then(|(path, _)| path.segments.last());
                if of.is_some_and(|it| it.ident == "Error")
                    && let syn::Type::Path(path) = &*item.self_ty
                {
                    errors.extend(path.path.segments.last().map(|it| it.ident.to_string()));
                }
            }
            Item::Mod(item) => {
                if let Some((_, items)) = &item.content {
                    collect(items, shapes, errors);
                }
            }
            _ => {}
        }
    }
}

fn derives_error(attributes: &[Attribute]) -> bool {
    let derives = attributes.iter().filter(|it| it.path().is_ident("derive"));
    let paths = derives.flat_map(|derive| {
        let paths = derive.parse_args_with(Punctuated::<syn::Path, Comma>::parse_terminated);
        paths.expect("paths")
    });
    paths
        .into_iter()
        .any(|path| path.segments.last().is_some_and(|it| it.ident == "Error"))
}

/// The fields with an error in their type, and what the text may call them.
fn causes_of<'a>(shape: &'a Shape, errors: &BTreeSet<String>) -> Vec<(&'a syn::Field, String)> {
    let fields = shape.fields.iter().enumerate();
    let causes = fields.filter(|(_, field)| mentions(&field.ty, errors));
    let named = causes.map(|(index, field)| {
        let name = field
            .ident
            .as_ref()
            .map_or_else(|| index.to_string(), ToString::to_string);
        (field, name)
    });
    named.collect()
}

fn mentions(ty: &syn::Type, errors: &BTreeSet<String>) -> bool {
    struct Names<'a>(&'a BTreeSet<String>, bool);
    impl Visit<'_> for Names<'_> {
        fn visit_path(&mut self, path: &syn::Path) {
            let last = path.segments.last().map(|it| it.ident.to_string());
            self.1 |= last.is_some_and(|name| self.0.contains(&name));
            syn::visit::visit_path(self, path);
        }
    }
    let mut names = Names(errors, false);
    names.visit_type(ty);
    names.1
}

fn mistake(shape: &Shape, field: &syn::Field, name: &str) -> Option<String> {
    let text = shape
        .attributes
        .iter()
        .find(|it| it.path().is_ident("error"))?;
    let Meta::List(text) = &text.meta else {
        return Some(format!("{}: no text", shape.name));
    };
    let text = text.tokens.to_string();
    if text == "transparent" {
        return None;
    }
    let is_source = |it: &Attribute| it.path().is_ident("source") || it.path().is_ident("from");
    if !field.attrs.iter().any(is_source) {
        return Some(format!("{}: {name} is not its source", shape.name));
    }
    let is_in_text = text.contains(&format!("{{{name}}}")) || text.contains(&format!("{{{name}:"));
    is_in_text.then(|| format!("{}: the text includes {name}", shape.name))
}
