//! Wrong use: calls with arguments that cannot be, or at the wrong moment. Each has its code, and a
//! sentence that names the argument and the cure.

mod argument;
mod moment;
mod option;

use mqttsession::error::{Code, Result};

#[track_caller]
fn assert_told(what: &str, result: Result<()>, code: Code, sentence: &str) {
    let error = result.expect_err(what);
    assert_eq!((error.code(), error.message()), (code, sentence), "{what}");
}
