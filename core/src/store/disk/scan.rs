//! Looks for frames behind a hole, wherever they stand.

use std::{io, sync::Arc};

use super::{
    super::File,
    frame::{self, HEAD, Head, MAGIC},
    log::Reader,
};

/// How much is looked at at once.
const WINDOW: u64 = 64 << 10;

/// Every frame of this store from a position on whose payload is whole, or whose head is, if
/// `heads_alone`; one within the payload of another is not looked for.
pub(super) fn frames(
    file: Arc<dyn File>,
    position: u64,
    salt: u32,
    heads_alone: bool,
    found: &mut dyn FnMut(Head, &[u8]),
) -> io::Result<()> {
    let mut reader = Reader::new(file, position)?;
    loop {
        let window = reader.left().min(WINDOW);
        let Some(bytes) = reader.peek(window)? else { return Ok(()) };
        let Some(at) = memchr::memmem::find(bytes, &MAGIC) else {
            // The last bytes may be the beginning of one.
            let searched = window.saturating_sub(MAGIC.len() as u64 - 1);
            if searched == 0 || window == reader.left() {
                return Ok(());
            }
            reader.skip(searched);
            continue;
        };
        reader.skip(at as u64);
        let Some(bytes) = reader.peek(HEAD as u64)? else { return Ok(()) };
        let head = Head::decode(bytes.try_into().expect("so many were asked for"), salt);
        let Some(head) = head else {
            reader.skip(1);
            continue;
        };
        let whole = (HEAD as u64).saturating_add(head.length);
        let payload = reader.peek(whole)?.map(|frame| &frame[HEAD..]);
        let payload =
            payload.filter(|payload| frame::checksum(salt, &[payload]) == head.payload_crc);
        let is_whole = payload.is_some();
        if let Some(payload) = payload {
            found(head, payload);
        } else if heads_alone {
            found(head, &[]);
        }
        reader.skip(if is_whole { whole } else { 1 });
    }
}
