//! Going down through containers in containers, and accounting for what that costs.

use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;

use crate::container::spool::Spool;
use crate::container::{Container, HEAD, Settings, foreign, recognise};
use crate::dump::{self, Class, DumpMap, Label};
use crate::error::{Gap, Result};
use crate::image::{Growing, Image};
use crate::span::{Cover, Span};

/// Bytes without a container around them, ready to be mapped and scanned.
#[derive(Debug)]
pub struct Peeled {
    /// The bytes; the origin names the input, and with `!` the members that lead to them.
    pub image: Image,
    /// The containers around them, the innermost first.
    pub containers: Vec<&'static str>,
    /// What could not be unpacked: bytes of this member that are not there.
    pub gaps: Vec<Gap>,
    /// Whether this is what is left of a container, and then whose.
    pub shell: Option<&'static str>,
    /// The number by which it was shown to [`Onlooker::growing`] while it was decoded.
    pub grown: Option<u64>,
}

impl Peeled {
    /// Describes it. Of a shell nothing may be edited, because names and sizes stand in it and checksums go over them.
    ///
    /// # Errors
    /// Only when the image cannot be read.
    pub fn map(&self, limits: &crate::limits::Limits) -> Result<DumpMap> {
        let mut map = match self.shell {
            None => dump::map(&self.image, limits)?,
            Some(container) => {
                let mut map = DumpMap::blank(container, self.image.len(), Label::Header);
                map.classes = Cover::new(self.image.len(), Class::Frozen);
                map
            }
        };
        map.gaps.extend(self.gaps.iter().cloned());
        Ok(map)
    }
}

/// Is shown what is in an input.
pub trait Onlooker {
    /// A member that is being decoded and is no container; it may come to nothing. Numbers are never given twice, and 0 is
    /// the input itself.
    fn growing(&mut self, number: u64, growing: &Arc<Growing>);
    /// A dump, or what is left of a container.
    ///
    /// # Errors
    /// Whatever is to end the peeling.
    fn peeled(&mut self, peeled: Peeled) -> Result<()>;
}

/// Shows `each` every dump in `image`, or `image` itself where it is no container. A dump's spool is gone once it was shown.
///
/// # Errors
/// What `each` returns; when the image cannot be read or a spool cannot be written.
pub fn peel(image: Image, settings: &Settings, each: &mut dyn FnMut(Peeled) -> Result<()>) -> Result<()> {
    walk(image, settings, &mut Each(each))
}

/// As [`peel`], to one who also looks on while members are decoded.
///
/// # Errors
/// What the onlooker returns; when the image cannot be read or a spool cannot be written.
pub fn peel_beside(image: Image, settings: &Settings, onlooker: &mut dyn Onlooker) -> Result<()> {
    walk(image, settings, &mut Beside(onlooker))
}

/// Looks on while a container is taken apart.
pub(super) trait Visitor {
    /// A member that is no container; `key` says which of its container's members it is.
    fn leaf(&mut self, key: u64, peeled: Peeled) -> Result<()>;
    /// A container whose members were shown, each as a leaf or as a container.
    fn close(&mut self, closed: Closed) -> Result<()>;
    /// A member that is being decoded and is no container.
    fn growing(&mut self, _number: u64, _growing: &Arc<Growing>) {}
}

/// A container, after its members.
pub(super) struct Closed {
    pub key: u64,
    pub image: Image,
    pub container: &'static dyn Container,
    /// How many members it showed.
    pub given: usize,
    /// What is left of it, where that is anything.
    pub shell: Option<Peeled>,
}

/// Takes `image` apart in front of `visitor`.
pub(super) fn walk(image: Image, settings: &Settings, visitor: &mut dyn Visitor) -> Result<()> {
    let left = settings.limits.allowed(image.len());
    let purse = Purse { bytes: Cell::new(left), members: Cell::new(settings.limits.members), grown: Cell::new(1) };
    let walk = Walk { settings, purse: &purse };
    walk.down(Child { key: 0, is_opaque: false, image, gaps: Vec::new(), grown: Some(0) }, &[], visitor)
}

struct Each<'a>(&'a mut dyn FnMut(Peeled) -> Result<()>);

impl Visitor for Each<'_> {
    fn leaf(&mut self, _key: u64, peeled: Peeled) -> Result<()> {
        (self.0)(peeled)
    }

    fn close(&mut self, closed: Closed) -> Result<()> {
        closed.shell.map_or(Ok(()), |shell| (self.0)(shell))
    }
}

struct Beside<'a>(&'a mut dyn Onlooker);

impl Visitor for Beside<'_> {
    fn leaf(&mut self, _key: u64, peeled: Peeled) -> Result<()> {
        self.0.peeled(peeled)
    }

    fn close(&mut self, closed: Closed) -> Result<()> {
        closed.shell.map_or(Ok(()), |shell| self.0.peeled(shell))
    }

    fn growing(&mut self, number: u64, growing: &Arc<Growing>) {
        self.0.growing(number, growing);
    }
}

/// What may still be spent on one input.
struct Purse {
    bytes: Cell<u64>,
    members: Cell<usize>,
    /// The number of the member that is decoded next.
    grown: Cell<u64>,
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    settings: &'a Settings,
    purse: &'a Purse,
}

/// A member on its way out.
struct Child {
    key: u64,
    /// Whether it is looked into: a part of a text that begins like the whole is no container again.
    is_opaque: bool,
    image: Image,
    gaps: Vec<Gap>,
    grown: Option<u64>,
}

/// What the taking apart of one container comes to.
enum Given<'a> {
    Child(Child),
    Growing(u64, &'a Arc<Growing>),
}

impl Walk<'_> {
    fn down(self, child: Child, around: &[&'static str], visitor: &mut dyn Visitor) -> Result<()> {
        let Child { key, is_opaque, image, mut gaps, grown } = child;
        let known = if is_opaque { None } else { recognise(&image)? };
        let Some(container) = known else {
            gaps.extend(if is_opaque { None } else { foreign::gap(&image)? });
            return visitor.leaf(key, Peeled { image, containers: around.to_vec(), gaps, shell: None, grown });
        };
        if around.len() >= self.settings.limits.depth {
            let (depth, name) = (self.settings.limits.depth, container.name());
            let reason = format!("{name} inside of {depth} containers: it was not unpacked");
            gaps.push(Gap { span: Span::new(0, image.len()), reason });
            return visitor.leaf(key, Peeled { image, containers: around.to_vec(), gaps, shell: None, grown });
        }
        let mut inner = vec![container.name()];
        inner.extend(around);
        let mut give = |given: Given<'_>| match given {
            Given::Child(child) => self.down(child, &inner, visitor),
            Given::Growing(number, growing) => {
                show(growing, |growing| visitor.growing(number, growing));
                Ok(())
            }
        };
        let mut peel = Peel { image: &image, walk: self, covered: Vec::new(), gaps, given: 0, give: &mut give };
        container.members(&image, &mut peel)?;
        let Peel { covered, gaps, given, .. } = peel;
        let shell = shell(&image, container, covered, given, gaps);
        let name = Some(container.name());
        let shell =
            shell.map(|(image, gaps)| Peeled { image, containers: around.to_vec(), gaps, shell: name, grown: None });
        visitor.close(Closed { key, image, container, given, shell })
    }
}

/// Shows a member while it is decoded, once its first bytes say that it is no container. What else there may be to say of it
/// is said when it is whole.
pub(super) fn show(growing: &Arc<Growing>, onlook: impl FnOnce(&Arc<Growing>)) {
    let there = growing.wait(HEAD as u64);
    let is_container = || growing.outline(there).ok().and_then(|image| recognise(&image).ok()).flatten().is_some();
    if there >= HEAD as u64 && !is_container() {
        onlook(growing);
    }
}

/// What is left of a container without its members, where that is anything.
fn shell(
    image: &Image,
    container: &dyn Container,
    covered: Vec<Span>,
    given: usize,
    gaps: Vec<Gap>,
) -> Option<(Image, Vec<Gap>)> {
    let covered = united(covered);
    let bytes: u64 = covered.iter().map(|span| span.len).sum();
    let has_names = container.is_archive();
    if bytes == image.len() && gaps.is_empty() && given > 0 && !has_names {
        return None;
    }
    // What surrounds one stream needs a name of its own: the content has that of the file.
    let origin = match has_names || given == 0 {
        true => image.origin().to_owned(),
        false => format!("{}!<{}>", image.origin(), container.name()),
    };
    Some((image.without(origin, covered), gaps))
}

/// The spans in order, joined where they touch or overlap.
fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut united: Vec<Span> = Vec::new();
    for span in spans.into_iter().filter(|span| !span.is_empty()) {
        match united.last_mut() {
            Some(last) if last.end() >= span.from() => *last = Span::between(last.from(), last.end().max(span.end())),
            _ => united.push(span),
        }
    }
    united
}

/// Bytes that were decoded and that members are parts of.
pub struct Shared {
    /// The bytes.
    pub image: Image,
    number: Option<u64>,
}

/// Takes the members of one container.
pub struct Peel<'a> {
    image: &'a Image,
    walk: Walk<'a>,
    covered: Vec<Span>,
    gaps: Vec<Gap>,
    given: usize,
    give: &'a mut dyn FnMut(Given<'_>) -> Result<()>,
}

impl Peel<'_> {
    /// How many threads may decode what comes in blocks.
    pub fn threads(&self) -> usize {
        self.walk.settings.threads
    }

    /// A gap in the container itself, at `span` of it.
    pub fn gap(&mut self, span: Span, reason: impl Into<String>) {
        self.gaps.push(Gap { span, reason: reason.into() });
    }

    /// `span` was decoded as a member, or is nothing that could hold anything: it is no part of the shell.
    pub fn cover(&mut self, span: Span) {
        self.covered.push(span);
    }

    /// Whether one more member may be taken. Where not, that is told, once.
    pub fn admit(&mut self) -> bool {
        let members = &self.walk.purse.members;
        match members.get().checked_sub(1) {
            Some(left) => {
                members.set(left);
                true
            }
            None => {
                let most = self.walk.settings.limits.members;
                let reason = format!("there are more than {most} members; what comes behind them was not unpacked");
                self.gap(Span::new(0, self.image.len()), reason);
                false
            }
        }
    }

    /// Spends `bytes` of what may be unpacked: those that several members share, and that are looked at for each. Whether
    /// there was enough; where not, that is told.
    pub fn share(&mut self, bytes: u64) -> bool {
        let budget = &self.walk.purse.bytes;
        match budget.get().checked_sub(bytes) {
            Some(left) => {
                budget.set(left);
                true
            }
            None => {
                let reason = "members share so many bytes that looking at each of them is more than may be unpacked of an \
                              input of this size; what comes behind was not unpacked";
                self.gap(Span::new(0, self.image.len()), reason);
                false
            }
        }
    }

    /// A member that stands in the container as it is.
    ///
    /// # Errors
    /// What the scan of it returns.
    pub fn stored(&mut self, key: u64, name: String, span: Span, reasons: Vec<String>) -> Result<()> {
        let image = self.image.part(self.origin(Some(&name)), span);
        self.cover(span);
        self.given += 1;
        let gaps = gaps_of(&image, reasons);
        (self.give)(Given::Child(Child { key, is_opaque: false, image, gaps, grown: None }))
    }

    /// A part of the container's own text, which is not looked into.
    ///
    /// # Errors
    /// What the scan of it returns.
    pub fn text(&mut self, key: u64, name: &str, span: Span) -> Result<()> {
        let image = self.image.part(self.origin(Some(name)), span);
        self.cover(span);
        self.given += 1;
        (self.give)(Given::Child(Child { key, is_opaque: true, image, gaps: Vec::new(), grown: None }))
    }

    /// Decodes a member into a spool, and shows it while it grows.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub fn decode(&mut self, from: &mut (dyn Read + Send)) -> Result<Spool> {
        let grown = &self.walk.purse.grown;
        let number = grown.get();
        grown.set(number + 1);
        let mut shown = Ok(());
        let mut spool = self.fill(from, |give, growing| shown = give(Given::Growing(number, growing)))?;
        spool.number = Some(number);
        shown.map(|()| spool)
    }

    /// Decodes several members into one spool; nobody looks on, because it is no dump.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub fn decode_together(&mut self, from: &mut (dyn Read + Send)) -> Result<Spool> {
        self.fill(from, |_, _| {})
    }

    fn fill(
        &mut self,
        from: &mut (dyn Read + Send),
        show: impl FnOnce(&mut dyn FnMut(Given<'_>) -> Result<()>, &Arc<Growing>),
    ) -> Result<Spool> {
        let left = &self.walk.purse.bytes;
        let spool = Spool::fill(from, left.get(), self.walk.settings, |growing| show(self.give, growing))?;
        left.set(left.get() - spool.len.min(left.get()));
        Ok(spool)
    }

    /// A member that was decoded; `reasons` say what else is wrong with it.
    ///
    /// # Errors
    /// What the scan of it returns.
    pub fn decoded(
        &mut self,
        key: u64,
        name: Option<String>,
        mut spool: Spool,
        mut reasons: Vec<String>,
    ) -> Result<()> {
        let (len, grown) = (spool.len, spool.number);
        reasons.extend(spool.cut.take().map(|cut| format!("it could be unpacked only to byte {len:#x}: {cut}")));
        let image = spool.image(self.origin(name.as_deref()));
        self.given += 1;
        let gaps = gaps_of(&image, reasons);
        (self.give)(Given::Child(Child { key, is_opaque: false, image, gaps, grown }))
    }

    /// Bytes that were decoded and hold several members, which [`Peel::inside`] gives.
    pub fn shared(&self, spool: Spool) -> Shared {
        Shared { number: spool.number, image: spool.image(String::new()) }
    }

    /// A member that is a part of bytes that were decoded.
    ///
    /// # Errors
    /// What the scan of it returns.
    pub fn inside(&mut self, key: u64, name: String, shared: &Shared, span: Span, reasons: Vec<String>) -> Result<()> {
        let grown = shared.number.filter(|_| span == Span::new(0, shared.image.len()));
        let image = shared.image.part(self.origin(Some(&name)), span);
        self.given += 1;
        let gaps = gaps_of(&image, reasons);
        (self.give)(Given::Child(Child { key, is_opaque: false, image, gaps, grown }))
    }

    /// A member of which nothing can be unpacked.
    ///
    /// # Errors
    /// What the scan of it returns.
    pub fn locked(&mut self, key: u64, name: String, reason: String) -> Result<()> {
        let image = Image::from_bytes(self.origin(Some(&name)), Vec::new());
        self.given += 1;
        let gaps = gaps_of(&image, vec![reason]);
        (self.give)(Given::Child(Child { key, is_opaque: false, image, gaps, grown: None }))
    }

    fn origin(&self, name: Option<&str>) -> String {
        let outer = self.image.origin();
        name.map_or_else(|| outer.to_owned(), |name| format!("{outer}!{name}"))
    }
}

fn gaps_of(image: &Image, reasons: Vec<String>) -> Vec<Gap> {
    reasons.into_iter().map(|reason| Gap { span: Span::new(image.len(), 0), reason }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_are_one() {
        let spans = vec![Span::new(10, 5), Span::new(0, 4), Span::new(15, 1), Span::new(3, 2), Span::new(9, 0)];
        assert_eq!(united(spans), [Span::new(0, 5), Span::new(10, 6)]);
    }
}
