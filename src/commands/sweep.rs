//! The sweep: many inputs, each scanned, one report. `scan`, `gate` and `baseline` begin with it.

use std::convert::Infallible;

use crate::commands::inputs::Input;
use crate::commands::progress::Bar;
use crate::commands::{complain, crash};
use crate::container::{self, Peeled, Settings};
use crate::error::Result;
use crate::policy::Baseline;
use crate::report::{Builder, Policy, Report, Scanned};
use crate::scan::{self, Engine, Options, parallel};
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
    pub fn run(
        &self,
        inputs: Vec<Input>,
        policy: Policy,
        fingerprints: Option<FingerprintKey>,
        baseline: Option<(String, Baseline)>,
    ) -> Report {
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
        report.finish()
    }

    /// One input, and each dump in it; whatever goes wrong with it, even a bug, is its own row and not the end of the
    /// others.
    fn scan(&self, input: Input) -> Vec<Scanned> {
        let (origin, mut rows) = (input.origin(), Vec::new());
        let unpacked = crash::guard("unpacking this input", || {
            let image = input.open(&self.settings)?;
            container::peel(image, &self.settings, &mut |peeled| {
                rows.push(self.scan_dump(peeled));
                Ok(())
            })
        });
        if let Err(error) = unpacked.and_then(|unpacked: Result<()>| unpacked) {
            rows.push(Scanned::failed(&origin, &error));
        }
        rows
    }

    fn scan_dump(&self, peeled: Peeled) -> Scanned {
        let origin = peeled.image.origin().to_owned();
        let scanned = crash::guard("scanning this input", || {
            let options = Options::default();
            let map = peeled.map(&options.limits)?;
            let outcome = scan::scan(&peeled.image, &map, self.engine, &options, self.bar)?;
            Ok(Scanned::new(&origin, map, outcome, self.show_secrets)?.inside(peeled.containers))
        });
        scanned.and_then(|scanned| scanned).unwrap_or_else(|error| Scanned::failed(&origin, &error))
    }
}
