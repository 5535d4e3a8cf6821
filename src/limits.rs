//! Budgets. What a file asks for is *spent* from a budget before anything is allocated; when it is spent, that becomes a
//! [`crate::error::Gap`] in the report, never a silent end.

/// How much of the machine one scan may use. The defaults keep a scan below 256 MiB whatever the input's size.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Regions, streams, threads and modules that a map may hold, together.
    pub map_records: usize,
    /// Different secrets that are kept in the vault at once.
    pub secrets: usize,
    /// Bytes of secrets in the vault.
    pub secret_bytes: usize,
    /// Sites that are kept in memory; more are spilled to an unlinked temporary file.
    pub sites_in_memory: usize,
    /// Public keys and certificates kept as clues.
    pub clues: usize,
    /// Pairs of regions that are stitched at one address where regions overlap.
    pub stitches_per_seam: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            map_records: 500_000,
            secrets: 100_000,
            secret_bytes: 32 << 20,
            sites_in_memory: 400_000,
            clues: 20_000,
            stitches_per_seam: 16,
        }
    }
}

/// A number that only goes down.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    left: usize,
}

impl Budget {
    /// A budget of `total` units.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { left: total }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// The units that are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Takes `units`, or all that is left and says no: what was too dear leaves nothing for others.
    pub fn take(&mut self, units: usize) -> bool {
        let enough = units <= self.left;
        self.left = self.left.saturating_sub(units);
        enough
    }

    /// Takes `units`, or takes nothing and says no.
    #[must_use]
    pub fn spend(&mut self, units: usize) -> bool {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_budget_refuses_what_it_does_not_have() {
        let mut budget = Budget::new(3);
        assert!(budget.spend(2));
        assert!(!budget.spend(2));
        assert!(budget.spend(1));
        assert!(!budget.spend(1));
    }
}
