//! Texts without a heap.

use core::slice;

/// A text of the kernel's: ended by a null, alive for as long as the program.
#[derive(Clone, Copy)]
pub(crate) struct Bytes {
    pointer: *const u8,
    len: usize,
}

impl Bytes {
    /// # Safety
    /// `pointer` leads to bytes that end with a null and stay.
    pub(crate) unsafe fn from_pointer(pointer: *const u8) -> Self {
        let mut len = 0;
        // SAFETY: as the caller promised. Volatile, or the compiler would make a call to libc of it.
        while unsafe { pointer.add(len).read_volatile() } != 0 {
            len += 1;
        }
        Self { pointer, len }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: `len` bytes were seen there.
        unsafe { slice::from_raw_parts(self.pointer, self.len) }
    }

    pub(crate) fn pointer(&self) -> *const u8 {
        self.pointer
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn number(&self) -> u64 {
        self.numbers().next().unwrap_or(0)
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        numbers(self.as_slice(), b',')
    }
}

pub(crate) fn numbers(text: &[u8], separator: u8) -> impl Iterator<Item = u64> + '_ {
    text.split(move |byte| *byte == separator)
        .filter(|digits| digits.first().is_some_and(u8::is_ascii_digit))
        .map(|digits| digits.iter().take_while(|b| b.is_ascii_digit()).fold(0_u64, |n, b| n.wrapping_mul(10).wrapping_add(u64::from(b - b'0'))))
}

pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u64) -> Self {
        let mut decimal = Self { digits: [b'0'; 20], start: 20 };
        loop {
            decimal.start -= 1;
            decimal.digits[decimal.start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 || decimal.start == 0 {
                return decimal;
            }
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// A short text that is put together: a path or a line. What does not fit is cut.
pub(crate) struct Text {
    bytes: [u8; 512],
    len: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }

    pub(crate) fn push(&mut self, more: &[u8]) {
        for byte in more {
            if self.len + 1 < self.bytes.len() {
                self.bytes[self.len] = *byte;
                self.len += 1;
            }
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// With the null that the kernel wants.
    pub(crate) fn finish(&self) -> &[u8] {
        &self.bytes[..=self.len]
    }
}
