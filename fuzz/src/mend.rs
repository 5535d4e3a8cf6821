//! Checksums that stand before the data of a container and that no fuzzer would guess, made right.

/// A header and the checksums that XZ guards its structure with: of the stream's header, the first block's, the index and the
/// footer (the .xz format, 2 to 4).
pub fn xz(all: &mut Vec<u8>) {
    all.resize(all.len().max(24), 0);
    all[6] = 0;
    // One of the four checks that there are.
    if ![0, 1, 4, 10].contains(&all[7]) {
        all[7] = [0, 1, 4, 10][usize::from(all[7] & 3)];
    }
    put_crc(all, 6, 8);
    let block = 12 + (usize::from(all[12]) + 1) * 4;
    if all[12] != 0 && block <= all.len() {
        put_crc(all, 12, block - 4);
    }
    let footer = all.len() - 12;
    all[footer + 10..].copy_from_slice(b"YZ");
    let (low, high) = (all[6], all[7]);
    all[footer + 8..footer + 10].copy_from_slice(&[low, high]);
    let index = (u32::from_le_bytes(all[footer + 4..footer + 8].try_into().unwrap()) as usize)
        .saturating_add(1)
        .saturating_mul(4);
    if (8..=footer.saturating_sub(12)).contains(&index) {
        put_crc(all, footer - index, footer - 4);
    }
    let crc = crc32fast::hash(&all[footer + 4..footer + 10]);
    all[footer..footer + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Writes the CRC-32 of the bytes from `from` to `to` behind them.
fn put_crc(all: &mut [u8], from: usize, to: usize) {
    let crc = crc32fast::hash(&all[from..to]);
    all[to..to + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The byte that guards the header of an LZ4 frame (LZ4 frame format, "Header Checksum").
pub fn lz4(all: &mut Vec<u8>) {
    all.resize(all.len().max(19), 0);
    // The version, which is one, and no reserved bits.
    all[4] = all[4] & 0x3d | 0x40;
    all[5] &= 0x70;
    let len = 2 + if all[4] & 8 != 0 { 8 } else { 0 } + if all[4] & 1 != 0 { 4 } else { 0 };
    all[4 + len] = (twox_hash::XxHash32::oneshot(0, &all[4..4 + len]) >> 8) as u8;
}

/// Gives every block that is not empty a right checksum: each may be a header of a tar. The first one is one, of a member
/// whose name begins with no magic number and whose size is eleven digits.
pub fn tar(all: &mut Vec<u8>) {
    all.resize(all.len().max(512), 0);
    all[0] = b'm';
    all[124..135].iter_mut().for_each(|digit| *digit = b'0' | *digit & 7);
    all[135] = 0;
    for header in all.chunks_exact_mut(512).filter(|block| block[0] != 0) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
}

/// Takes the checksums out of a cabinet's blocks: zero stands for none ([MS-CAB] 2.6). Only where nothing is reserved.
pub fn cab(all: &mut [u8]) {
    let short =
        |all: &[u8], at: usize| all.get(at..at + 2).map(|two| usize::from(u16::from_le_bytes([two[0], two[1]])));
    let folders = short(all, 26).unwrap_or(0);
    for folder in 0..folders.min(8) {
        let entry = 36 + folder * 8;
        let (Some(data), Some(blocks)) = (all.get(entry..entry + 4), short(all, entry + 4)) else { return };
        let mut at = u32::from_le_bytes(data.try_into().unwrap()) as usize;
        for _ in 0..blocks.min(64) {
            let Some(packed) = short(all, at.saturating_add(4)) else { break };
            // Not what stands in the header.
            if at >= 36 {
                all[at..at + 4].fill(0);
            }
            at += 8 + packed;
        }
    }
}
