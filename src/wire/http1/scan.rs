//! The byte-wise reading of heads that come in pieces or are wrong, and of trailer sections.
//!
//! A [`Scan`] remembers where it stands, so a client that sends one byte at a time costs one step
//! per byte. It knows syntax and limits only; what the fields mean is checked once the head is
//! whole. Start lines are read by a [`StartLine`] of their own.

use super::{Fault, HeadLimits, class};

/// Reads the line before the header fields.
pub trait StartLine: Default {
    /// What a fault in such a message is called.
    type Error: From<Fault>;
    /// False for a trailer section, which has no such line.
    const PRESENT: bool;

    /// Takes one byte; true when the line ended with it.
    ///
    /// # Errors
    /// At the first byte that cannot belong to such a line.
    fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<bool, Self::Error>;
}

/// Where a head's reading stands; one per direction of a connection, fresh between messages.
#[derive(Clone, Debug)]
pub struct Scan<L> {
    line: L,
    at: At,
    seen: usize,
    fields: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Line,
    FieldStart,
    Name,
    Value,
    ValueCr,
    EndCr,
    Ended,
}

impl<L: StartLine> Default for Scan<L> {
    fn default() -> Self {
        let at = if L::PRESENT { At::Line } else { At::FieldStart };
        Self { line: L::default(), at, seen: 0, fields: 0 }
    }
}

impl<L: StartLine> Scan<L> {
    /// Bytes of the head that were looked at; 0 between messages.
    #[must_use]
    pub const fn seen(&self) -> usize {
        self.seen
    }

    /// Reads on in `bytes`, which continue what was read before. The count of bytes that belong
    /// to the head, and whether it ended with them.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, bool), L::Error> {
        for (index, byte) in bytes.iter().enumerate() {
            self.step(*byte, limits)?;
            self.seen += 1;
            if self.at == At::Ended {
                return Ok((index + 1, true));
            }
            if self.seen >= limits.head_bytes_max {
                return Err(Fault::HeadTooLong.into());
            }
        }
        Ok((bytes.len(), false))
    }

    fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<(), L::Error> {
        self.at = match self.at {
            At::Line if self.line.step(byte, limits)? => At::FieldStart,
            At::Line => At::Line,
            At::FieldStart => self.start_field(byte, limits)?,
            At::Name => Self::step_name(byte)?,
            At::Value => match byte {
                b'\r' => At::ValueCr,
                b'\n' => return Err(Fault::BareLf.into()),
                _ if class::of(byte) & class::VALUE != 0 => At::Value,
                _ => return Err(Fault::FieldValue.into()),
            },
            At::ValueCr if byte == b'\n' => At::FieldStart,
            At::EndCr if byte == b'\n' => At::Ended,
            At::ValueCr | At::EndCr => return Err(Fault::BareCr.into()),
            At::Ended => At::Ended,
        };
        Ok(())
    }

    fn start_field(&mut self, byte: u8, limits: &HeadLimits) -> Result<At, Fault> {
        match byte {
            b'\r' => Ok(At::EndCr),
            b'\n' => Err(Fault::BareLf),
            b' ' | b'\t' => Err(Fault::Folded),
            b':' => Err(Fault::EmptyName),
            _ if class::of(byte) & class::TOKEN == 0 => Err(Fault::FieldName),
            _ if self.fields == limits.fields_max => Err(Fault::TooManyFields),
            _ => {
                self.fields += 1;
                Ok(At::Name)
            }
        }
    }

    fn step_name(byte: u8) -> Result<At, Fault> {
        match byte {
            b':' => Ok(At::Value),
            b' ' | b'\t' => Err(Fault::SpaceBeforeColon),
            b'\r' | b'\n' => Err(Fault::NoColon),
            _ if class::of(byte) & class::TOKEN != 0 => Ok(At::Name),
            _ => Err(Fault::FieldName),
        }
    }
}

/// A trailer section has no start line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NoLine;

impl StartLine for NoLine {
    type Error = Fault;
    const PRESENT: bool = false;

    fn step(&mut self, _: u8, _: &HeadLimits) -> Result<bool, Fault> {
        Ok(true)
    }
}
