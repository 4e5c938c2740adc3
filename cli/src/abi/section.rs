//! The ABI's section of a module.

use anyhow::{Context, Result, ensure};
use tollway_host_api::Abi;
use tollway_host_api::abi::ABI_SECTION;

/// The module with this ABI at its end, in place of what it had.
pub(crate) fn attach(wasm: &[u8], abi: &Abi) -> Result<Vec<u8>> {
    let is_module = wasm.len() >= 8 && wasm.starts_with(b"\0asm\x01\0\0\0");
    ensure!(is_module, "it is no Wasm module");
    let (mut attached, mut rest) = (wasm[..8].to_vec(), &wasm[8..]);
    while !rest.is_empty() {
        let (section, is_abi) = split_section(&mut rest).context("its sections are broken")?;
        if !is_abi {
            attached.extend_from_slice(section);
        }
    }
    let mut content = Vec::new();
    push_leb(&mut content, ABI_SECTION.len());
    content.extend_from_slice(ABI_SECTION.as_bytes());
    content.extend_from_slice(&borsh::to_vec(abi)?);
    attached.push(0);
    push_leb(&mut attached, content.len());
    attached.extend_from_slice(&content);
    Ok(attached)
}

/// Takes a section off the front: its bytes, and whether it is an ABI's.
fn split_section<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let start = *rest;
    let (id, tail) = start.split_first()?;
    let mut content = tail;
    let size = take_leb(&mut content)?;
    let (mut content, after) = content.split_at_checked(size)?;
    *rest = after;
    let name = *id == 0 && {
        let length = take_leb(&mut content)?;
        content.get(..length)? == ABI_SECTION.as_bytes()
    };
    Some((&start[..start.len() - after.len()], name))
}

fn take_leb(input: &mut &[u8]) -> Option<usize> {
    let mut number = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}

fn push_leb(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_modules_are_refused() {
        let abi = crate::inspect::fixture::token();
        for bytes in [
            &b""[..],
            b"\0asm",
            b"\0asm\x01\0\0\0\0",
            b"\0asm\x01\0\0\0\0\x05ab",
            b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\xff\xff",
            b"\0asm\x01\0\0\0\0\x01\x09",
        ] {
            assert!(attach(bytes, &abi).is_err(), "{bytes:?}");
        }
        let once = attach(b"\0asm\x01\0\0\0", &abi).expect("it is a module");
        assert_eq!(attach(&once, &abi).expect("it is a module"), once);
    }
}
