//! The sweep: many inputs, each scanned, one report. `scan`, `gate` and `baseline` begin with it.

use std::convert::Infallible;
use std::sync::Arc;

use crate::commands::inputs::Input;
use crate::commands::progress::Bar;
use crate::commands::{complain, crash, paper};
use crate::container::{self, Onlooker, Peeled, Settings};
use crate::error::Result;
use crate::image::Growing;
use crate::parallel;
use crate::policy::Baseline;
use crate::report::{Builder, Policy, Report, Scanned};
use crate::scan::{self, Ahead, Engine, Options};
use crate::vault::FingerprintKey;

/// How every input is scanned.
pub struct Sweep<'a> {
    /// With what.
    pub engine: &'a Engine,
    /// How containers are unpacked.
    pub settings: Settings,
    /// Whether the report keeps the secrets themselves.
    pub show_secrets: bool,
    /// What is told how far it is.
    pub bar: &'a Bar,
}

impl Sweep<'_> {
    /// Scans the inputs. A baseline comes with the file that it was read from.
    ///
    /// # Errors
    /// When `SOURCE_DATE_EPOCH` is no time. What goes wrong with an input is told in the report.
    pub fn run(
        &self,
        inputs: Vec<Input>,
        policy: Policy,
        fingerprints: Option<FingerprintKey>,
        baseline: Option<(String, Baseline)>,
    ) -> Result<Report> {
        let started = paper::now()?;
        let engine = self.engine;
        let mut report =
            Builder::new(engine.rules().clone(), policy).with_fingerprints(fingerprints).with_known(engine.known());
        if let Some((file, baseline)) = baseline {
            report = report.with_baseline(&file, baseline.fingerprints());
        }
        let (skipped, inputs): (Vec<Input>, Vec<Input>) =
            inputs.into_iter().partition(|i| matches!(i, Input::Skipped(_)));
        for input in skipped {
            if let Input::Skipped(skipped) = input {
                report.skip(skipped);
            }
        }
        let merged = parallel::map_in_order(
            inputs,
            |input| self.scan(input),
            |rows| {
                for scanned in rows {
                    if let Some(error) = scanned.error() {
                        self.bar.pause(|| complain("error", error));
                    }
                    report.add(scanned);
                }
                Ok::<(), Infallible>(())
            },
        );
        let Ok(()) = merged;
        Ok(Report { started, ended: paper::now()?, ..report.finish() })
    }

    /// One input, and each dump in it; whatever goes wrong with it, even a bug, is its own row and not the end of the
    /// others.
    fn scan(&self, input: Input) -> Vec<Scanned> {
        let origin = input.origin();
        let mut looking = Looking { sweep: self, rows: Vec::new(), ahead: None };
        let unpacked = crash::guard("unpacking this input", || {
            let image = input.open_beside(&self.settings, |growing| looking.growing(0, growing))?;
            container::peel_beside(image, &self.settings, &mut looking)
        });
        let mut rows = looking.rows;
        if let Err(error) = unpacked.and_then(|unpacked: Result<()>| unpacked) {
            rows.push(Scanned::failed(&origin, &error));
        }
        rows
    }

    fn scan_dump(&self, peeled: Peeled, ahead: Option<Ahead>) -> Scanned {
        let origin = peeled.image.origin().to_owned();
        let scanned = crash::guard("scanning this input", || {
            let options = Options::default();
            let map = peeled.map(&options.limits)?;
            let outcome = scan::scan_on(&peeled.image, &map, self.engine, &options, self.bar, ahead)?;
            Ok(Scanned::new(&origin, map, outcome, self.show_secrets)?.inside(peeled.containers))
        });
        scanned.and_then(|scanned| scanned).unwrap_or_else(|error| Scanned::failed(&origin, &error))
    }
}

/// What is in one input, scanned as it comes.
struct Looking<'a> {
    sweep: &'a Sweep<'a>,
    rows: Vec<Scanned>,
    /// What was looked at while it was decoded, with its number.
    ahead: Option<(u64, Ahead)>,
}

impl Onlooker for Looking<'_> {
    fn growing(&mut self, number: u64, growing: &Arc<Growing>) {
        let Sweep { engine, bar, .. } = self.sweep;
        // Should it fail, the scan of the whole dump will, and tells of it.
        let looked = crash::guard("scanning this input", || Ahead::look(growing, engine, &Options::default(), *bar));
        self.ahead = looked.ok().flatten().map(|ahead| (number, ahead));
    }

    fn peeled(&mut self, peeled: Peeled) -> Result<()> {
        let ahead = self.ahead.take().filter(|(number, _)| peeled.grown == Some(*number));
        self.rows.push(self.sweep.scan_dump(peeled, ahead.map(|(_, ahead)| ahead)));
        Ok(())
    }
}
