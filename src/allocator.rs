//! mimalloc, asked for memory the short way.
//!
//! The crate `mimalloc` names the alignment of every piece. Then mimalloc goes the long way round for sizes that are no powers of two, and asks itself for a little more than
//! it needs, every time. Pieces without a wish come as quickly as it can, and are aligned well enough for nearly all that Rust asks.

#![allow(unsafe_code, reason = "an allocator hands out memory")]

use std::{
    alloc::{GlobalAlloc, Layout},
    ffi::c_void,
};

use libmimalloc_sys::{mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned};

/// mimalloc's `MI_MAX_ALIGN_SIZE`: blocks are multiples of it, where they are not smaller than it.
const ALIGNED: usize = 16;

pub(crate) struct Mimalloc;

fn is_aligned_anyway(layout: Layout) -> bool {
    layout.align() <= ALIGNED && layout.align() <= layout.size()
}

// SAFETY: each call is mimalloc's own for it, and what `is_aligned_anyway` says is mimalloc's promise.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe {
            let piece = if is_aligned_anyway(layout) { mi_malloc(layout.size()) } else { mi_malloc_aligned(layout.size(), layout.align()) };
            piece.cast()
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe {
            let piece = if is_aligned_anyway(layout) { mi_zalloc(layout.size()) } else { mi_zalloc_aligned(layout.size(), layout.align()) };
            piece.cast()
        }
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, _layout: Layout) {
        unsafe { mi_free(piece.cast::<c_void>()) }
    }

    #[inline]
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe {
            // The new size may be smaller than the alignment.
            let short = is_aligned_anyway(layout) && layout.align() <= size;
            let piece = piece.cast::<c_void>();
            let piece = if short { mi_realloc(piece, size) } else { mi_realloc_aligned(piece, size, layout.align()) };
            piece.cast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest piece that is looked at: beyond what mimalloc takes for small.
    const MOST: usize = 600_000;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    /// A piece of memory is where it has to be, and every byte of it is `byte`.
    unsafe fn check(piece: *mut u8, layout: Layout, byte: u8) {
        assert!(piece.addr().is_multiple_of(layout.align()), "{layout:?} at {piece:?}");
        let bytes = unsafe { std::slice::from_raw_parts(piece, layout.size()) };
        assert!(bytes.iter().all(|found| *found == byte), "{layout:?}");
    }

    /// A piece grows and shrinks, and what was in it stays.
    unsafe fn moves(from: Layout, size: usize) {
        let to = layout(size, from.align());
        unsafe {
            let piece = Mimalloc.alloc(from);
            piece.write_bytes(7, from.size());
            let moved = Mimalloc.realloc(piece, from, size);
            check(moved, layout(size.min(from.size()), from.align()), 7);
            Mimalloc.dealloc(moved, to);
        }
    }

    #[test]
    fn whatever_is_asked_for_is_aligned_and_keeps_its_bytes() {
        for align in [1, 2, 4, 8, 16, 32, 128, 4096] {
            let sizes = std::iter::successors(Some(1), |size| Some(size + size / 7 + 1)).take_while(|size| *size < MOST);
            for layout in sizes.map(|size| layout(size, align)) {
                // SAFETY: no layout is empty, and each piece is used within its size and given back with its layout.
                unsafe {
                    let zeroed = Mimalloc.alloc_zeroed(layout);
                    check(zeroed, layout, 0);
                    moves(layout, layout.size() * 3);
                    moves(layout, layout.size().div_ceil(5));
                    check(zeroed, layout, 0);
                    Mimalloc.dealloc(zeroed, layout);
                }
            }
        }
    }
}
