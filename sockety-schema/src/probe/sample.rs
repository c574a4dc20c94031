//! Small values with a type in them, made from what the schema says.

use std::collections::{BTreeMap, VecDeque};

use super::{
    Definitions, has_fields,
    wire::{Wire, example, seconds},
};
use crate::model::{Content, Enum, Field, Shape, Tagging, Type, Variant};

/// The most values in a sample.
const MAX_VALUES: usize = 10_000;

/// A name that no field has.
const UNKNOWN: &str = "$sockety.unknown";

/// What is otherwise about the type in question.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// It has a field that it does not know.
    UnknownField,
    /// Its value is in a list.
    InList,
}

/// The levels of the smallest value of each definition that has one.
pub(super) struct Heights<'a>(BTreeMap<&'a str, usize>);

/// How to make a small value with a type in it.
pub(super) struct Sample<'a> {
    definitions: &'a Definitions,
    heights: &'a Heights<'a>,
    goal: &'a str,
    /// Whether the way to the goal may lead through what hides that a value was not read: variants without a tag, of which
    /// another one may read it, and flattened options, which are `None` then.
    through_doubt: bool,
    /// From each definition, the steps to the goal.
    distances: BTreeMap<Node<'a>, usize>,
}

/// A definition, and whether its entries are those of a map around it. What a struct refuses does not matter there.
type Node<'a> = (&'a str, bool);

struct State {
    change: Change,
    /// Whether the value has the type in question.
    is_there: bool,
    left: usize,
}

impl<'a> Heights<'a> {
    pub(super) fn of(definitions: &'a Definitions) -> Self {
        let mut heights = Self(BTreeMap::new());
        loop {
            let known = heights.0.len();
            for (name, definition) in definitions {
                if heights.0.contains_key(name.as_str()) {
                    continue;
                }
                let height = match &definition.shape {
                    Shape::Enum(of) => {
                        let variants = of.variants.iter();
                        variants.filter_map(|it| heights.variant(it)).min()
                    }
                    shape => heights.all(types(shape)),
                };
                if let Some(height) = height {
                    heights.0.insert(name, height + 1);
                }
            }
            if heights.0.len() == known {
                return heights;
            }
        }
    }

    fn variant(&self, variant: &Variant) -> Option<usize> {
        self.all(types_of_content(&variant.content))
    }

    fn all(&self, types: Vec<(&Type, bool)>) -> Option<usize> {
        let mut highest = 0;
        for (ty, _) in types {
            highest = highest.max(self.ty(ty)?);
        }
        Some(highest)
    }

    fn ty(&self, ty: &Type) -> Option<usize> {
        match ty {
            Type::Option(_) | Type::Sequence(_) | Type::Map(..) => Some(0),
            Type::Named(name) => self.0.get(name.as_str()).copied(),
            _ => self.all(ty.inner().into_iter().map(|ty| (ty, false)).collect()),
        }
    }
}

impl<'a> Sample<'a> {
    pub(super) fn new(
        definitions: &'a Definitions,
        heights: &'a Heights<'a>,
        goal: &'a str,
        through_doubt: bool,
    ) -> Self {
        let mut sample = Self {
            definitions,
            heights,
            goal,
            through_doubt,
            distances: BTreeMap::new(),
        };
        sample.measure_distances();
        sample
    }

    /// A value of this type with the goal in it.
    pub(super) fn of(&self, root: &Type, change: Change) -> Option<Wire> {
        self.distance(root, false)?;
        let mut state = State {
            change,
            is_there: false,
            left: MAX_VALUES,
        };
        let value = self.make(root, false, true, &mut state)?;
        state.is_there.then_some(value)
    }

    fn measure_distances(&mut self) {
        let mut users: BTreeMap<Node<'a>, Vec<Node<'a>>> = BTreeMap::new();
        for (name, definition) in self.definitions {
            for is_flattened in [false, true] {
                for (ty, is_flattened_inside) in self.ways(&definition.shape, is_flattened) {
                    self.for_names(ty, is_flattened_inside, &mut |used| {
                        users.entry(used).or_default().push((name, is_flattened));
                    });
                }
            }
        }
        let goals = [(self.goal, false), (self.goal, true)];
        let goals = goals
            .into_iter()
            .filter(|(_, it)| self.is_goal(self.goal, *it));
        let mut waiting: VecDeque<_> = goals.map(|goal| (goal, 0)).collect();
        while let Some((node, distance)) = waiting.pop_front() {
            if self.distances.contains_key(&node) {
                continue;
            }
            self.distances.insert(node, distance);
            let users = users.get(&node).into_iter().flatten();
            waiting.extend(users.map(|user| (*user, distance + 1)));
        }
    }

    /// Whether it is the type in question, at a place where what it refuses matters.
    fn is_goal(&self, name: &str, is_flattened: bool) -> bool {
        let is_enum = || {
            let definition = self.definitions.get(name);
            definition.is_some_and(|it| matches!(it.shape, Shape::Enum(_)))
        };
        name == self.goal && (!is_flattened || is_enum())
    }

    /// Types in a shape that may lead to the goal, and whether they are flattened.
    fn ways<'b>(&self, shape: &'b Shape, is_flattened: bool) -> Vec<(&'b Type, bool)> {
        match shape {
            Shape::Newtype(ty) => vec![(ty, is_flattened)],
            Shape::Enum(of) => {
                let variants = of.variants.iter();
                let variants = variants.filter(|variant| self.is_way(of, variant));
                variants
                    .flat_map(|it| types_of_content(&it.content))
                    .collect()
            }
            shape => types(shape),
        }
    }

    fn is_way(&self, of: &Enum, variant: &Variant) -> bool {
        self.through_doubt || of.tagging != Tagging::Untagged && !variant.untagged
    }

    fn for_names<'b>(&self, ty: &'b Type, is_flattened: bool, found: &mut impl FnMut(Node<'b>)) {
        match ty {
            Type::Named(name) => found((name, is_flattened)),
            Type::Option(of) if is_flattened => {
                if self.through_doubt {
                    self.for_names(of, true, found);
                }
            }
            _ => {
                for ty in ty.inner() {
                    self.for_names(ty, false, found);
                }
            }
        }
    }

    fn distance(&self, ty: &Type, is_flattened: bool) -> Option<usize> {
        let mut nearest = None;
        self.for_names(ty, is_flattened, &mut |node| {
            let distance = self.distances.get(&node).copied();
            nearest = match (nearest, distance) {
                (Some(one), Some(other)) => Some(usize::min(one, other)),
                (one, other) => one.or(other),
            };
        });
        nearest
    }

    /// A value, in which the goal is, if it goes `toward` that, and else as small as there is.
    fn make(&self, ty: &Type, flatten: bool, toward: bool, state: &mut State) -> Option<Wire> {
        state.left = state.left.checked_sub(1)?;
        let toward = toward && !state.is_there && self.distance(ty, flatten).is_some();
        Some(match ty {
            Type::Nil => Wire::Nil,
            Type::Bool => Wire::Bool(false),
            Type::F32 | Type::F64 => Wire::Float(0.5),
            Type::U128 | Type::I128 => Wire::Bin(vec![1; 16]),
            Type::Nonzero(of) if of.range().is_none() => Wire::Bin(vec![1; 16]),
            Type::Char => Wire::Text("x".to_owned()),
            Type::String => Wire::Text("x".to_owned()),
            Type::Text(name) => Wire::Text(example(name)?.to_owned()),
            Type::Bytes => Wire::Bin(Vec::new()),
            Type::Timestamp => Wire::Timestamp,
            Type::Duration => seconds("secs", "nanos"),
            Type::SystemTime => seconds("secs_since_epoch", "nanos_since_epoch"),
            Type::Option(of) => match toward {
                true => self.make(of, flatten, true, state)?,
                false => Wire::Nil,
            },
            Type::Sequence(of) => match toward {
                true => Wire::Array(vec![self.make(of, false, true, state)?]),
                false => Wire::Array(Vec::new()),
            },
            Type::Map(key, value) => match toward {
                true => Wire::Map(vec![(
                    self.make(key, false, true, state)?,
                    self.make(value, false, true, state)?,
                )]),
                false => Wire::Map(Vec::new()),
            },
            Type::Array(of, length) => {
                let items = (0..*length).map(|_| self.make(of, false, toward, state));
                Wire::Array(items.collect::<Option<_>>()?)
            }
            Type::Tuple(items) => self.tuple(items, toward, state)?,
            Type::Named(name) => {
                let shape = &self.definitions.get(name)?.shape;
                let is_goal = toward && self.is_goal(name, flatten);
                state.is_there |= is_goal;
                let value = self.shape(shape, flatten, toward, is_goal, state)?;
                match is_goal && state.change == Change::InList {
                    true => Wire::Array(vec![value]),
                    false => value,
                }
            }
            // Integers.
            _ => Wire::Unsigned(1),
        })
    }

    fn tuple(&self, items: &[Type], toward: bool, state: &mut State) -> Option<Wire> {
        let items = items
            .iter()
            .map(|item| self.make(item, false, toward, state));
        Some(Wire::Array(items.collect::<Option<_>>()?))
    }

    fn shape(
        &self,
        shape: &Shape,
        flatten: bool,
        toward: bool,
        is_goal: bool,
        state: &mut State,
    ) -> Option<Wire> {
        match shape {
            Shape::Unit => Some(Wire::Array(Vec::new())),
            Shape::Newtype(ty) => self.make(ty, flatten, toward, state),
            Shape::Tuple(items) => self.tuple(items, toward, state),
            Shape::Struct(of) => self.fields(&of.fields, toward, is_goal, state),
            Shape::Enum(of) => self.enumeration(of, toward, is_goal, state),
        }
    }

    fn fields(
        &self,
        fields: &[Field],
        toward: bool,
        is_goal: bool,
        state: &mut State,
    ) -> Option<Wire> {
        let distance = |field: &Field| self.distance(&field.ty, field.flatten);
        let nearest = fields.iter().filter_map(distance).min();
        let mut entries = Vec::new();
        for field in fields {
            let toward = toward && nearest.is_some() && distance(field) == nearest;
            let value = self.make(&field.ty, field.flatten, toward, state)?;
            match field.flatten {
                true => entries.extend(entries_of(value)),
                false => entries.push((Wire::Text(field.name.clone()), value)),
            }
        }
        if is_goal && state.change == Change::UnknownField {
            entries.push((Wire::Text(UNKNOWN.to_owned()), Wire::Nil));
        }
        Some(Wire::Map(entries))
    }

    fn enumeration(
        &self,
        of: &Enum,
        toward: bool,
        is_goal: bool,
        state: &mut State,
    ) -> Option<Wire> {
        let variants = || of.variants.iter();
        let nearest = |variant: &&Variant| {
            let types = types_of_content(&variant.content).into_iter();
            let distances = types.filter_map(|(ty, flatten)| self.distance(ty, flatten));
            distances.min()
        };
        let variant = if is_goal {
            variants().find(|variant| has_fields(self.definitions, variant))
        } else if toward {
            let leading =
                variants().filter(|variant| self.is_way(of, variant) && nearest(variant).is_some());
            leading.min_by_key(nearest)
        } else {
            let ended = variants().filter(|variant| self.heights.variant(variant).is_some());
            ended.min_by_key(|variant| self.heights.variant(variant))
        }?;
        let content = match &variant.content {
            Content::Unit => None,
            Content::Newtype(ty) => Some(self.make(ty, false, toward, state)?),
            Content::Tuple(items) => Some(self.tuple(items, toward, state)?),
            Content::Struct(fields) => Some(self.fields(fields, toward, is_goal, state)?),
        };
        let name = Wire::Text(variant.name.clone());
        Some(match (&of.tagging, content) {
            (Tagging::Untagged, content) => content.unwrap_or(Wire::Nil),
            (_, content) if variant.untagged => content.unwrap_or(Wire::Nil),
            (Tagging::External, None) => name,
            (Tagging::External, Some(content)) => Wire::Map(vec![(name, content)]),
            (Tagging::Internal { tag }, content) => {
                let mut entries = vec![(Wire::Text(tag.clone()), name)];
                entries.extend(content.into_iter().flat_map(entries_of));
                Wire::Map(entries)
            }
            (Tagging::Adjacent { tag, content: key }, content) => {
                let mut entries = vec![(Wire::Text(tag.clone()), name)];
                entries.extend(content.map(|content| (Wire::Text(key.clone()), content)));
                Wire::Map(entries)
            }
        })
    }
}

/// What a value adds to the entries of a map around it.
fn entries_of(value: Wire) -> Vec<(Wire, Wire)> {
    match value {
        Wire::Map(entries) => entries,
        // The name of a variant without content.
        name @ Wire::Text(_) => vec![(name, Wire::Nil)],
        _ => Vec::new(),
    }
}

/// All types directly in a shape, and whether they are flattened.
fn types(shape: &Shape) -> Vec<(&Type, bool)> {
    match shape {
        Shape::Unit => Vec::new(),
        Shape::Newtype(ty) => vec![(ty, false)],
        Shape::Tuple(items) => items.iter().map(|ty| (ty, false)).collect(),
        Shape::Struct(of) => types_of_fields(&of.fields),
        Shape::Enum(of) => {
            let variants = of.variants.iter();
            variants
                .flat_map(|it| types_of_content(&it.content))
                .collect()
        }
    }
}

fn types_of_content(content: &Content) -> Vec<(&Type, bool)> {
    match content {
        Content::Unit => Vec::new(),
        Content::Newtype(ty) => vec![(ty, false)],
        Content::Tuple(items) => items.iter().map(|ty| (ty, false)).collect(),
        Content::Struct(fields) => types_of_fields(fields),
    }
}

fn types_of_fields(fields: &[Field]) -> Vec<(&Type, bool)> {
    let fields = fields.iter();
    fields.map(|field| (&field.ty, field.flatten)).collect()
}
