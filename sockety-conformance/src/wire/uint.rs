//! Unsigned numbers, the lowest byte first.

/// Appends the lowest `width` bytes of `value`.
pub fn put(out: &mut Vec<u8>, value: u64, width: usize) {
    out.extend_from_slice(&value.to_le_bytes()[..width]);
}

/// Takes a number of `width` bytes off the front of `input`.
pub fn take(input: &mut &[u8], width: usize) -> Option<u64> {
    let (digits, rest) = input.split_at_checked(width)?;
    *input = rest;
    let mut bytes = [0; 8];
    bytes[..width].copy_from_slice(digits);
    Some(u64::from_le_bytes(bytes))
}

/// The index of the first of these widths that holds `value`. A width of 0 holds only 0.
pub fn smallest(widths: &[usize], value: u64) -> usize {
    let holds = |width: &usize| *width >= 8 || value < 1 << (8 * width);
    widths.iter().position(holds).unwrap_or(widths.len() - 1)
}
