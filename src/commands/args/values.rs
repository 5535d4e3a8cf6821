//! What stands for values on the command line, by name.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::Color;
use crate::finding::{Evidence, Profile, Severity};
use crate::redact::fill::Fill;
use crate::report::{PRINTERS, Printer, words};

/// A printer, chosen by name.
#[derive(Clone, Copy)]
pub struct Chosen(pub &'static dyn Printer);

impl std::fmt::Debug for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

pub fn first_printer() -> &'static str {
    PRINTERS.first().map_or("text", |printer| printer.name())
}

pub fn printer() -> impl TypedValueParser<Value = Chosen> {
    let names = PRINTERS.iter().map(|printer| PossibleValue::new(printer.name()).help(printer.about()));
    PossibleValuesParser::new(names).try_map(|name| {
        let chosen = PRINTERS.iter().find(|printer| printer.name() == name);
        chosen.map(|&printer| Chosen(printer)).ok_or("no such format")
    })
}

pub fn severity() -> impl TypedValueParser<Value = Severity> {
    one_of(&words::SEVERITIES)
}

pub fn evidence() -> impl TypedValueParser<Value = Evidence> {
    one_of(&words::EVIDENCE)
}

pub fn profile() -> impl TypedValueParser<Value = Profile> {
    one_of(&[("default", Profile::Default), ("paranoid", Profile::Paranoid)])
}

pub fn fill() -> impl TypedValueParser<Value = Fill> {
    one_of(&[("mask", Fill::Mask), ("constant", Fill::Constant), ("zero", Fill::Zero), ("label", Fill::Label)])
}

pub fn color() -> impl TypedValueParser<Value = Color> {
    one_of(&[("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)])
}

pub fn json_or_text() -> impl TypedValueParser<Value = bool> {
    one_of(&[("text", false), ("json", true)])
}

/// Parses one of `values` by its name.
pub fn one_of<T: Copy + Send + Sync>(values: &'static [(&'static str, T)]) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.iter().map(|(name, _)| PossibleValue::new(*name))).try_map(|given| {
        let found = values.iter().find(|(name, _)| *name == given);
        found.map(|&(_, value)| value).ok_or("no such value")
    })
}
