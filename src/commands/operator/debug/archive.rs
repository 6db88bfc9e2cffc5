//! Files in a folder of a tar archive, compressed.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};

/// Tar counts in blocks of these.
const BLOCK: usize = 512;
/// Where a header's checksum stands.
const CHECKSUM: std::ops::Range<usize> = 148..156;

pub(super) struct Archive<W: Write> {
    out: GzEncoder<W>,
    folder: String,
    /// Of all files, in seconds of Unix time.
    modified: i64,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W, folder: String, modified: i64) -> Self {
        Self { out: GzEncoder::new(out, Compression::default()), folder, modified }
    }

    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.out.write_all(&header(&format!("{}/{name}", self.folder), content.len(), self.modified))?;
        self.out.write_all(content)?;
        let rest = content.len().next_multiple_of(BLOCK) - content.len();
        self.out.write_all(&[0; BLOCK][..rest])
    }

    /// Ends the archive with its two empty blocks.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.finish()
    }
}

/// The header of a file, as POSIX describes it.
fn header(path: &str, size: usize, modified: i64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header.iter_mut().skip(at).zip(text.bytes()).for_each(|(byte, new)| *byte = new);
    put(0, path);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, &format!("{modified:011o}\0"));
    // The checksum counts itself as spaces.
    put(CHECKSUM.start, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    header.iter_mut().skip(CHECKSUM.start).zip(sum.bytes()).for_each(|(byte, new)| *byte = new);
    header
}
