//! Why something that the program wants is not sent.

use crate::{
    error::{Code, Error},
    protocol::EncodeError,
};

/// Why a message was not accepted.
#[derive(Debug)]
pub enum Refused {
    /// A limit has been reached; it may be accepted later.
    Full,
    /// It cannot be accepted.
    Because(Error),
}

/// The error of what cannot be encoded; `what` begins the sentence, for instance `The message`.
pub(super) fn unsendable(what: &str, error: EncodeError) -> Error {
    let code = match error {
        EncodeError::PacketTooLarge => Code::PayloadTooLarge,
        EncodeError::NotInVersion(_) => Code::NotSupported,
        EncodeError::FieldTooLong | EncodeError::Forbidden(_) => Code::InvalidArgument,
    };
    Error::new(code, format!("{what} cannot be sent: {error}"))
}
