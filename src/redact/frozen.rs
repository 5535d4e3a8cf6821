//! Bytes that are never edited: a secret in them is told, and is cut out of the plan.

use crate::dump::{Class, DumpMap};
use crate::redact::plan::{Edit, Left};
use crate::span::{Cover, Span};

/// The edits without what lies in frozen bytes of `map`, and that, told apart.
#[must_use]
pub fn cut_out(edits: Vec<Edit>, map: &DumpMap) -> (Vec<Edit>, Vec<Left>) {
    let (mut free, mut frozen) = (Vec::with_capacity(edits.len()), Vec::new());
    for edit in edits {
        for (run, class) in map.classes.runs(edit.span) {
            if class == Class::Frozen {
                frozen.extend(labels(map, run).map(|(span, label)| Left { span, finding: edit.finding, label }));
            } else {
                push(&mut free, Edit { span: run, phase: edit.phase + (run.from() - edit.span.from()), ..edit });
            }
        }
    }
    (free, frozen)
}

/// What `stay` would have covered and `edits` do not: bytes that are left in place on purpose.
pub fn left_of(stay: Vec<Edit>, edits: &[Edit], map: &DumpMap) -> Vec<Left> {
    let len = stay.last().map_or(0, |edit| edit.span.end());
    let mut covered = Cover::new(len, false);
    edits.iter().filter(|edit| edit.span.from() < len).for_each(|edit| covered.paint(edit.span, true));
    let mut left = Vec::new();
    for edit in stay {
        for (run, _) in covered.runs(edit.span).into_iter().filter(|(_, is_covered)| !is_covered) {
            left.extend(labels(map, run).map(|(span, label)| Left { span, finding: edit.finding, label }));
        }
    }
    left
}

/// Neighbours of one edit, which Free and Keep parted, are one again.
fn push(edits: &mut Vec<Edit>, edit: Edit) {
    match edits.last_mut() {
        Some(last)
            if last.span.end() == edit.span.from()
                && last.phase + last.span.len == edit.phase
                && (last.finding, last.form, last.ink) == (edit.finding, edit.form, edit.ink) =>
        {
            last.span.len += edit.span.len;
        }
        _ => edits.push(edit),
    }
}

fn labels(map: &DumpMap, run: Span) -> impl Iterator<Item = (Span, crate::dump::Label)> {
    map.labels.runs(run).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Label;
    use crate::finding::{Encoding, Form, Layout};
    use crate::redact::fill::{Ink, Mark, Width};

    #[test]
    fn frozen_bytes_are_cut_out_and_told() {
        let mut map = DumpMap::blank("test", 100, Label::Memory);
        map.classes.paint(Span::new(10, 5), Class::Frozen);
        map.classes.paint(Span::new(20, 5), Class::Keep);
        map.labels.paint(Span::new(12, 50), Label::Header);
        let ink = Ink { mark: Mark::Zero, width: Width::Narrow, keeps_lines: false };
        let form = Form::whole(Layout::Text, Encoding::Plain);
        let edit = Edit { span: Span::new(5, 40), finding: 7, form, ink, phase: 3 };
        let (edits, frozen) = cut_out(vec![edit], &map);
        let told: Vec<(u64, u64, u64)> = edits.iter().map(|e| (e.span.from(), e.span.end(), e.phase)).collect();
        assert_eq!(told, [(5, 10, 3), (15, 45, 13)]);
        let told: Vec<(u64, u64, Label)> = frozen.iter().map(|l| (l.span.from(), l.span.end(), l.label)).collect();
        assert_eq!(told, [(10, 12, Label::Memory), (12, 15, Label::Header)]);
    }
}
