//! Input in pieces, plain or in gzip or bzip2.

use std::io::{self, BufRead, Read};

/// Returns a reader for plain data, gzip or bzip2, by the first octets.
///
/// # Errors
///
/// The errors of reading.
pub(super) fn decompressed<'a>(mut input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let start = input.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(input)));
    }
    if start.starts_with(b"BZh") {
        return Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(input)));
    }
    Ok(Box::new(input))
}

/// The end of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadEnd {
    /// The input has the octets, or ends.
    Complete,
    /// The compressed data is truncated.
    Truncated,
}

/// Reads at most `length` octets. Truncated compressed data, which is an error of the decoder, ends the file.
pub(super) fn read_up_to(
    input: &mut impl Read,
    length: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<ReadEnd> {
    match input.by_ref().take(length).read_to_end(buffer) {
        Ok(_) => Ok(ReadEnd::Complete),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(ReadEnd::Truncated),
        Err(error) => Err(error),
    }
}
