//! A file of no known format: scanned whole, and the report says that nothing is known of its structure.

use crate::dump::{self, DumpMap, Format, Label};
use crate::error::Result;
use crate::image::Image;
use crate::limits::Limits;

/// The format of last resort.
pub struct Raw;

impl Format for Raw {
    fn name(&self) -> &'static str {
        dump::UNKNOWN
    }

    fn probe(&self, _head: &[u8]) -> bool {
        true
    }

    fn map(&self, image: &Image, _limits: &Limits) -> Result<DumpMap> {
        Ok(DumpMap::blank(self.name(), image.len(), Label::Unknown))
    }
}
