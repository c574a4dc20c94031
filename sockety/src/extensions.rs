use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// Values attached to a connection, one of each type.
///
/// ```
/// # use sockety::connection::Extensions;
/// #[derive(Debug, PartialEq)]
/// struct User(&'static str);
///
/// let extensions = Extensions::default();
/// extensions.insert(User("ada"));
/// assert_eq!(*extensions.get::<User>().unwrap(), User("ada"));
/// ```
#[derive(Default)]
pub struct Extensions {
    values: RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Extensions {
    /// Attaches a value and returns the one of the same type that it replaces.
    pub fn insert<T: Send + Sync + 'static>(&self, value: T) -> Option<Arc<T>> {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let replaced = values.insert(TypeId::of::<T>(), Arc::new(value));
        // The caller drops it, and its destructor may look at these extensions: unlock first.
        drop(values);
        replaced?.downcast().ok()
    }

    /// Returns the attached value of this type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.get(&TypeId::of::<T>()).cloned()?.downcast().ok()
    }

    /// Returns the attached value of this type, after attaching a default if there is none.
    pub(crate) fn get_or_default<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        if let Some(value) = self.get() {
            return value;
        }
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let value = values.entry(TypeId::of::<T>());
        let value = Arc::clone(value.or_insert_with(|| Arc::new(T::default())));
        value.downcast().unwrap_or_default()
    }

    /// Detaches the value of this type and returns it.
    pub fn remove<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        values.remove(&TypeId::of::<T>())?.downcast().ok()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Extensions({} values)", values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at the extensions that it was attached to when it is dropped.
    struct Curious {
        extensions: Arc<Extensions>,
        seen: Arc<Extensions>,
    }

    impl Drop for Curious {
        fn drop(&mut self) {
            let has_another = self.extensions.get::<Self>().is_some();
            self.seen.insert(has_another);
        }
    }

    #[test]
    fn the_destructor_of_a_replaced_value_may_use_the_extensions() {
        let (extensions, seen) = (Arc::new(Extensions::default()), Arc::default());
        let value = || Curious {
            extensions: Arc::clone(&extensions),
            seen: Arc::clone(&seen),
        };
        assert!(extensions.insert(value()).is_none());
        assert_eq!(seen.get::<bool>(), None);
        drop(extensions.insert(value()));
        assert_eq!(seen.get::<bool>().as_deref(), Some(&true));
        drop(extensions.remove::<Curious>());
        assert_eq!(seen.get::<bool>().as_deref(), Some(&false));
    }

    #[test]
    fn a_replaced_value_is_returned() {
        let extensions = Extensions::default();
        assert_eq!(extensions.insert(1_u8), None);
        assert_eq!(extensions.insert(2_u8).as_deref(), Some(&1));
        assert_eq!(extensions.get::<u8>().as_deref(), Some(&2));
    }
}
