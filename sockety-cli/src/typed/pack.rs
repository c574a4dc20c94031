//! JSON to MessagePack.

use rmpv::Value as Packed;
use serde_json::Value as Json;
use sockety_schema::{Content, Enum, Field, Parameter, Shape, Tagging, Type, Variant};

use super::{
    Budget, Problem, Types,
    entries::{Entries, names_of_variants},
    scalars, type_of,
};

/// Packs values of the types of a service.
pub struct Packer<'a> {
    pub types: &'a Types,
    budget: Budget,
}

impl<'a> Packer<'a> {
    pub fn new(types: &'a Types) -> Self {
        Self::within(types, Budget::ALTERNATIVES)
    }

    /// One that tries this many variants without a tag.
    pub fn within(types: &'a Types, alternatives: usize) -> Self {
        Self {
            types,
            budget: Budget::new(alternatives),
        }
    }

    /// The parameters of a request, which are a map.
    pub fn parameters(
        &mut self,
        json: &Json,
        parameters: &[&'a Parameter],
    ) -> Result<Packed, Problem> {
        self.object(json, "parameter", |packer, entries| {
            let mut packed = Vec::with_capacity(parameters.len());
            for parameter in parameters {
                let ty = type_of(parameter.ty.as_ref())?;
                let names = (parameter.name.as_str(), &parameter.aliases[..]);
                packed.extend(packer.field(names, ty, parameter.optional, entries)?);
            }
            Ok(packed)
        })
    }

    pub fn value(&mut self, json: &Json, ty: &'a Type) -> Result<Packed, Problem> {
        self.budget.enter()?;
        let packed = self.value_within(json, ty);
        self.budget.leave();
        packed
    }

    fn value_within(&mut self, json: &Json, ty: &'a Type) -> Result<Packed, Problem> {
        if let Some(packed) = scalars::pack(json, ty) {
            return packed;
        }
        let expected = || Problem::expected(scalars::words(ty), json);
        match ty {
            Type::Option(_) if json.is_null() => Ok(Packed::Nil),
            Type::Option(of) => self.value(json, of),
            Type::Sequence(of) => match json {
                Json::Array(items) => self.items(items.iter().map(|item| (item, &**of))),
                _ if **of == Type::U8 => {
                    let bytes = scalars::bytes(json).ok_or_else(expected)?;
                    Ok(Packed::Array(bytes.into_iter().map(Packed::from).collect()))
                }
                _ => Err(expected()),
            },
            Type::Array(of, length) => {
                let items = json.as_array().ok_or_else(expected)?;
                match items.len() as u64 == *length {
                    true => self.items(items.iter().map(|item| (item, &**of))),
                    false => Err(wrong_length(items.len(), *length)),
                }
            }
            Type::Tuple(types) => self.tuple(json, types),
            Type::Map(key, value) => self.map(json, key, value),
            Type::Named(name) => self.named(json, name),
            _ => Err(Problem::new(format!("the type {ty} is unknown here"))),
        }
    }

    fn items<'j>(
        &mut self,
        items: impl Iterator<Item = (&'j Json, &'a Type)>,
    ) -> Result<Packed, Problem> {
        let packed = items.enumerate().map(|(index, (item, ty))| {
            let packed = self.value(item, ty);
            packed.map_err(|problem| problem.at_index(index))
        });
        packed.collect::<Result<_, _>>().map(Packed::Array)
    }

    fn tuple(&mut self, json: &Json, types: &'a [Type]) -> Result<Packed, Problem> {
        let Json::Array(items) = json else {
            let expected = format!("an array of {} items", types.len());
            return Err(Problem::expected(expected, json));
        };
        match items.len() == types.len() {
            true => self.items(items.iter().zip(types)),
            false => Err(wrong_length(items.len(), types.len() as u64)),
        }
    }

    fn map(&mut self, json: &Json, key: &'a Type, value: &'a Type) -> Result<Packed, Problem> {
        let Json::Object(object) = json else {
            return Err(Problem::expected("an object", json));
        };
        let mut entries = Vec::with_capacity(object.len());
        if let (1, Some(pairs)) = (object.len(), object.get("$map")) {
            let pairs = pairs
                .as_array()
                .ok_or_else(|| Problem::expected("pairs of keys and values", pairs).at("$map"))?;
            for (index, pair) in pairs.iter().enumerate() {
                let packed = match pair.as_array().map(Vec::as_slice) {
                    Some([one, other]) => {
                        let packed = self.value(one, key);
                        packed.and_then(|one| Ok((one, self.value(other, value)?)))
                    }
                    _ => Err(Problem::expected("a pair of a key and a value", pair)),
                };
                entries.push(packed.map_err(|problem| problem.at_index(index).at("$map"))?);
            }
            return Ok(Packed::Map(entries));
        }
        for (text, json) in object {
            let packed_key = self.key(text, key).map_err(|problem| problem.at(text))?;
            let packed = self
                .value(json, value)
                .map_err(|problem| problem.at(text))?;
            entries.push((packed_key, packed));
        }
        Ok(Packed::Map(entries))
    }

    fn named(&mut self, json: &Json, name: &str) -> Result<Packed, Problem> {
        let types = self.types;
        let Some(definition) = types.get(name) else {
            return Err(Problem::new(format!("the schema has no type {name:?}")));
        };
        match &definition.shape {
            Shape::Unit => match json {
                Json::Null => Ok(Packed::Array(Vec::new())),
                Json::Array(items) if items.is_empty() => Ok(Packed::Array(Vec::new())),
                _ => Err(Problem::expected("[]", json)),
            },
            Shape::Newtype(ty) => self.value(json, ty),
            Shape::Tuple(types) => self.tuple(json, types),
            Shape::Struct(of) => self.object(json, "field", |packer, entries| {
                packer.fields(&of.fields, entries)
            }),
            Shape::Enum(of) => self.enumeration(json, of),
            _ => Err(Problem::new(format!("the shape of {name} is unknown here"))),
        }
    }

    fn enumeration(&mut self, json: &Json, of: &'a Enum) -> Result<Packed, Problem> {
        if of.tagging == Tagging::Untagged {
            return self.untagged(json, of);
        }
        let packed = match (&of.tagging, json) {
            (Tagging::External, Json::String(name)) => match variant_of(of, name) {
                Some(variant) if variant.content == Content::Unit => {
                    Ok(Packed::from(variant.name.as_str()))
                }
                Some(_) => Err(Problem::new(format!(
                    "variant {name:?} has content: write {{{name:?}: …}}"
                ))),
                None => Err(Problem::unknown("variant", name, &names_of_variants(of))),
            },
            (Tagging::External, Json::Object(object)) if object.len() == 1 => {
                let (name, json) = object
                    .iter()
                    .next()
                    .unwrap_or_else(|| unreachable!("one entry"));
                match variant_of(of, name) {
                    Some(variant) => self.variant(json, variant).map(|content| match content {
                        None => Packed::from(variant.name.as_str()),
                        Some(content) => Packed::Map(vec![(variant.name.as_str().into(), content)]),
                    }),
                    None => Err(Problem::unknown("variant", name, &names_of_variants(of))),
                }
            }
            (Tagging::External, _) => Err(Problem::expected(
                "the name of a variant, or an object of one entry",
                json,
            )),
            _ => self.object(json, "field", |packer, entries| packer.tagged(of, entries)),
        };
        match packed {
            Err(problem) if of.variants.iter().any(|it| it.untagged) => {
                self.untagged(json, of).map_err(|_| problem)
            }
            packed => packed,
        }
    }

    /// The content of a variant with a name, and that name in a path.
    fn variant(&mut self, json: &Json, variant: &'a Variant) -> Result<Option<Packed>, Problem> {
        let content = match (&variant.content, json) {
            (Content::Unit, Json::Null) => return Ok(None),
            (Content::Unit, _) => Err(Problem::expected("null, as it has no content", json)),
            (content, json) => self.content(json, content),
        };
        content
            .map(Some)
            .map_err(|problem| problem.at(&variant.name))
    }

    fn content(&mut self, json: &Json, content: &'a Content) -> Result<Packed, Problem> {
        match content {
            Content::Unit => match json {
                Json::Null => Ok(Packed::Nil),
                _ => Err(Problem::expected("null", json)),
            },
            Content::Newtype(ty) => self.value(json, ty),
            Content::Tuple(types) => self.tuple(json, types),
            Content::Struct(fields) => self.object(json, "field", |packer, entries| {
                packer.fields(fields, entries)
            }),
            _ => Err(Problem::new("the content of the variant is unknown here")),
        }
    }

    /// The first variant without a tag that fits.
    fn untagged(&mut self, json: &Json, of: &'a Enum) -> Result<Packed, Problem> {
        let mut reasons = Vec::new();
        for variant in untagged_variants(of) {
            self.budget.step()?;
            match self.content(json, &variant.content) {
                Ok(packed) => return Ok(packed),
                Err(problem) if self.budget.is_over() => return Err(problem),
                Err(problem) => reasons.push(format!("{}: {problem}", variant.name)),
            }
        }
        Err(no_variant(&reasons))
    }

    /// Packs the entries of an object, all of which must be known.
    fn object(
        &mut self,
        json: &Json,
        what: &str,
        pack: impl FnOnce(&mut Self, &mut Entries<'a, '_>) -> Result<Vec<(Packed, Packed)>, Problem>,
    ) -> Result<Packed, Problem> {
        let Json::Object(object) = json else {
            return Err(Problem::expected("an object", json));
        };
        let mut entries = Entries::new(object);
        let packed = pack(self, &mut entries)?;
        entries.finish(what)?;
        Ok(Packed::Map(packed))
    }

    /// Packs fields, and takes what they are made of.
    fn fields(
        &mut self,
        fields: &'a [Field],
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        let mut packed = Vec::with_capacity(fields.len());
        for field in fields.iter().filter(|field| !field.flatten) {
            let names = (field.name.as_str(), &field.aliases[..]);
            packed.extend(self.field(names, &field.ty, field.optional, entries)?);
        }
        // A map takes what all others leave.
        let flattened = fields.iter().filter(|field| field.flatten);
        let (maps, others): (Vec<_>, Vec<_>) = flattened.partition(|it| self.takes_all(&it.ty));
        for field in others.into_iter().chain(maps) {
            packed.extend(self.flattened(&field.ty, entries)?);
        }
        Ok(packed)
    }

    /// Packs an entry, if it is there.
    fn field(
        &mut self,
        (name, aliases): (&'a str, &[String]),
        ty: &'a Type,
        is_optional: bool,
        entries: &mut Entries<'a, '_>,
    ) -> Result<Option<(Packed, Packed)>, Problem> {
        entries.note(name);
        let Some(json) = entries.take(name, aliases)? else {
            if !is_optional {
                entries.miss(name, ty);
            }
            return Ok(None);
        };
        let value = self.value(json, ty).map_err(|problem| problem.at(name))?;
        Ok(Some((name.into(), value)))
    }

    /// Whether a flattened value takes entries of any name.
    fn takes_all(&self, ty: &Type) -> bool {
        let mut ty = ty;
        for _ in 0..=self.types.len() {
            match ty {
                Type::Map(..) => return true,
                Type::Option(of) => ty = of,
                Type::Named(name) => match self.types.get(name).map(|it| &it.shape) {
                    Some(Shape::Newtype(of)) => ty = of,
                    _ => return false,
                },
                _ => return false,
            }
        }
        false
    }

    /// Packs a value whose entries are among those of another one.
    fn flattened(
        &mut self,
        ty: &'a Type,
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        self.budget.enter()?;
        let packed = self.flattened_within(ty, entries);
        self.budget.leave();
        packed
    }

    fn flattened_within(
        &mut self,
        ty: &'a Type,
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        match ty {
            // It is there if one of its entries is.
            Type::Option(of) => {
                let before = entries.clone();
                let packed = self.flattened(of, entries);
                if entries.count() == before.count() {
                    *entries = before;
                    return Ok(Vec::new());
                }
                packed
            }
            Type::Map(key, value) => {
                let mut packed = Vec::new();
                for (text, json) in entries.take_all() {
                    let key = self.key(text, key).map_err(|problem| problem.at(text))?;
                    let value = self
                        .value(json, value)
                        .map_err(|problem| problem.at(text))?;
                    packed.push((key, value));
                }
                Ok(packed)
            }
            Type::Nil => Ok(Vec::new()),
            Type::Named(name) => {
                let types = self.types;
                match types.get(name).map(|it| &it.shape) {
                    Some(Shape::Newtype(ty)) => self.flattened(ty, entries),
                    Some(Shape::Struct(of)) => self.fields(&of.fields, entries),
                    Some(Shape::Enum(of)) => self.tagged(of, entries),
                    Some(Shape::Unit) => Ok(Vec::new()),
                    _ => Err(no_entries(ty)),
                }
            }
            _ => Err(no_entries(ty)),
        }
    }

    /// Packs an enum as entries of a map.
    fn tagged(
        &mut self,
        of: &'a Enum,
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        let before = entries.clone();
        let packed = match &of.tagging {
            Tagging::Untagged => return self.untagged_entries(of, entries),
            Tagging::External => self.external(of, entries),
            Tagging::Internal { tag } => self.internal(of, tag, entries),
            Tagging::Adjacent { tag, content } => self.adjacent(of, (tag, content), entries),
            _ => Err(Problem::new("the tag of the enum is unknown here")),
        };
        match packed {
            Err(problem) if of.variants.iter().any(|it| it.untagged) => {
                *entries = before;
                self.untagged_entries(of, entries).map_err(|_| problem)
            }
            packed => packed,
        }
    }

    fn external(
        &mut self,
        of: &'a Enum,
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        for variant in tagged_variants(of) {
            entries.note(&variant.name);
            if let Some(json) = entries.take(&variant.name, &variant.aliases)? {
                let content = self.variant(json, variant)?.unwrap_or(Packed::Nil);
                return Ok(vec![(variant.name.as_str().into(), content)]);
            }
        }
        let names: Vec<_> = names_of_variants(of)
            .iter()
            .map(|it| format!("{it:?}"))
            .collect();
        Err(Problem::new(format!(
            "missing one of the variants {}",
            names.join(", ")
        )))
    }

    fn internal(
        &mut self,
        of: &'a Enum,
        tag: &'a str,
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        let variant = variant_by_tag(of, tag, entries)?;
        let mut packed = vec![(Packed::from(tag), Packed::from(variant.name.as_str()))];
        packed.extend(match &variant.content {
            Content::Unit => Vec::new(),
            Content::Newtype(ty) => self.flattened(ty, entries)?,
            Content::Struct(fields) => self.fields(fields, entries)?,
            _ => return Err(Problem::new("a tuple has no place for a tag")),
        });
        Ok(packed)
    }

    fn adjacent(
        &mut self,
        of: &'a Enum,
        (tag, content): (&'a str, &'a str),
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        let variant = variant_by_tag(of, tag, entries)?;
        let mut packed = vec![(Packed::from(tag), Packed::from(variant.name.as_str()))];
        entries.note(content);
        let json = entries.take(content, &[])?;
        match (&variant.content, json) {
            (Content::Unit, None | Some(Json::Null))
            | (Content::Newtype(Type::Option(_)), None) => {}
            (_, None) => {
                return Err(Problem::new(format!(
                    "missing field {content:?}, the content of variant {:?}",
                    variant.name
                )));
            }
            (of, Some(json)) => {
                let value = self.content(json, of);
                let value = value.map_err(|problem| problem.at(content))?;
                packed.push((content.into(), value));
            }
        }
        Ok(packed)
    }

    fn untagged_entries(
        &mut self,
        of: &'a Enum,
        entries: &mut Entries<'a, '_>,
    ) -> Result<Vec<(Packed, Packed)>, Problem> {
        let before = entries.clone();
        let mut reasons = Vec::new();
        for variant in untagged_variants(of) {
            self.budget.step()?;
            let packed = match &variant.content {
                Content::Unit => Ok(Vec::new()),
                Content::Newtype(ty) => self.flattened(ty, entries),
                Content::Struct(fields) => self.fields(fields, entries),
                _ => Err(Problem::new("a tuple has no entries")),
            };
            match packed {
                Ok(packed) if !entries.is_missing_some() => return Ok(packed),
                Err(problem) if self.budget.is_over() => return Err(problem),
                Err(problem) => reasons.push(format!("{}: {problem}", variant.name)),
                Ok(_) => reasons.push(format!("{}: a field is missing", variant.name)),
            }
            *entries = before.clone();
        }
        Err(no_variant(&reasons))
    }
}

pub fn tagged_variants(of: &Enum) -> impl Iterator<Item = &Variant> {
    let is_tagged = of.tagging != Tagging::Untagged;
    of.variants
        .iter()
        .filter(move |it| is_tagged && !it.untagged)
}

fn untagged_variants(of: &Enum) -> impl Iterator<Item = &Variant> {
    let are_all = of.tagging == Tagging::Untagged;
    of.variants.iter().filter(move |it| are_all || it.untagged)
}

/// The variant that is read from this name.
pub fn variant_of<'a>(of: &'a Enum, name: &str) -> Option<&'a Variant> {
    tagged_variants(of).find(|it| it.name == name || it.aliases.iter().any(|it| it == name))
}

/// Takes the tag of an enum, and finds the variant.
fn variant_by_tag<'a>(
    of: &'a Enum,
    tag: &'a str,
    entries: &mut Entries<'a, '_>,
) -> Result<&'a Variant, Problem> {
    entries.note(tag);
    let names = names_of_variants(of);
    let Some(json) = entries.take(tag, &[])? else {
        let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
        return Err(Problem::new(format!(
            "missing field {tag:?}, one of {}",
            names.join(", ")
        )));
    };
    let Json::String(name) = json else {
        return Err(Problem::expected("the name of a variant", json).at(tag));
    };
    let unknown = || Problem::unknown("variant", name, &names).at(tag);
    variant_of(of, name).ok_or_else(unknown)
}

fn wrong_length(got: usize, length: u64) -> Problem {
    Problem::new(format!("expected an array of {length} items, got {got}"))
}

fn no_entries(ty: &Type) -> Problem {
    Problem::new(format!("{ty} has no entries that could be among others"))
}

/// Of many variants, the first ones say enough.
fn no_variant(reasons: &[String]) -> Problem {
    const MOST: usize = 5;
    let mut text = reasons
        .iter()
        .take(MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if reasons.len() > MOST {
        text += &format!("; and {} more", reasons.len() - MOST);
    }
    Problem::new(format!("fits no variant ({text})"))
}
