//! Bytes with secrets planted in them: memory, streams, slack.

/// Bytes, and where in them something was planted.
#[derive(Clone, Debug, Default)]
pub struct Blob {
    pub bytes: Vec<u8>,
    pub plants: Vec<Plant>,
}

/// Something planted. `part` is set for a piece of a secret that was cut: how many of the secret's bytes come before it.
#[derive(Clone, Debug)]
pub struct Plant {
    pub name: String,
    pub part: Option<usize>,
    pub at: usize,
    pub len: usize,
}

/// A run of memory.
#[derive(Clone, Debug)]
pub struct Memory {
    pub address: u64,
    pub blob: Blob,
}

/// A stream that is nothing but its bytes.
#[derive(Clone, Debug)]
pub struct RawStream {
    pub kind: u32,
    pub blob: Blob,
}

impl Blob {
    /// These bytes, nothing planted.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), plants: Vec::new() }
    }

    /// Bytes that look like nothing: no runs, no text of length, the same for the same seed.
    pub fn noise(len: usize, seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        Self::new((0..len).map(|_| next()).collect::<Vec<u8>>())
    }

    /// Overwrites the bytes from `at` on with `secret` and remembers it as `name`.
    pub fn plant(mut self, at: usize, name: &str, secret: &[u8]) -> Self {
        self.put(at, name, None, secret);
        self
    }

    fn put(&mut self, at: usize, name: &str, part: Option<usize>, secret: &[u8]) {
        self.bytes[at..at + secret.len()].copy_from_slice(secret);
        self.plants.push(Plant { name: name.to_owned(), part, at, len: secret.len() });
    }
}

impl Memory {
    /// These bytes at `address`.
    pub fn new(address: u64, bytes: impl Into<Vec<u8>>) -> Self {
        Self { address, blob: Blob::new(bytes) }
    }

    /// `len` zeros.
    pub fn zeros(address: u64, len: usize) -> Self {
        Self::new(address, vec![0; len])
    }

    /// `len` bytes of [`Blob::noise`].
    pub fn noise(address: u64, len: usize, seed: u64) -> Self {
        Self { address, blob: Blob::noise(len, seed) }
    }

    /// Overwrites the bytes from `at` on with `secret` and remembers it as `name`.
    pub fn plant(mut self, at: usize, name: &str, secret: &[u8]) -> Self {
        self.blob.put(at, name, None, secret);
        self
    }

    /// Overwrites the bytes from `at` on with what is no secret.
    pub fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.blob.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// One past the last byte's address.
    pub fn end(&self) -> u64 {
        self.address + self.blob.bytes.len() as u64
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.blob.bytes.len()
    }

    /// Cuts the memory in two at `at`, and what is planted there with it: two regions that are neighbours in address and
    /// may stand anywhere in the file. The name of a secret that is cut must be its own.
    pub fn split(self, at: usize) -> (Self, Self) {
        let mut left = Self::new(self.address, self.blob.bytes[..at].to_vec());
        let mut right = Self::new(self.address + at as u64, self.blob.bytes[at..].to_vec());
        for plant in self.blob.plants {
            let end = plant.at + plant.len;
            if end <= at {
                left.blob.plants.push(plant);
            } else if plant.at >= at {
                right.blob.plants.push(Plant { at: plant.at - at, ..plant });
            } else {
                let (name, part, here) = (plant.name.clone(), plant.part.unwrap_or(0), at - plant.at);
                left.blob.plants.push(Plant { part: Some(part), len: here, ..plant });
                right.blob.plants.push(Plant { name, part: Some(part + here), at: 0, len: end - at });
            }
        }
        (left, right)
    }
}

impl RawStream {
    /// A stream of these bytes.
    pub fn new(kind: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self { kind, blob: Blob::new(bytes) }
    }

    /// A stream that holds `secret` behind `before`, remembered as `name`, and then `after`.
    pub fn with(kind: u32, before: &[u8], name: &str, secret: &[u8], after: &[u8]) -> Self {
        let bytes = [before, secret, after].concat();
        Self { kind, blob: Blob::new(bytes).plant(before.len(), name, secret) }
    }
}
