//! Keeps an idle agent small.
//!
//! Starting runs through much code that is never needed again (flags, configuration, fingerprints, the first election), and the kernel maps sixteen pages
//! around each one that is touched. Those pages count as the process's memory until something unmaps them.

use std::{fs, io, num::NonZeroUsize, ptr::NonNull};

use nix::sys::mman::{MmapAdvise, madvise};

/// Unmaps this program's code; what still runs comes back from the page cache at its next use. Answers the bytes looked at.
pub(crate) fn release_code() -> io::Result<usize> {
    let program = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut released = 0;
    for (start, length) in maps.lines().filter_map(|line| code(line, &program.to_string_lossy())) {
        // SAFETY: the range is a mapping of this program's file that can be read and run but not written, so that dropping its pages loses nothing: the
        // next use reads the same bytes from the file again. Nothing unmaps or changes it meanwhile: it is the program itself.
        #[expect(unsafe_code, reason = "memory advice has no safe wrapper")]
        unsafe { madvise(start.cast(), length.get(), MmapAdvise::MADV_DONTNEED) }.map_err(io::Error::from)?;
        released += length.get();
    }
    Ok(released)
}

/// Start and length of a line of `/proc/self/maps` that maps code of `program`.
fn code(line: &str, program: &str) -> Option<(NonNull<u8>, NonZeroUsize)> {
    let mut columns = line.split_ascii_whitespace();
    let (range, rights) = (columns.next()?, columns.next()?);
    let path = line.get(line.find('/')?..)?;
    if rights != "r-xp" || path != program {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    Some((NonNull::new(std::ptr::with_exposed_provenance_mut(start))?, NonZeroUsize::new(end.checked_sub(start)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_program_itself_is_released() {
        let found = |line| code(line, "/usr/bin/drover").map(|(start, length)| (start.as_ptr().expose_provenance(), length.get()));
        assert_eq!(found("00401000-00403000 r-xp 00001000 fe:00 123   /usr/bin/drover"), Some((0x401000, 0x2000)));
        for other in [
            "00400000-00401000 r--p 00000000 fe:00 123   /usr/bin/drover",
            "00403000-00404000 rw-p 00003000 fe:00 123   /usr/bin/drover",
            "7f0000000000-7f0000002000 r-xp 00000000 fe:00 9   /usr/lib/libc.so.6",
            "7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0   [vdso]",
            "",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn a_program_goes_on_without_its_mapped_code() {
        assert!(release_code().unwrap() > 0);
        assert_eq!("still here".len(), 10);
    }
}
