use fastrand::Rng;

/// Longest input that is made.
const LONGEST: usize = 4096;

/// Bytes that mean much: the first of each packet, borders of numbers.
const TELLING: &[u8] = &[
    0x00, 0x01, 0x0F, 0x10, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x2D, 0x30, 0x40, 0x50, 0x53, 0x60, 0x61,
    0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xC1, 0xD0, 0xD1, 0xE0, 0xE2, 0xE3, 0xEC, 0xF0, 0xF1, 0xF2,
    0x7F, 0xFF,
];

/// Another input: random bytes now and then, else one of the seeds with a few changes.
pub fn mutant(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    if seeds.is_empty() || rng.u8(..) < 16 {
        let longest = [8, 64, 512][rng.usize(..3)];
        let length = rng.usize(..=longest);
        return (0..length).map(|_| byte(rng)).collect();
    }
    let mut input = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..[1, 2, 4, 16][rng.usize(..4)] {
        change(rng, &mut input, seeds);
    }
    input.truncate(LONGEST);
    input
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let (from, to) = range(rng, input.len());
    match rng.u8(..8) {
        0 => input.truncate(from),
        1 => drop(input.drain(from..to)),
        2 => input.insert(from, byte(rng)),
        3 => {
            let again = input[from..to].to_vec();
            input.splice(from..from, again);
        }
        4 => {
            let other = &seeds[rng.usize(..seeds.len())];
            let (start, end) = range(rng, other.len());
            input.splice(from..to, other[start..end].iter().copied());
        }
        5 => input[from..to]
            .iter_mut()
            .take(1)
            .for_each(|byte| *byte ^= 1 << rng.u8(..8)),
        6 => input[from..to].iter_mut().take(1).for_each(|byte| {
            *byte = byte.wrapping_add(rng.u8(..5)).wrapping_sub(2);
        }),
        _ => {
            let new = byte(rng);
            input[from..to]
                .iter_mut()
                .take(1)
                .for_each(|byte| *byte = new);
        }
    }
}

/// A part of something of this length; rarely a long one.
fn range(rng: &mut Rng, length: usize) -> (usize, usize) {
    let from = rng.usize(..=length);
    let longest = [1, 4, 32, 1024][rng.usize(..4)];
    (from, (from + rng.usize(..=longest)).min(length))
}

fn byte(rng: &mut Rng) -> u8 {
    match rng.bool() {
        true => TELLING[rng.usize(..TELLING.len())],
        false => rng.u8(..),
    }
}
