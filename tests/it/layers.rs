//! The rooms of the library import only from rooms below them: ARCHITECTURE.md lists their order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Files of one circle of imports: a connection has middleware that sees connections, a response may
/// expect a response.
const LARGEST_CIRCLE: usize = 8;

/// A module, such as `engine::send::outbox`; the crate's root is empty.
type Module = Vec<String>;

#[test]
fn rooms_import_only_from_rooms_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let order = order(&architecture);
    let sources = Sources::read(&root.join("sockety/src"));
    let imports = sources.imports();
    assert!(imports.len() > 100, "{} files have imports", imports.len());

    let unknown: BTreeSet<_> = sources.modules.keys().filter_map(room).collect();
    let unknown: Vec<_> = unknown
        .into_iter()
        .filter(|it| !order.contains_key(*it))
        .collect();
    assert!(
        unknown.is_empty(),
        "ARCHITECTURE.md does not order {unknown:?}"
    );

    let problems = upward(&imports, &order);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));

    let largest = circles(&imports).into_iter().max_by_key(BTreeSet::len);
    let largest = largest.unwrap_or_default();
    assert!(
        largest.len() <= LARGEST_CIRCLE,
        "{} files import each other: {largest:#?}",
        largest.len()
    );
}

#[test]
fn imports_are_found_and_resolved() {
    let sources = Sources::of(&[
        ("", "mod a; mod b; pub use self::a::Shown;"),
        (
            "a",
            "pub(crate) mod inner; pub use self::inner::Shown; use crate::b;",
        ),
        (
            "a::inner",
            "use super::super::b::{self as other, Thing}; fn f() { crate::Shown::new(); }",
        ),
        (
            "b",
            "fn f() -> crate::a::Shown { let x = 1; } #[cfg(test)] mod tests { use crate::a::inner::X; }",
        ),
    ]);
    let imports = sources.imports();
    let of = |module: &str| {
        let targets = imports.get(&path(module)).into_iter().flatten();
        targets.map(|target| target.join("::")).collect::<Vec<_>>()
    };
    assert_eq!(of("a"), ["a::inner", "b"]);
    assert_eq!(of("a::inner"), ["b"]);
    assert_eq!(of("b"), ["a::inner"]);
    assert_eq!(circles(&imports).len(), 1);

    let order = order("```text layers\nb\na\n```\n");
    assert_eq!(
        upward(&imports, &order),
        ["b imports a::inner, which is not below it"]
    );
}

/// The block of ARCHITECTURE.md that lists the rooms, lowest first; rooms of one line are equals.
fn order(architecture: &str) -> BTreeMap<String, usize> {
    let lines = architecture
        .lines()
        .skip_while(|line| *line != "```text layers")
        .skip(1);
    let lines = lines.take_while(|line| *line != "```").enumerate();
    let rooms = lines.flat_map(|(level, line)| {
        line.split_whitespace()
            .map(move |it| (it.to_owned(), level))
    });
    rooms.collect()
}

fn room(module: &Module) -> Option<&String> {
    module.first()
}

fn upward(
    imports: &BTreeMap<Module, BTreeSet<Module>>,
    order: &BTreeMap<String, usize>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for (from, targets) in imports {
        for to in targets {
            let (Some(here), Some(there)) = (room(from), room(to)) else {
                continue;
            };
            if here != there && order[there] >= order[here] {
                problems.push(format!(
                    "{} imports {}, which is not below it",
                    from.join("::"),
                    to.join("::")
                ));
            }
        }
    }
    problems
}

/// Modules that reach each other, each with all that it reaches and that reach it.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<BTreeSet<Module>> {
    let reached = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<_> = imports.get(from).into_iter().flatten().collect();
        while let Some(module) = next.pop() {
            if seen.insert(module.clone()) {
                next.extend(imports.get(module).into_iter().flatten());
            }
        }
        seen
    };
    let reach: BTreeMap<_, _> = imports
        .keys()
        .map(|module| (module, reached(module)))
        .collect();
    let mut found = BTreeSet::new();
    for (module, reached) in &reach {
        let circle: BTreeSet<_> = reached
            .iter()
            .filter(|other| reach.get(other).is_some_and(|it| it.contains(*module)))
            .cloned()
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// The files of a crate, and what they re-export.
struct Sources {
    modules: BTreeMap<Module, syn::File>,
    exports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Sources {
    fn read(folder: &Path) -> Self {
        let files = files(folder).into_iter().map(|file| {
            let name = file
                .strip_prefix(folder)
                .expect("below it")
                .with_extension("");
            let module = name.iter().map(|it| it.to_string_lossy().into_owned());
            let text = fs::read_to_string(&file).expect("a source");
            (module.filter(|it| it != "lib").collect(), text)
        });
        Self::parse(files)
    }

    fn of(files: &[(&str, &str)]) -> Self {
        Self::parse(
            files
                .iter()
                .map(|(module, text)| (path(module), (*text).to_owned())),
        )
    }

    fn parse(files: impl Iterator<Item = (Module, String)>) -> Self {
        let parse = |(module, text): (Module, String)| {
            let file = syn::parse_file(&text);
            (module, file.expect("a source that compiles"))
        };
        let modules: BTreeMap<_, _> = files.map(parse).collect();
        let mut sources = Self {
            modules,
            exports: BTreeMap::new(),
        };
        let exports = sources.modules.iter().map(|(module, file)| {
            let mut names = Names::default();
            names.visit_file(file);
            let exports = names.exported.iter();
            let exports = exports
                .filter_map(|path| Some((path.last()?.clone(), sources.absolute(module, path)?)));
            (module.clone(), exports.collect())
        });
        sources.exports = exports.collect();
        sources
    }

    /// What each file names of others, re-exports followed to where the item is. The root imports nothing:
    /// it only lists.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let modules = self.modules.iter().filter(|(module, _)| !module.is_empty());
        let imports = modules.map(|(module, file)| {
            let mut names = Names::default();
            names.visit_file(file);
            let targets = names.used.iter().chain(&names.exported);
            let targets =
                targets.filter_map(|path| Some(self.resolve(self.absolute(module, path)?, 0)));
            let targets = targets.filter(|target| target != module && !target.is_empty());
            (module.clone(), targets.collect())
        });
        imports.collect()
    }

    /// A path from the root of the crate; `None` when it leads out of it.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let (mut from, mut rest) = match first.as_str() {
            "crate" => (Module::new(), rest),
            "self" => (module.clone(), rest),
            "super" => (module.split_last()?.1.to_vec(), rest),
            _ => {
                let mut child = module.clone();
                child.push(first.clone());
                return self
                    .modules
                    .contains_key(&child)
                    .then(|| [module, path].concat());
            }
        };
        while let Some((first, more)) = rest.split_first()
            && first == "super"
        {
            from.pop();
            rest = more;
        }
        from.extend_from_slice(rest);
        Some(from)
    }

    fn resolve(&self, path: Module, depth: usize) -> Module {
        let mut module = Module::new();
        for name in &path {
            let mut child = module.clone();
            child.push(name.clone());
            if self.modules.contains_key(&child) {
                module = child;
                continue;
            }
            let exports = self.exports.get(&module);
            return match exports.and_then(|exports| exports.get(name)) {
                Some(target) if depth < 8 => self.resolve(target.clone(), depth + 1),
                _ => module,
            };
        }
        module
    }
}

fn path(module: &str) -> Module {
    module
        .split("::")
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

/// Paths in one file, without its tests.
#[derive(Default)]
struct Names {
    used: Vec<Vec<String>>,
    exported: Vec<Vec<String>>,
}

impl Names {
    fn tree(into: &mut Vec<Vec<String>>, before: &[String], tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                let mut before = before.to_vec();
                before.push(path.ident.to_string());
                Self::tree(into, &before, &path.tree);
            }
            syn::UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| Self::tree(into, before, tree)),
            syn::UseTree::Name(name) => Self::leaf(into, before, &name.ident),
            syn::UseTree::Rename(rename) => Self::leaf(into, before, &rename.ident),
            syn::UseTree::Glob(_) => into.push(before.to_vec()),
        }
    }

    fn leaf(into: &mut Vec<Vec<String>>, before: &[String], name: &syn::Ident) {
        let mut path = before.to_vec();
        if name != "self" {
            path.push(name.to_string());
        }
        into.push(path);
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_private = matches!(item.vis, syn::Visibility::Inherited);
        let into = if is_private {
            &mut self.used
        } else {
            &mut self.exported
        };
        Self::tree(into, &[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path
            .segments
            .first()
            .is_some_and(|first| first.ident == "crate")
        {
            let names = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string());
            self.used.push(names.collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let is_test = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg") && quoted(attribute).contains("test")
        });
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }
}

fn quoted(attribute: &syn::Attribute) -> String {
    match &attribute.meta {
        syn::Meta::List(list) => list.tokens.to_string(),
        _ => String::new(),
    }
}
