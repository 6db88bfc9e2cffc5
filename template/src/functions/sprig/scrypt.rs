//! The password hash scrypt (RFC 7914), with the one set of parameters that is used here. It takes 32 MiB and some tenths of a second, which is its point.

use crate::functions::hash::hmac_sha256;

const COST: usize = 32_768;
const BLOCKS: usize = 8;
const PARALLEL: usize = 2;
const KEY_BYTES: usize = 64;

/// Words of one Salsa block.
const WORDS: usize = 16;
/// Words that one mixing works on.
const LANE: usize = 2 * BLOCKS * WORDS;

pub(super) fn scrypt(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut lanes: Vec<u32> = pbkdf2(password, salt, PARALLEL * LANE * 4).chunks_exact(4).map(word).collect();
    let mut memory = vec![0; COST * LANE];
    lanes.chunks_exact_mut(LANE).for_each(|lane| mix(lane, &mut memory));
    let mixed: Vec<u8> = lanes.iter().flat_map(|word| word.to_le_bytes()).collect();
    pbkdf2(password, &mixed, KEY_BYTES)
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// PBKDF2 with HMAC-SHA256 and a single round.
fn pbkdf2(password: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let blocks = (1u32..).flat_map(|index| hmac_sha256(password, &[salt, &index.to_be_bytes()].concat()));
    blocks.take(length).collect()
}

fn mix(lane: &mut [u32], memory: &mut [u32]) {
    for row in memory.chunks_exact_mut(LANE) {
        row.copy_from_slice(lane);
        shuffle(lane);
    }
    for _ in 0..COST {
        let row = lane[LANE - WORDS] as usize % COST * LANE;
        lane.iter_mut().zip(&memory[row..row + LANE]).for_each(|(own, other)| *own ^= other);
        shuffle(lane);
    }
}

/// One round over all blocks of a lane: each is mixed with the one before, and the even ones come before the odd ones.
fn shuffle(lane: &mut [u32]) {
    let mut before = [0; WORDS];
    before.copy_from_slice(&lane[LANE - WORDS..]);
    let mut out = [0; LANE];
    for (index, block) in lane.chunks_exact(WORDS).enumerate() {
        before.iter_mut().zip(block).for_each(|(own, other)| *own ^= other);
        salsa(&mut before);
        let place = (index / 2 + if index % 2 == 0 { 0 } else { BLOCKS }) * WORDS;
        out[place..place + WORDS].copy_from_slice(&before);
    }
    lane.copy_from_slice(&out);
}

/// Salsa20/8.
fn salsa(block: &mut [u32; WORDS]) {
    const COLUMNS: [[usize; 4]; 4] = [[0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]];
    const ROWS: [[usize; 4]; 4] = [[0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]];
    let mut x = *block;
    for _ in 0..4 {
        for [a, b, c, d] in COLUMNS.into_iter().chain(ROWS) {
            x[b] ^= x[a].wrapping_add(x[d]).rotate_left(7);
            x[c] ^= x[b].wrapping_add(x[a]).rotate_left(9);
            x[d] ^= x[c].wrapping_add(x[b]).rotate_left(13);
            x[a] ^= x[d].wrapping_add(x[c]).rotate_left(18);
        }
    }
    block.iter_mut().zip(x).for_each(|(own, mixed)| *own = own.wrapping_add(mixed));
}
