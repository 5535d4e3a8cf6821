//! Placeholder being written.
use crate::dump::{DumpMap, Format, Label};
use crate::error::Result;
use crate::image::Image;
use crate::limits::Limits;
/// Minidump.
pub struct Minidump;
impl Format for Minidump {
    fn name(&self) -> &'static str {
        "minidump"
    }
    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(b"MDMP")
    }
    fn map(&self, image: &Image, _limits: &Limits) -> Result<DumpMap> {
        Ok(DumpMap::blank(self.name(), image.len(), Label::Slack))
    }
}
