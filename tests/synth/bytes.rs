//! A writer of numbers and strings in either byte order.

/// The byte order of the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    /// The low `width` bytes of `value`.
    pub fn bytes(self, value: u64, width: usize) -> Vec<u8> {
        match self {
            Self::Little => value.to_le_bytes()[..width].to_vec(),
            Self::Big => value.to_be_bytes()[8 - width..].to_vec(),
        }
    }

    /// The number that four bytes are.
    pub fn u32(self, bytes: &[u8]) -> u32 {
        let four: [u8; 4] = bytes.try_into().unwrap();
        if self == Self::Little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }
    }
}

/// Bytes being written.
#[derive(Clone, Debug)]
pub struct Out {
    pub bytes: Vec<u8>,
    pub order: Order,
}

impl Out {
    /// Nothing yet.
    pub fn new(order: Order) -> Self {
        Self { bytes: Vec::new(), order }
    }

    /// How much was written: the file offset of what comes next.
    pub fn at(&self) -> usize {
        self.bytes.len()
    }

    /// `at` as an RVA.
    pub fn rva(&self) -> u32 {
        u32::try_from(self.at()).unwrap()
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.number(u64::from(value), 2);
    }

    pub fn u32(&mut self, value: u32) {
        self.number(u64::from(value), 4);
    }

    pub fn u64(&mut self, value: u64) {
        self.number(value, 8);
    }

    /// The low `width` bytes of `value`.
    pub fn number(&mut self, value: u64, width: usize) {
        let bytes = self.order.bytes(value, width);
        self.bytes.extend(bytes);
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    /// Zeros up to the next multiple of `to`.
    pub fn align(&mut self, to: usize) {
        self.zeros(self.at().next_multiple_of(to) - self.at());
    }

    /// Zeros up to the file offset `at`, which must not lie behind.
    pub fn until(&mut self, at: usize) {
        self.zeros(at.checked_sub(self.at()).unwrap());
    }

    /// A MINIDUMP_STRING: length in bytes without the NUL, UTF-16 units, NUL. Gives its RVA.
    pub fn string(&mut self, text: &str) -> u32 {
        self.align(4);
        let rva = self.rva();
        let units: Vec<u16> = text.encode_utf16().collect();
        self.u32(u32::try_from(units.len() * 2).unwrap());
        units.into_iter().for_each(|unit| self.u16(unit));
        self.u16(0);
        rva
    }
}
