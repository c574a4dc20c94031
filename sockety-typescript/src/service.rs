//! The client, handlers and drafts of a service.

use sockety_schema::{Action, ErrorVariant, PartKind, Type};

use crate::{
    checks::Checks,
    failures::Failure,
    layout::{Doc, Item},
    names::{Names, comment, lower_camel, quoted, uncapitalized, upper_camel},
    types::{Result, Types, checked_key, unknown, unsupported},
};

/// A service, and how it is called in the file.
pub(crate) struct Written<'a> {
    types: Types<'a>,
    names: ServiceNames,
    methods: Vec<Method<'a>>,
    failures: Vec<Failure<'a>>,
}

pub(crate) struct ServiceNames {
    original: String,
    interface: String,
    client: String,
    handlers: String,
    /// The function that makes handlers.
    serve: String,
    drafts: String,
    actions: String,
}

impl ServiceNames {
    pub(crate) fn claim(name: &str, names: &mut Names) -> Self {
        let own = upper_camel(name);
        let lower = uncapitalized(&own);
        Self {
            original: name.to_owned(),
            client: names.claim(&format!("{own}Client")),
            handlers: names.claim(&format!("{own}Handlers")),
            serve: names.claim(&format!("{lower}Handlers")),
            drafts: names.claim(&format!("{lower}Drafts")),
            actions: names.claim(&format!("{lower}Actions")),
            interface: names.claim(&own),
        }
    }
}

struct Method<'a> {
    name: String,
    action_name: &'a str,
    action: &'a Action,
    parameters: Vec<Parameter<'a>>,
    /// The place of its error among those of the service.
    failure: Option<usize>,
    /// The same of the error that may end the stream that it returns.
    stream_failure: Option<usize>,
}

struct Parameter<'a> {
    name: String,
    /// Its name on the wire.
    key: &'a str,
    aliases: &'a [String],
    kind: PartKind,
    ty: Option<&'a Type>,
    /// The place of the error that may end it, if it is a stream.
    failure: Option<usize>,
    is_optional: bool,
    /// Whether a call may end before it.
    is_trailing: bool,
}

/// Who has a value: files and streams are other things to their sender than to their receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Sends,
    Receives,
}

impl<'a> Written<'a> {
    pub(crate) fn new(types: Types<'a>, own: ServiceNames, names: &mut Names) -> Result<Self> {
        let mut failures = Vec::new();
        let mut methods = Vec::new();
        let service = types.service;
        let prefix = prefix(service.actions.keys());
        let mut method_names = Names::default();
        for (action_name, action) in &service.actions {
            let mut failure = |ty: &'a Option<Type>, variants: &'a [ErrorVariant]| {
                Failure::find(ty.as_ref(), variants, &mut failures, &types, names)
            };
            let own_failure = failure(&action.error, &action.errors)?;
            let mut parameters = parameters(action, &own.actions);
            for (parameter, of) in parameters.iter_mut().zip(&action.parameters) {
                parameter.failure = failure(&of.error, &of.errors)?;
            }
            let mut stream_failure = None;
            for part in &action.returns {
                stream_failure = failure(&part.error, &part.errors)?.or(stream_failure);
            }
            methods.push(Method {
                name: method_names.claim(&lower_camel(&action_name[prefix..])),
                action_name,
                action,
                parameters,
                failure: own_failure,
                stream_failure,
            });
        }
        Ok(Self {
            types,
            names: own,
            methods,
            failures,
        })
    }

    pub(crate) fn types(&self) -> &Types<'a> {
        &self.types
    }

    /// The interface, and the client that has it.
    pub(crate) fn client(&self) -> Result<String> {
        let ServiceNames {
            interface,
            client,
            original,
            actions,
            ..
        } = &self.names;
        let mut interface_methods = String::new();
        let mut client_methods = String::new();
        for method in &self.methods {
            let signature = self.signature(method)?;
            interface_methods += &comment(&self.docs(method)?, 1);
            interface_methods += &format!("  {signature};\n");
            client_methods += &format!(
                "\n  {signature} {{\n    return sockety.call(this.#peer, {actions}.{}, [{}], options);\n  }}\n",
                method.name,
                method.arguments()
            );
        }
        let constructor = match self.methods.is_empty() {
            true => "  constructor(_peer: sockety.Peer) {}\n",
            false => {
                "  readonly #peer: sockety.Peer;\n\n  \
                 constructor(peer: sockety.Peer) {\n    this.#peer = peer;\n  }\n"
            }
        };
        let docs = match self.types.service.docs.is_empty() {
            true => format!("The service `{original}`."),
            false => self.types.service.docs.clone(),
        };
        Ok(format!(
            "{}export interface {interface} {{\n{interface_methods}}}\n\n\
             {}export class {client} implements {interface} {{\n\
             {constructor}{client_methods}}}\n",
            comment(&docs, 0),
            comment(
                &format!(
                    "Calls `{original}` through a connection, or a client that connects again."
                ),
                0
            ),
        ))
    }

    /// What a service in TypeScript implements.
    pub(crate) fn handlers(&self) -> Result<String> {
        let ServiceNames {
            handlers,
            serve,
            original,
            actions,
            ..
        } = &self.names;
        let mut methods = String::new();
        for method in &self.methods {
            let mut parameters = Vec::new();
            for parameter in &method.parameters {
                let mut ty = self.parameter(parameter, Side::Receives, method)?;
                if parameter.is_optional {
                    ty += " | undefined";
                }
                parameters.push(Doc::from(format!("{}: {ty}", parameter.name)).into());
            }
            parameters.push(Doc::from("message: sockety.IncomingMessage").into());
            let signature = Doc::call(&method.name, parameters).text(1);
            let returned = self.returned(method, Side::Sends)?;
            methods += &comment(&self.docs_of_handler(method), 1);
            methods += &format!("  {signature}: sockety.Result<{returned}>;\n");
        }
        Ok(format!(
            "{}export interface {handlers} {{\n{methods}}}\n\n\
             /** Handlers for the options of a server, or of a connection. */\n\
             export function {serve}(service: {handlers}): sockety.Handlers {{\n\
             \x20 return sockety.handlers({actions}, service);\n\
             }}\n",
            comment(&format!("What a service `{original}` does."), 0)
        ))
    }

    pub(crate) fn drafts(&self) -> Result<String> {
        let ServiceNames {
            drafts,
            actions,
            original,
            ..
        } = &self.names;
        let mut items = Vec::new();
        for method in &self.methods {
            let parameters = Doc::call("", self.sent(method)?).text(1);
            let returned = self.returned(method, Side::Receives)?;
            let draft = format!(
                "{}: {parameters}: sockety.Draft<{returned}> =>\n    sockety.draft({actions}.{}, [{}])",
                method.name,
                method.name,
                method.arguments()
            );
            items.push(Doc::from(draft).into());
        }
        Ok(format!(
            "{}export const {drafts} = {};\n",
            comment(&format!("Calls of `{original}` to be sent later."), 0),
            Doc::object(items).spread().text(0)
        ))
    }

    pub(crate) fn failures(&self, mut add: impl FnMut(String) -> Result<()>) -> Result<()> {
        let mut failures = self.failures.iter();
        failures.try_for_each(|it| add(it.declaration(&self.types)?))
    }

    /// What is known of errors and actions at run time.
    pub(crate) fn tables(
        &self,
        checks: &Checks<'_>,
        mut add: impl FnMut(String) -> Result<()>,
    ) -> Result<()> {
        for failure in &self.failures {
            add(failure.table(checks)?)?;
        }
        let mut items = Vec::new();
        for method in &self.methods {
            let table = self.table(method, checks)?;
            items.push(Doc::row([format!("{}: ", method.name).into(), table]).into());
        }
        add(format!(
            "const {} = {} satisfies Record<string, sockety.Action>;\n",
            self.names.actions,
            Doc::object(items).spread().text(0)
        ))
    }

    fn table(&self, method: &Method<'_>, checks: &Checks<'_>) -> Result<Doc> {
        let action = method.action;
        let mut entries: Vec<Item> = Vec::new();
        let mut add = |text: String| entries.push(Doc::from(text).into());
        add(format!("name: {}", quoted(method.action_name)));
        if !action.aliases.is_empty() {
            let aliases: Vec<_> = action.aliases.iter().map(|name| quoted(name)).collect();
            add(format!("aliases: [{}]", aliases.join(", ")));
        }
        if action.one_way {
            add("isOneWay: true".to_owned());
        }
        if let Some(millis) = action.timeout_ms {
            // More than that is as good as for ever, and the most that timers have.
            add(format!("timeout: {}", millis.min(0x7fff_ffff)));
        }
        let mut parameters = Vec::new();
        for parameter in &method.parameters {
            let path = method.path(parameter.key);
            let check = match parameter.ty {
                Some(ty) if parameter.is_optional => {
                    let check = checks.check(ty, &path)?;
                    Some(Doc::call("sockety.optional", vec![check.into()]))
                }
                Some(ty) => Some(checks.check(ty, &path)?),
                None => None,
            };
            let mut names: &[&str] = &[];
            let all: Vec<_> = std::iter::once(parameter.key)
                .chain(parameter.aliases.iter().map(String::as_str))
                .collect();
            if parameter.kind == PartKind::Payload {
                for name in &all {
                    checked_key(name, &path)?;
                }
                names = &all;
            }
            let errors = self.variants(parameter.failure);
            parameters.push(part(parameter.kind, names, check, errors, &path)?);
        }
        entries.push(Doc::row(["parameters: ".into(), Doc::list(parameters)]).into());
        let mut returns = Vec::new();
        for part_of in &action.returns {
            let path = method.returned();
            let check = part_of.ty.as_ref().map(|ty| checks.check(ty, &path));
            let errors = match part_of.kind {
                PartKind::Streaming => self.variants(method.stream_failure),
                _ => None,
            };
            returns.push(part(part_of.kind, &[], check.transpose()?, errors, &path)?);
        }
        entries.push(Doc::row(["returns: ".into(), Doc::list(returns)]).into());
        if let Some(index) = method.failure {
            entries.push(Doc::from(format!("errors: {}", self.failures[index].table)).into());
        }
        Ok(Doc::object(entries).spread())
    }

    /// `transfer(transfer: Transfer, options?: sockety.Options): Promise<number | bigint>`
    fn signature(&self, method: &Method<'_>) -> Result<String> {
        let mut parameters = self.sent(method)?;
        let options = match method.action.one_way {
            true => "options?: sockety.NotifyOptions",
            false => "options?: sockety.Options",
        };
        parameters.push(Doc::from(options).into());
        let signature = Doc::call(&method.name, parameters).text(1);
        let returned = self.returned(method, Side::Receives)?;
        Ok(format!("{signature}: Promise<{returned}>"))
    }

    fn sent(&self, method: &Method<'_>) -> Result<Vec<Item>> {
        let parameters = method.parameters.iter().map(|parameter| {
            let ty = self.parameter(parameter, Side::Sends, method)?;
            let name = &parameter.name;
            Ok(
                Doc::from(match (parameter.is_optional, parameter.is_trailing) {
                    (true, true) => format!("{name}?: {ty}"),
                    (true, false) => format!("{name}: {ty} | undefined"),
                    _ => format!("{name}: {ty}"),
                })
                .into(),
            )
        });
        parameters.collect()
    }

    fn returned(&self, method: &Method<'_>, side: Side) -> Result<String> {
        let parts = method.action.returns.iter();
        let parts = parts.map(|it| {
            let ty = it.ty.as_ref();
            self.part(
                (it.kind, ty, method.stream_failure),
                side,
                &method.returned(),
            )
        });
        let parts: Vec<_> = parts.collect::<Result<_>>()?;
        Ok(match &parts[..] {
            [] => "void".to_owned(),
            [part] => part.clone(),
            parts => format!("[{}]", parts.join(", ")),
        })
    }

    fn parameter(&self, of: &Parameter<'_>, side: Side, method: &Method<'_>) -> Result<String> {
        self.part((of.kind, of.ty, of.failure), side, &method.path(of.key))
    }

    /// The type of a value, file or stream; of a stream with the error that may end it.
    fn part(
        &self,
        (kind, ty, failure): (PartKind, Option<&Type>, Option<usize>),
        side: Side,
        path: &str,
    ) -> Result<String> {
        let value = || match ty {
            Some(ty) => Ok(self.types.ty(ty, path)?.text(1)),
            None => Err(unsupported(path, "a value has no type")),
        };
        Ok(match (kind, side) {
            (PartKind::Payload, _) => value()?,
            (PartKind::File, Side::Sends) => "sockety.FileSource".to_owned(),
            (PartKind::File, Side::Receives) => "sockety.IncomingFile".to_owned(),
            (PartKind::Files, Side::Sends) => "readonly sockety.FileSource[]".to_owned(),
            (PartKind::Files, Side::Receives) => "sockety.IncomingFile[]".to_owned(),
            (PartKind::Streaming, Side::Sends) => format!("sockety.Items<{}>", value()?),
            (PartKind::Streaming, Side::Receives) => {
                let mut arguments = value()?;
                if let Some(index) = failure {
                    arguments = format!("{arguments}, {}", self.failures[index].ty(&self.types)?);
                }
                format!("sockety.ItemStream<{arguments}>")
            }
            (PartKind::ByteStream, Side::Sends) => "sockety.Source".to_owned(),
            (PartKind::ByteStream, Side::Receives) => "sockety.IncomingStream".to_owned(),
            _ => return Err(unknown(path)),
        })
    }

    /// The constant with the variants of an error.
    fn variants(&self, failure: Option<usize>) -> Option<&str> {
        failure.map(|index| &*self.failures[index].table)
    }

    fn class(&self, failure: Option<usize>) -> Option<&str> {
        failure.map(|index| self.failures[index].class())
    }

    fn docs(&self, method: &Method<'_>) -> Result<String> {
        let mut notes = Vec::new();
        for parameter in &method.parameters {
            if let Some(class) = self.class(parameter.failure) {
                notes.push(format!("`{}` may throw a `{class}`.", parameter.name));
            }
        }
        if let Some(index) = method.failure {
            let error = self.failures[index].ty(&self.types)?;
            notes.push(format!("@throws CallError<{error}>"));
        }
        Ok(documented(&method.action.docs, &notes))
    }

    fn docs_of_handler(&self, method: &Method<'_>) -> String {
        let mut notes = Vec::new();
        if let Some(class) = self.class(method.stream_failure) {
            notes.push(format!("What it returns may throw a `{class}`."));
        }
        if let Some(class) = self.class(method.failure) {
            notes.push(format!("@throws {class}"));
        }
        documented(&method.action.docs, &notes)
    }
}

/// Documentation with notes below it.
fn documented(docs: &str, notes: &[String]) -> String {
    let blank = match docs.is_empty() || notes.is_empty() {
        true => "",
        false => "\n\n",
    };
    format!("{docs}{blank}{}", notes.join("\n"))
}

impl Method<'_> {
    fn path(&self, parameter: &str) -> String {
        match parameter {
            "" => self.action_name.to_owned(),
            _ => format!("{}({parameter})", self.action_name),
        }
    }

    fn returned(&self) -> String {
        format!("{} -> value", self.action_name)
    }

    fn arguments(&self) -> String {
        let names: Vec<_> = self.parameters.iter().map(|it| &*it.name).collect();
        names.join(", ")
    }
}

/// Where the names of actions begin to differ: after the last dot that all of them share.
fn prefix<'a>(mut names: impl Iterator<Item = &'a String>) -> usize {
    let Some(first) = names.next() else {
        return 0;
    };
    let mut shared = first.rfind('.').map_or(0, |dot| dot + 1);
    for name in names {
        let same = first.bytes().zip(name.bytes()).take_while(|(a, b)| a == b);
        let same = same.count().min(shared);
        // Dots are characters by themselves in UTF-8.
        shared = first.as_bytes()[..same]
            .iter()
            .rposition(|byte| *byte == b'.')
            .map_or(0, |dot| dot + 1);
    }
    shared
}

fn parameters<'a>(action: &'a Action, actions: &str) -> Vec<Parameter<'a>> {
    // What the body of a method calls by its name must not be hidden.
    let mut names = Names::with(&["options", "message", actions]);
    let mut parameters: Vec<_> = action
        .parameters
        .iter()
        .map(|parameter| Parameter {
            name: names.claim(&lower_camel(&parameter.name)),
            key: &parameter.name,
            aliases: &parameter.aliases,
            kind: parameter.kind,
            ty: parameter.ty.as_ref(),
            failure: None,
            is_optional: parameter.optional && parameter.kind == PartKind::Payload,
            is_trailing: false,
        })
        .collect();
    for parameter in parameters.iter_mut().rev() {
        if !parameter.is_optional {
            break;
        }
        parameter.is_trailing = true;
    }
    parameters
}

fn part(
    kind: PartKind,
    names: &[&str],
    check: Option<Doc>,
    errors: Option<&str>,
    path: &str,
) -> Result<Item> {
    let kind = match kind {
        PartKind::Payload => "payload",
        PartKind::File => "file",
        PartKind::Files => "files",
        PartKind::Streaming => "items",
        PartKind::ByteStream => "bytes",
        _ => return Err(unknown(path)),
    };
    let mut entries: Vec<Item> = vec![Doc::from(format!("kind: '{kind}'")).into()];
    if let [name, aliases @ ..] = names {
        entries.push(Doc::from(format!("name: {}", quoted(name))).into());
        if !aliases.is_empty() {
            let aliases: Vec<_> = aliases.iter().map(|name| quoted(name)).collect();
            entries.push(Doc::from(format!("aliases: [{}]", aliases.join(", "))).into());
        }
    }
    if let Some(check) = check {
        entries.push(Doc::row(["check: ".into(), check]).into());
    }
    if let Some(errors) = errors {
        entries.push(Doc::from(format!("errors: {errors}")).into());
    }
    Ok(Doc::object(entries).into())
}
