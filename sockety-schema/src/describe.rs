//! The schema of a service, from its generated client.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use sockety::{
    ServiceError,
    describe::{
        self, ActionDescription, ActionTypes, PartKind as Kind, ServiceDescription, ServiceTypes,
        VisitTypes,
    },
    msgpack,
};
use specta::{Types, datatype::DataType};

use crate::{
    convert::{Converter, RefusedType},
    model::{Action, ErrorVariant, Limits, Parameter, Part, PartKind, Schema, Service, Type},
};

/// The schema of the service that a generated client calls, such as `BankClient`.
///
/// All types of its parameters, results, errors and streams derive `specta::Type`.
///
/// # Errors
/// [`RefusedType`] if specta cannot tell how values of a type travel.
pub fn of<C: ServiceTypes<TypeCollector>>() -> Result<Schema, RefusedType> {
    let description = C::DESCRIPTION;
    let mut collector = TypeCollector {
        types: Types::default(),
        actions: Vec::new(),
    };
    C::visit_types(&mut collector);
    let service = service(description, collector)?;
    let services = BTreeMap::from([(description.name.to_string(), service)]);
    Ok(Schema { services })
}

/// Visits services all of whose types derive `specta::Type`.
#[derive(Debug)]
pub struct TypeCollector {
    types: Types,
    actions: Vec<TypesOfAction>,
}

impl<A: ActionList> VisitTypes<A> for TypeCollector {
    fn visit(&mut self) {
        A::collect(&mut self.types, &mut self.actions);
    }
}

fn service(
    description: &ServiceDescription,
    collected: TypeCollector,
) -> Result<Service, RefusedType> {
    let mut converter = Converter::new(collected.types);
    let mut service = Service {
        docs: description.docs.to_string(),
        ..Service::default()
    };
    for (description, types) in description.actions.iter().zip(collected.actions) {
        let action = action(description, types, &mut converter)?;
        service.actions.insert(description.name.to_string(), action);
    }
    service.types = converter.finish()?;
    Ok(service)
}

fn action(
    of: &ActionDescription,
    types: TypesOfAction,
    converter: &mut Converter,
) -> Result<Action, RefusedType> {
    let mut action = Action {
        aliases: of.aliases.iter().map(ToString::to_string).collect(),
        docs: of.docs.to_string(),
        one_way: of.is_one_way,
        idempotent: of.is_idempotent,
        timeout_ms: of
            .timeout
            .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        limits: Limits {
            payload: of.limits.payload,
            files: of.limits.files,
            file: of.limits.file,
            all_files: of.limits.all_files,
            stream: of.limits.stream,
        },
        ..Action::default()
    };
    let mut sent = types.parameters.into_iter();
    for parameter in &*of.parameters {
        let (name, kind) = (&parameter.name, kind_of(parameter.kind));
        let ty = ty(kind, &mut sent, format!("{}({name})", of.name), converter)?;
        let is_option = matches!(ty, Some(Type::Option(_)));
        let path = format!("{}({name}) error", of.name);
        let (error, errors) = end(kind, types.sent_error.as_ref(), path, converter)?;
        action.parameters.push(Parameter {
            name: name.to_string(),
            aliases: parameter.aliases.iter().map(ToString::to_string).collect(),
            optional: (is_option || parameter.has_default) && kind == PartKind::Payload,
            kind,
            ty,
            error,
            errors,
        });
    }
    let mut returned = types.returns.into_iter();
    for kind in &*of.returns.kinds {
        let kind = kind_of(*kind);
        let ty = ty(
            kind,
            &mut returned,
            format!("{} -> {kind}", of.name),
            converter,
        )?;
        let path = format!("{} -> {kind} error", of.name);
        let (error, errors) = end(kind, types.returned_error.as_ref(), path, converter)?;
        action.returns.push(Part {
            kind,
            ty,
            error,
            errors,
        });
    }
    if let Some(error) = types.errors.first() {
        action.error = Some(converter.root(format!("{} error", of.name), error)?);
    }
    action.errors = variants(&of.errors);
    Ok(action)
}

fn variants(of: &[describe::ErrorVariant]) -> Vec<ErrorVariant> {
    let variants = of.iter().map(|error| ErrorVariant {
        name: error.name.to_string(),
        code: error.code,
        details: error.has_details,
        docs: error.docs.to_string(),
    });
    variants.collect()
}

/// The error of a stream of values, and its variants.
fn end(
    kind: PartKind,
    error: Option<&TravellingError>,
    path: String,
    converter: &mut Converter,
) -> Result<(Option<Type>, Vec<ErrorVariant>), RefusedType> {
    // A message has one stream at most, so an error is that of the stream.
    match error {
        Some(TravellingError { ty, variants: of }) if kind == PartKind::Streaming => {
            Ok((Some(converter.root(path, ty)?), variants(of)))
        }
        _ => Ok((None, Vec::new())),
    }
}

/// The type of a part that has one.
fn ty(
    kind: PartKind,
    types: &mut impl Iterator<Item = Travelling>,
    path: String,
    converter: &mut Converter,
) -> Result<Option<Type>, RefusedType> {
    match kind {
        PartKind::Payload | PartKind::Streaming => match types.next() {
            Some(ty) => converter.root(path, &ty).map(Some),
            None => Err(RefusedType {
                path,
                reason: "the list of its types ends before it".to_owned(),
            }),
        },
        PartKind::File | PartKind::Files | PartKind::ByteStream => Ok(None),
    }
}

fn kind_of(kind: Kind) -> PartKind {
    match kind {
        Kind::File => PartKind::File,
        Kind::Files => PartKind::Files,
        Kind::Streaming => PartKind::Streaming,
        Kind::ByteStream => PartKind::ByteStream,
        _ => PartKind::Payload,
    }
}

/// The types of an action, as specta has them.
#[doc(hidden)]
#[expect(unnameable_types, reason = "only this crate makes and takes one")]
#[derive(Debug)]
pub struct TypesOfAction {
    parameters: Vec<Travelling>,
    returns: Vec<Travelling>,
    errors: Vec<Travelling>,
    /// Of the stream that callers send, and of the one that they get.
    sent_error: Option<TravellingError>,
    returned_error: Option<TravellingError>,
}

/// The type of an error that may end a stream, and its variants.
#[doc(hidden)]
#[expect(unnameable_types, reason = "only this crate makes and takes one")]
#[derive(Debug)]
pub struct TravellingError {
    ty: Travelling,
    variants: &'static [describe::ErrorVariant],
}

/// A type that travels by itself, as specta has it, and whether bytes are read as it.
#[doc(hidden)]
#[expect(unnameable_types, reason = "only this crate makes and takes one")]
#[derive(Debug)]
pub struct Travelling {
    pub(crate) ty: DataType,
    pub(crate) reads: fn(&[u8]) -> bool,
}

/// The actions of a service, all of whose types derive `specta::Type`.
///
/// Implemented for what generated clients have visited: [`VisitTypes`].
pub trait ActionList {
    #[doc(hidden)]
    fn collect(types: &mut Types, into: &mut Vec<TypesOfAction>);
}

impl ActionList for () {
    fn collect(_: &mut Types, _: &mut Vec<TypesOfAction>) {}
}

impl<A: ActionList, B: ActionList> ActionList for (A, B) {
    fn collect(types: &mut Types, into: &mut Vec<TypesOfAction>) {
        A::collect(types, into);
        B::collect(types, into);
    }
}

impl<P, R, E, S, O> ActionList for ActionTypes<P, R, E, S, O>
where
    P: TypeList,
    R: TypeList,
    E: TypeList,
    S: StreamErrorType,
    O: StreamErrorType,
{
    fn collect(types: &mut Types, into: &mut Vec<TypesOfAction>) {
        let mut action = TypesOfAction {
            parameters: Vec::new(),
            returns: Vec::new(),
            errors: Vec::new(),
            sent_error: S::collect(types),
            returned_error: O::collect(types),
        };
        P::collect(types, &mut action.parameters);
        R::collect(types, &mut action.returns);
        E::collect(types, &mut action.errors);
        into.push(action);
    }
}

/// Types that derive `specta::Type`, as nested pairs: `(A, (B, ()))`.
pub trait TypeList {
    #[doc(hidden)]
    fn collect(types: &mut Types, into: &mut Vec<Travelling>);
}

impl TypeList for () {
    fn collect(_: &mut Types, _: &mut Vec<Travelling>) {}
}

impl<T: specta::Type + DeserializeOwned, Rest: TypeList> TypeList for (T, Rest) {
    fn collect(types: &mut Types, into: &mut Vec<Travelling>) {
        into.push(travelling::<T>(types));
        Rest::collect(types, into);
    }
}

fn travelling<T: specta::Type + DeserializeOwned>(types: &mut Types) -> Travelling {
    Travelling {
        ty: T::definition(types),
        reads: |bytes| msgpack::from_slice::<T>(bytes).is_ok(),
    }
}

/// The error that may end a stream, which derives `specta::Type`: `(E, ())`, or `()` for none.
pub trait StreamErrorType {
    #[doc(hidden)]
    fn collect(types: &mut Types) -> Option<TravellingError>;
}

impl StreamErrorType for () {
    fn collect(_: &mut Types) -> Option<TravellingError> {
        None
    }
}

impl<E: specta::Type + ServiceError> StreamErrorType for (E, ()) {
    fn collect(types: &mut Types) -> Option<TravellingError> {
        Some(TravellingError {
            ty: travelling::<E>(types),
            variants: E::VARIANTS,
        })
    }
}
