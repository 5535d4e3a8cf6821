//! `dumpscrub explain`: whether what stands at an address is the program's, or what redaction left.

use serde::Serialize;

use crate::commands::args::ExplainArgs;
use crate::commands::output::{Plain, to_stdout};
use crate::commands::{exit, receipt};
use crate::error::{Error, Result};
use crate::redact::receipt::Receipt;
use crate::redact::receipt::wire::{Overwritten, Secret};
use crate::report::receipt::explain;
use crate::report::write_document;

/// Explains a place.
///
/// # Errors
/// When the receipt cannot be read, or the place is none.
pub fn run(args: &ExplainArgs) -> Result<u8> {
    let receipt = of_member(args)?;
    let place = if args.offset { offset(&args.place, &receipt)? } else { address(&args.place)? };
    let edits: Vec<&Overwritten> = match args.offset {
        true => receipt.at_offset(place).into_iter().collect(),
        false => receipt.at_address(place).collect(),
    };
    let told = Told::of(args, place, &edits, &receipt);
    to_stdout(|out| match args.format.json {
        true => write_document(&told, out),
        false => explain(&receipt, place, args.offset, &edits, &mut Plain::new(out)),
    })?;
    Ok(exit::CLEAN)
}

/// The receipt, or that of the member of a container that is asked about.
fn of_member(args: &ExplainArgs) -> Result<Receipt> {
    let (_, receipt) = receipt::read(&args.receipt)?;
    if receipt.told().members.is_none() {
        return match &args.member {
            None => Ok(receipt),
            Some(_) => Err(Error::Usage("the receipt is not of a container: leave --member out".to_owned())),
        };
    }
    let mut members: Vec<(String, Receipt)> =
        receipt.members().map(|(member, receipt)| (member.name.clone(), receipt)).collect();
    if let Some(name) = &args.member {
        members.retain(|member| member.0 == *name);
    }
    if members.len() > 1 {
        // A text beside the dump has no edits, mostly.
        members.retain(|(_, receipt)| !receipt.told().edits.is_empty());
    }
    match (members.pop(), members.is_empty()) {
        (Some((_, receipt)), true) => Ok(receipt),
        _ => Err(Error::Usage("the receipt is of a container: name the member with --member".to_owned())),
    }
}

#[derive(Serialize)]
struct Told<'a> {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    redacted: bool,
    edits: &'a [&'a Overwritten],
    findings: Vec<&'a Secret>,
}

impl<'a> Told<'a> {
    fn of(args: &ExplainArgs, place: u64, edits: &'a [&'a Overwritten], receipt: &'a Receipt) -> Self {
        Self {
            schema: "dumpscrub-explain/1",
            address: (!args.offset).then(|| format!("{place:#x}")),
            offset: args.offset.then_some(place),
            redacted: !edits.is_empty(),
            edits,
            findings: edits.iter().filter_map(|edit| receipt.finding(edit.finding)).collect(),
        }
    }
}

/// An address as debuggers print it: in hexadecimal, with `0x` or with digits of both halves and a backtick between them.
fn address(text: &str) -> Result<u64> {
    let (digits, is_hex) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits.replace('`', ""), true),
        None => (text.replace('`', ""), text.contains('`')),
    };
    // Without a sign that it is hexadecimal, 4096 could be meant either way.
    if !is_hex && digits.bytes().all(|b| b.is_ascii_digit()) {
        let text = format!("{text} can be read in two ways: write an address as 0x{text}, or use --offset");
        return Err(Error::Usage(text));
    }
    let wrong = || Error::Usage(format!("{text} is no address: write it as 0x7ffe01a8 or 00007ffe`000001a8"));
    number(&digits, 16).ok_or_else(wrong)
}

fn offset(text: &str, receipt: &Receipt) -> Result<u64> {
    let value = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => number(digits, 16),
        None => number(text, 10),
    };
    let value = value.ok_or_else(|| Error::Usage(format!("{text} is no offset: write it as 4096 or 0x1000")))?;
    let len = receipt.told().original.bytes;
    if value >= len {
        return Err(Error::Usage(format!("offset {value:#x} lies outside of the dump, which has {len:#x} bytes")));
    }
    Ok(value)
}

fn number(digits: &str, radix: u32) -> Option<u64> {
    // The standard library would take a sign, too.
    let is_plain = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_debuggers_print_them() {
        for (text, value) in
            [("0x7f01", 0x7f01), ("0X7F01", 0x7f01), ("00007ff6`12345678", 0x7ff6_1234_5678), ("7ffe", 0x7ffe)]
        {
            assert_eq!(address(text).unwrap(), value, "{text}");
        }
        for text in ["", "4096", "0x", "0x+1", "-1", "0x1ffffffffffffffff", "rsp"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
