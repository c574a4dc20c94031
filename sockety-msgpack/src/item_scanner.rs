use crate::{
    bounds::Bounds,
    error::DecodeError,
    extension::{SERVICE_ERROR, is_service_error},
    scan::Scan,
};

/// Finds the end of each item in a stream of bytes that arrives in pieces.
///
/// Items are values one after another. A service error, which is the marker `D4 65 00` and the
/// array after it, is one item. The structure of an item is checked like [`check`](crate::check())
/// does.
///
/// The scanner resumes where bytes were missing. The work is proportional to the bytes, even when
/// they arrive one at a time, which repeated calls of [`value_len`](crate::value_len) do not
/// achieve. It stores no bytes, and allocates only to follow more than 4 levels of containers.
///
/// # Examples
///
/// ```
/// use sockety_msgpack::{Bounds, ItemScanner, Scanned};
///
/// let mut scanner = ItemScanner::new(Bounds::default());
/// let mut buffer = vec![0x92, 0x01];
/// assert_eq!(scanner.scan(&buffer)?, Scanned::Partial { needed: 3 });
/// buffer.extend([0x02, 0x91, 0x07]);
/// let mut items = Vec::new();
/// while let Scanned::Whole { len } = scanner.scan(&buffer)? {
///     items.push(buffer.drain(..len).collect::<Vec<_>>());
/// }
/// assert_eq!(items, [vec![0x92, 0x01, 0x02], vec![0x91, 0x07]]);
/// # Ok::<(), sockety_msgpack::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct ItemScanner {
    bounds: Bounds,
    scan: Scan<FEW_LEVELS>,
    /// With fewer bytes the scan cannot go on.
    needed: usize,
}

/// What [`ItemScanner::scan`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// The first item is whole.
    Whole {
        /// Its number of bytes.
        len: usize,
    },
    /// The first item is incomplete.
    Partial {
        /// Its number of bytes, at least. It is larger than the number of bytes present.
        needed: usize,
    },
}

impl ItemScanner {
    /// Creates a scanner at the start of an item. Each item must be within `bounds`.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            scan: Scan::new(0),
            needed: 1,
        }
    }

    /// Looks for the end of the first item in `bytes`.
    ///
    /// After [`Scanned::Partial`], call it again with these bytes and more after them. After
    /// [`Scanned::Whole`], remove the item, and call it with the bytes after it.
    ///
    /// # Errors
    ///
    /// Every [`DecodeError`] except `Truncated`, `TrailingBytes`, `Invalid`, `TooMuchMemory` and
    /// `ServiceError`.
    /// The bytes after it cannot be divided into items, so every later call returns it too.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scanned, DecodeError> {
        if bytes.len() < self.needed {
            return Ok(Scanned::Partial {
                needed: self.needed,
            });
        }
        if self.scan.position() == 0 && is_service_error(bytes) {
            self.scan.restart(SERVICE_ERROR.len());
        }
        match self.scan.resume(bytes, &self.bounds) {
            Ok(()) => {
                let len = self.scan.position();
                self.scan.restart(0);
                self.needed = 1;
                Ok(Scanned::Whole { len })
            }
            Err(DecodeError::Truncated { offset, needed, .. }) => {
                let needed = usize::try_from(needed).unwrap_or(usize::MAX);
                self.needed = offset.saturating_add(needed);
                Ok(Scanned::Partial {
                    needed: self.needed,
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// Levels that a scanner has room for. Items of streams are mostly flat.
const FEW_LEVELS: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ItemScanner, Scanned};
    use crate::{
        bounds::Bounds,
        check::{check, value_len},
        error::DecodeError,
        extension::{SERVICE_ERROR, is_service_error},
        work,
    };

    const ELEMENTS: usize = 20_000;

    #[test]
    fn t_p7_work_is_linear_when_elements_arrive_one_at_a_time() {
        for element in ELEMENT_KINDS {
            let (item, ends) = item_of(element);
            check_work(&item, ends);
        }
    }

    #[test]
    fn t_p7_work_is_linear_when_bytes_arrive_one_at_a_time() {
        for element in ELEMENT_KINDS {
            let (item, _) = item_of(element);
            check_work(&item, 1..=item.len());
        }
    }

    #[test]
    fn work_is_linear_when_the_caller_repeats_itself() {
        let (item, ends) = item_of(b"\x92\x01\xA3abc");
        check_work(&item, ends.into_iter().flat_map(|end| [end; 3]));
    }

    /// A number, a short text, a text with UTF-8, a bin, and containers.
    const ELEMENT_KINDS: [&[u8]; 6] = [
        b"\x07",
        b"\xA5short",
        b"\xD9\x04\xC5\xBC\xC3\xB3",
        b"\xC4\x03bin",
        b"\x92\x01\xA3abc",
        b"\x91\x91\x91\x91\x91\x91\x91\x91\xC0",
    ];

    /// An array of elements, and where each of them ends.
    fn item_of(element: &[u8]) -> (Vec<u8>, Vec<usize>) {
        let mut item = vec![0xDC];
        item.extend(u16::try_from(ELEMENTS).expect("few").to_be_bytes());
        let mut ends = Vec::new();
        for _ in 0..ELEMENTS {
            item.extend(element);
            ends.push(item.len());
        }
        (item, ends)
    }

    /// Each byte may be looked at once, as the text that it belongs to, and each token and each
    /// call may cost two looks: one for ordinary values and one for all. A scan that started over
    /// would cost 20,000 times 10,000 looks.
    fn check_work(item: &[u8], ends: impl IntoIterator<Item = usize>) {
        let bounds = Bounds::new().max_items(10 * ELEMENTS);
        let whole = work::of(|| assert!(check(item, &bounds).is_ok()));
        let mut calls = 0;
        let mut scanner = ItemScanner::new(bounds);
        let work = work::of(|| {
            for end in ends {
                calls += 1;
                let scanned = scanner.scan(&item[..end]).expect("valid");
                if end == item.len() {
                    assert_eq!(scanned, Scanned::Whole { len: end });
                    return;
                }
                assert!(matches!(scanned, Scanned::Partial { needed } if needed > end));
            }
            panic!("the last piece completes the item");
        });
        assert!(whole >= ELEMENTS && calls >= ELEMENTS);
        assert!(
            work <= whole + 2 * calls,
            "{work} for {calls} calls, {whole} at once"
        );
    }

    #[test]
    fn needed_never_exceeds_what_completes_the_item() {
        let item = b"\x93\xA3abc\x81\x01\xDA\x00\x05hello\xC0";
        let mut scanner = ItemScanner::new(Bounds::default());
        let mut end = 0;
        loop {
            match scanner.scan(&item[..end]).expect("valid") {
                Scanned::Whole { len } => break assert_eq!(len, item.len()),
                Scanned::Partial { needed } => end = needed,
            }
        }
    }

    #[test]
    fn fewer_bytes_than_before_are_partial() {
        let mut scanner = ItemScanner::new(Bounds::default());
        let partial = Ok(Scanned::Partial { needed: 4 });
        assert_eq!(scanner.scan(b"\x93\x01"), partial);
        assert_eq!(scanner.scan(b""), partial);
        assert_eq!(
            scanner.scan(b"\x93\x01\x02\x03"),
            Ok(Scanned::Whole { len: 4 })
        );
    }

    #[test]
    fn an_error_stays() {
        let mut scanner = ItemScanner::new(Bounds::default());
        let error = Err(DecodeError::ReservedMarker { offset: 1 });
        assert_eq!(scanner.scan(b"\x92\xC1\x00"), error);
        assert_eq!(scanner.scan(b"\x92\xC1\x00\x00"), error);
    }

    proptest! {
        #[test]
        fn a_scan_in_pieces_equals_a_scan_of_all(
            (bytes, cuts) in (bytes(), prop::collection::vec(any::<prop::sample::Index>(), 0..20)),
        ) {
            let ends = ends(&bytes, &cuts);
            check_pieces(&bytes, &ends, Bounds::default());
            check_pieces(&bytes, &ends, Bounds::new().max_depth(2).max_items(20));
            check_pieces(&bytes, &ends, Bounds::new().max_depth(200).max_items(200));
        }

        #[test]
        fn a_scan_byte_by_byte_equals_a_scan_of_all(bytes in bytes()) {
            let ends: Vec<_> = (0..=bytes.len()).collect();
            check_pieces(&bytes, &ends, Bounds::default());
            check_pieces(&bytes, &ends, Bounds::new().max_depth(6).max_items(8));
        }
    }

    fn ends(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<usize> {
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        ends
    }

    /// Scans all items of `bytes`, which come up to each of `ends`, with one scanner. Each answer
    /// is that of a scan that has seen nothing before.
    fn check_pieces(bytes: &[u8], ends: &[usize], bounds: Bounds) {
        let mut scanner = ItemScanner::new(bounds);
        let mut start = 0;
        for &end in ends {
            loop {
                let item = &bytes[start..end];
                let scanned = scanner.scan(item);
                assert_eq!(scanned, expected(item, &bounds), "{item:02X?}");
                match scanned {
                    Ok(Scanned::Whole { len }) => start += len,
                    Ok(Scanned::Partial { .. }) => break,
                    Err(_) => return,
                }
            }
        }
    }

    /// What a scan from the beginning says, without a scanner.
    fn expected(item: &[u8], bounds: &Bounds) -> Result<Scanned, DecodeError> {
        let start = match is_service_error(item) {
            true => SERVICE_ERROR.len(),
            false => 0,
        };
        match value_len(&item[start..], bounds) {
            Ok(len) => Ok(Scanned::Whole { len: start + len }),
            Err(error) => match moved(error, start) {
                DecodeError::Truncated { offset, needed, .. } => Ok(Scanned::Partial {
                    needed: offset + usize::try_from(needed).expect("64 bits"),
                }),
                error => Err(error),
            },
        }
    }

    /// The same error, `start` bytes later.
    fn moved(mut error: DecodeError, start: usize) -> DecodeError {
        match &mut error {
            DecodeError::Truncated { offset, .. }
            | DecodeError::TooDeep { offset, .. }
            | DecodeError::TooManyItems { offset, .. }
            | DecodeError::ReservedMarker { offset }
            | DecodeError::InvalidUtf8 { offset, .. } => *offset += start,
            other => panic!("{other}"),
        }
        error
    }

    /// Items one after another, some of them damaged.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let items = prop::collection::vec(item(), 1..6).prop_map(|items| items.concat());
        let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
        let damaged = (items, damage).prop_map(|(mut bytes, damage)| {
            for (index, byte) in damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            bytes
        });
        prop_oneof![
            8 => damaged,
            1 => prop::collection::vec(any::<u8>(), 0..100),
            1 => prop::collection::vec(prop::sample::select(&b"\x91\x81\xC0\xD4\x65\x00"[..]), 0..100),
        ]
    }

    fn item() -> impl Strategy<Value = Vec<u8>> {
        (prop::bool::weighted(0.2), value()).prop_map(|(is_error, value)| {
            let marker = if is_error { &SERVICE_ERROR[..] } else { b"" };
            [marker, &value].concat()
        })
    }

    /// A value of each form without others inside.
    const LEAVES: &[&[u8]] = &[
        b"\x00",
        b"\xC0",
        b"\xCD\x01\x02",
        b"\xCB\0\0\0\0\0\0\0\0",
        b"\xA0",
        b"\xA3abc",
        b"\xA2\xC5\xBC",
        b"\xD9\x03abc",
        b"\xDA\x00\x03abc",
        b"\xDB\0\0\0\x01a",
        b"\xC4\x02hi",
        b"\xC5\x00\x02hi",
        b"\xC6\0\0\0\x02hi",
        b"\xD4\x00\x00",
        b"\xD6\xFF\0\0\0\0",
        b"\xC7\x01\x05?",
        b"\xC8\x00\x01\x05?",
        b"\xC9\0\0\0\x01\x05?",
    ];

    fn value() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop::sample::select(LEAVES);
        let leaf = leaf.prop_map(<[u8]>::to_vec);
        leaf.prop_recursive(12, 60, 6, |inner| {
            let values = prop::collection::vec(inner, 0..6);
            (any::<bool>(), 0..3u8, values).prop_map(|(is_map, form, mut values)| {
                values.truncate(if is_map {
                    values.len() / 2 * 2
                } else {
                    values.len()
                });
                [head(is_map, form, values.len()), values.concat()].concat()
            })
        })
    }

    /// The token of a container, in one of its three forms.
    fn head(is_map: bool, form: u8, values: usize) -> Vec<u8> {
        let count = u8::try_from(if is_map { values / 2 } else { values }).expect("few");
        match (is_map, form) {
            (true, 0) => vec![0x80 | count],
            (true, 1) => vec![0xDE, 0, count],
            (true, _) => vec![0xDF, 0, 0, 0, count],
            (false, 0) => vec![0x90 | count],
            (false, 1) => vec![0xDC, 0, count],
            (false, _) => vec![0xDD, 0, 0, 0, count],
        }
    }
}
