//! A container with everything in it at once: what a redaction needs, which puts it together again.

use std::collections::BTreeMap;
use std::fs::File;

use crate::container::out::Out;
use crate::container::peel::{Closed, Visitor, walk};
use crate::container::{Container, Peeled, Settings, spool};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::span::Span;

/// What an image is made of. Leaves are numbered in the order in which [`crate::container::peel`] shows them.
pub struct Tree {
    /// Every dump, and what is left of every container.
    pub leaves: Vec<Peeled>,
    outer: Image,
    root: Node,
}

struct Node {
    key: u64,
    body: Body,
}

enum Body {
    /// By its number.
    Leaf(usize),
    Wrapped {
        image: Image,
        container: &'static dyn Container,
        members: Vec<Node>,
    },
}

/// Takes `image` apart and keeps all of it. Spools stay until the tree is dropped.
///
/// # Errors
/// When the image cannot be read or a spool cannot be written.
pub fn tree(image: Image, settings: &Settings) -> Result<Tree> {
    let outer = image.part(image.origin().to_owned(), Span::new(0, image.len()));
    let mut builder = Builder::default();
    walk(image, settings, &mut builder)?;
    match (builder.nodes.pop(), builder.nodes.is_empty()) {
        (Some(root), true) => Ok(Tree { leaves: builder.leaves, outer, root }),
        _ => Err(Error::Internal("taking a container apart")),
    }
}

#[derive(Default)]
struct Builder {
    leaves: Vec<Peeled>,
    nodes: Vec<Node>,
}

impl Visitor for Builder {
    fn leaf(&mut self, key: u64, peeled: Peeled) -> Result<()> {
        self.nodes.push(Node { key, body: Body::Leaf(self.leaves.len()) });
        self.leaves.push(peeled);
        Ok(())
    }

    fn close(&mut self, closed: Closed) -> Result<()> {
        let Closed { key, image, container, given, shell } = closed;
        let members = self.nodes.split_off(self.nodes.len().saturating_sub(given));
        self.leaves.extend(shell);
        self.nodes.push(Node { key, body: Body::Wrapped { image, container, members } });
        Ok(())
    }
}

/// The members of one container that are to be replaced, by their keys.
pub type Changed<'a> = BTreeMap<u64, &'a Image>;

impl Tree {
    /// The container as it is.
    #[must_use]
    pub fn outer(&self) -> &Image {
        &self.outer
    }

    /// Writes the container to `out`, an empty file, with `new` leaves in the place of those with these numbers.
    ///
    /// # Errors
    /// [`Error::Refused`] where a container cannot be put together with them; when something cannot be read or written.
    pub fn pack(&self, new: &BTreeMap<usize, Image>, out: &mut File, settings: &Settings) -> Result<()> {
        if !self.root.changes(new) {
            return Out::new(out).copy_all(&self.outer);
        }
        match &self.root.body {
            Body::Wrapped { image, container, members } => wrap(image, *container, members, new, out, settings),
            Body::Leaf(_) => Err(Error::Internal("packing what is no container")),
        }
    }
}

fn wrap(
    image: &Image,
    container: &dyn Container,
    members: &[Node],
    new: &BTreeMap<usize, Image>,
    out: &mut File,
    settings: &Settings,
) -> Result<()> {
    // Containers in it that are put together again live here until this one is.
    let mut inner: BTreeMap<u64, Image> = BTreeMap::new();
    for node in members {
        if let Body::Wrapped { image, container, members } = &node.body
            && members.iter().any(|member| member.changes(new))
        {
            let failed = |source| Error::Spool { folder: settings.folder.clone(), source };
            let mut file = spool::create(&settings.folder).map_err(failed)?;
            wrap(image, *container, members, new, &mut file, settings)?;
            let len = file.metadata().map_err(failed)?.len();
            inner.insert(node.key, Image::from_file(image.origin().to_owned(), file, len));
        }
    }
    let mut changed: Changed<'_> = inner.iter().map(|(key, image)| (*key, image)).collect();
    for node in members {
        if let Body::Leaf(number) = node.body
            && let Some(image) = new.get(&number)
        {
            changed.insert(node.key, image);
        }
    }
    container.pack(image, &changed, out)
}

impl Node {
    fn changes(&self, new: &BTreeMap<usize, Image>) -> bool {
        match &self.body {
            Body::Leaf(number) => new.contains_key(number),
            Body::Wrapped { members, .. } => members.iter().any(|member| member.changes(new)),
        }
    }
}
