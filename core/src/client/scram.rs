//! SCRAM-SHA-256 (RFC 5802 and RFC 7677), the client's half, without channel binding: MQTT has none.
//!
//! CONNECT carries the client's first message, the broker's AUTH its first, our AUTH the client's
//! final one; CONNACK, or the AUTH that ends a re-authentication, carries the server's final
//! message. The cryptography is aws-lc's, which TLS uses too.

use std::{num::NonZeroU32, sync::Arc};

use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use base64ct::{Base64, Encoding};
use bytes::Bytes;

use super::{AuthenticationStep, Authenticator};
use crate::{
    error::{Code, Error, Result},
    sync::Mutex,
};

/// The name of the method.
pub(super) const METHOD: &str = "SCRAM-SHA-256";

/// Fewer make the password cheap to guess (RFC 7677, section 4); more would let a hostile broker
/// keep a thread busy for minutes.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=10_000_000;

/// No channel binding, no other identity to act as.
const HEADER: &str = "n,,";

const NONCE_BYTES: usize = 18;

/// Who authenticates.
pub(super) struct User {
    /// Prepared, and with `,` and `=` in their escaped form.
    name: String,
    password: String,
}

impl User {
    /// # Errors
    /// `INVALID_OPTION` for what SASLprep forbids, and for an empty name.
    pub(super) fn new(name: &str, password: &str) -> Result<Self> {
        let name = prepared(name, "user name")?;
        if name.is_empty() {
            return Err(Error::new(Code::InvalidOption, "SCRAM needs a user name"));
        }
        let name = name.replace('=', "=3D").replace(',', "=2C");
        Ok(Self { name, password: prepared(password, "password")? })
    }
}

/// RFC 5802, section 2.2: as a stored string, so what Unicode has not assigned is forbidden.
fn prepared(text: &str, what: &str) -> Result<String> {
    match stringprep::saslprep(text) {
        Ok(prepared) => Ok(prepared.into_owned()),
        // The cause would show a piece of the password.
        Err(_) => Err(Error::new(
            Code::InvalidOption,
            format!("The {what} holds a character that SASLprep forbids"),
        )),
    }
}

/// How far an exchange has come, and what the next step needs.
enum Stage {
    Idle,
    /// The client's first message has been made; its nonce, and the part that is signed.
    First {
        nonce: String,
        bare: String,
    },
    /// The client's final message has been made.
    Final {
        server_key: Vec<u8>,
        signed: String,
    },
}

/// The authenticator of one session.
pub(super) struct Scram {
    user: Arc<User>,
    stage: Mutex<Stage>,
}

impl Authenticator for Scram {
    fn answer(&self, step: AuthenticationStep, data: Option<&[u8]>) -> Result<Option<Bytes>> {
        let mut stage = self.stage.lock();
        match (step, std::mem::replace(&mut *stage, Stage::Idle)) {
            (AuthenticationStep::Connect | AuthenticationStep::Reauthenticate, _) => {
                let (first, next) = begin(&self.user, nonce()?);
                *stage = next;
                Ok(Some(first.into()))
            }
            (AuthenticationStep::Continue, Stage::First { nonce, bare }) => {
                let (last, next) = prove(&self.user, &nonce, &bare, text(data)?)?;
                *stage = next;
                Ok(Some(last.into()))
            }
            (AuthenticationStep::Success, Stage::Final { server_key, signed }) => {
                verify(&server_key, &signed, text(data)?).map(|()| None)
            }
            // Whoever accepts before the end has not shown that it knows the password.
            (AuthenticationStep::Success, _) => {
                Err(broken("accepted before it had proved that it knows the password"))
            }
            (AuthenticationStep::Continue, _) => Err(broken("asked for more than the method has")),
        }
    }
}

impl Scram {
    pub(super) fn new(user: Arc<User>) -> Self {
        Self { user, stage: Mutex::new(Stage::Idle) }
    }
}

fn begin(user: &User, nonce: String) -> (String, Stage) {
    let bare = format!("n={},r={nonce}", user.name);
    (format!("{HEADER}{bare}"), Stage::First { nonce, bare })
}

/// The client's final message, in answer to the server's first.
fn prove(user: &User, nonce: &str, bare: &str, first: &str) -> Result<(String, Stage)> {
    let ServerFirst { nonce, salt, iterations } = ServerFirst::parse(first, nonce)?;
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        &salt,
        user.password.as_bytes(),
        &mut salted,
    );
    let salted = key(&salted);
    let client_key = hmac::sign(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let server_key = hmac::sign(&salted, b"Server Key").as_ref().to_vec();
    let without_proof = format!("c={},r={nonce}", Base64::encode_string(HEADER.as_bytes()));
    let signed = format!("{bare},{first},{without_proof}");
    let signature = hmac::sign(&key(stored_key.as_ref()), signed.as_bytes());
    let proof: Vec<u8> =
        client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, mask)| key ^ mask).collect();
    let last = format!("{without_proof},p={}", Base64::encode_string(&proof));
    Ok((last, Stage::Final { server_key, signed }))
}

/// Whether the server knows the password too; compared in constant time.
fn verify(server_key: &[u8], signed: &str, last: &str) -> Result<()> {
    if let Some(why) = last.strip_prefix("e=") {
        // What RFC 5802 names is short and plain; anything else is not shown.
        let plain = why.len() <= 64 && why.bytes().all(|byte| byte.is_ascii_graphic());
        return Err(match plain {
            true => broken(&format!("ended the exchange with the error {why}")),
            false => broken("ended the exchange with an error"),
        });
    }
    let encoded = last.split(',').next().and_then(|first| first.strip_prefix("v="));
    let encoded = encoded.ok_or_else(|| broken("sent a final message without a signature"))?;
    let signature = Base64::decode_vec(encoded)
        .map_err(|_| broken("sent a final message whose signature is no base64"))?;
    hmac::verify(&key(server_key), signed.as_bytes(), &signature)
        .map_err(|_| broken("could not prove that it knows the password: its signature is wrong"))
}

/// The server's first message.
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl<'a> ServerFirst<'a> {
    fn parse(message: &'a str, ours: &str) -> Result<Self> {
        let mut attributes = message.split(',');
        let mut next = |name: &str| {
            attributes.next().and_then(|attribute| attribute.strip_prefix(name)).ok_or_else(|| {
                // An extension that must be understood stands in front of the nonce.
                broken("sent a first message that is no plain SCRAM-SHA-256")
            })
        };
        let (nonce, salt, iterations) = (next("r=")?, next("s=")?, next("i=")?);
        // RFC 5802, section 5.1: it begins with ours and adds something, or it is another exchange's.
        if nonce.len() <= ours.len() || !nonce.starts_with(ours) {
            return Err(broken("sent a nonce that does not continue the session's"));
        }
        let salt = Base64::decode_vec(salt).map_err(|_| broken("sent a salt that is no base64"))?;
        let iterations = iterations.parse().ok().filter(|count| ITERATIONS.contains(count));
        let iterations = iterations.and_then(NonZeroU32::new).ok_or_else(|| {
            broken("asked for a number of iterations that is not between 4,096 and 10,000,000")
        })?;
        Ok(Self { nonce, salt, iterations })
    }
}

fn key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

/// What the broker sent, which is text in every step.
fn text(data: Option<&[u8]>) -> Result<&str> {
    let data = data.ok_or_else(|| broken("sent no data where the method has some"))?;
    std::str::from_utf8(data).map_err(|_| broken("sent data that is no UTF-8"))
}

fn nonce() -> Result<String> {
    let mut random = [0; NONCE_BYTES];
    rand::fill(&mut random)
        .map_err(|_| Error::new(Code::Internal, "The system gives no random bytes"))?;
    Ok(Base64::encode_string(&random))
}

fn broken(what: &str) -> Error {
    Error::new(Code::AuthenticationFailed, format!("SCRAM-SHA-256 failed: the broker {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn user() -> User {
        User::new("user", "pencil").unwrap()
    }

    fn proved() -> (Vec<u8>, String) {
        let (_, Stage::First { nonce, bare }) = begin(&user(), NONCE.to_owned()) else {
            panic!("the first step")
        };
        let (last, stage) = prove(&user(), &nonce, &bare, SERVER_FIRST).unwrap();
        assert_eq!(last, CLIENT_FINAL);
        let Stage::Final { server_key, signed } = stage else { panic!("the final step") };
        (server_key, signed)
    }

    fn refused_first(message: &str) -> String {
        let refused = prove(&user(), NONCE, "n=user,r=rOprNGfwEbeRWgbNEkqO", message);
        let error = refused.map(drop).unwrap_err();
        assert_eq!(error.code(), Code::AuthenticationFailed);
        error.to_string()
    }

    fn refused_final(message: &str) -> String {
        let (server_key, signed) = proved();
        let error = verify(&server_key, &signed, message).unwrap_err();
        assert_eq!(error.code(), Code::AuthenticationFailed);
        error.to_string()
    }

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(begin(&user(), NONCE.to_owned()).0, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (server_key, signed) = proved();
        verify(&server_key, &signed, SERVER_FINAL).unwrap();
    }

    #[test]
    fn a_server_that_does_not_know_the_password() {
        let wrong = SERVER_FINAL.replace("6rri", "7rri");
        assert!(refused_final(&wrong).contains("its signature is wrong"));
        assert!(refused_final("v=6rri").contains("its signature is wrong"));
        assert!(refused_final("v=!").contains("no base64"));
        assert!(refused_final("").contains("without a signature"));
        assert!(refused_final("e=invalid-proof").ends_with("the error invalid-proof"));
        assert!(refused_final("e=two words\u{7}").ends_with("with an error"));
    }

    #[test]
    fn a_first_message_that_is_not_the_methods() {
        for (message, why) in [
            ("r=rOprNGfwEbeRWgbNEkqO,s=AA==,i=4096", "does not continue"),
            ("r=sOprNGfwEbeRWgbNEkqOx,s=AA==,i=4096", "does not continue"),
            ("m=new,r=rOprNGfwEbeRWgbNEkqOx,s=AA==,i=4096", "no plain SCRAM"),
            ("r=rOprNGfwEbeRWgbNEkqOx,i=4096", "no plain SCRAM"),
            ("", "no plain SCRAM"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=A,i=4096", "no base64"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=AA==,i=4095", "iterations"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=AA==,i=10000001", "iterations"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=AA==,i=99999999999", "iterations"),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=AA==,i=-1", "iterations"),
        ] {
            let error = refused_first(message);
            assert!(error.contains(why), "{message}: {error}");
        }
    }

    #[test]
    fn steps_out_of_order() {
        let scram = Scram::new(Arc::new(user()));
        let answer = |step, data: &str| scram.answer(step, Some(data.as_bytes())).map(drop);
        use AuthenticationStep::{Connect, Continue, Success};
        assert!(answer(Continue, SERVER_FIRST).is_err(), "before the first message");
        assert!(answer(Success, SERVER_FINAL).is_err(), "before any");
        answer(Connect, "").unwrap();
        let early = answer(Success, SERVER_FINAL).unwrap_err();
        assert!(early.message().contains("accepted before"), "{early}");
        assert!(answer(Continue, SERVER_FIRST).is_err(), "after the exchange has failed");
        answer(Connect, "").unwrap();
        assert!(scram.answer(Continue, None).is_err(), "no data");
        answer(Connect, "").unwrap();
        assert!(scram.answer(Continue, Some(b"\xff")).is_err(), "no text");
    }

    #[test]
    fn each_exchange_has_a_nonce_of_its_own() {
        let scram = Scram::new(Arc::new(user()));
        let first = || scram.answer(AuthenticationStep::Connect, None).unwrap().unwrap();
        assert_ne!(first(), first());
    }

    #[test]
    fn names_and_passwords_are_prepared() {
        assert_eq!(User::new("a=b,c", "").unwrap().name, "a=3Db=2Cc");
        // RFC 4013, section 3: mapped to nothing, and normalised.
        assert_eq!(User::new("I\u{AD}X", "\u{2168}").unwrap().name, "IX");
        assert_eq!(User::new("I\u{AD}X", "\u{2168}").unwrap().password, "IX");
        for (name, password) in [("\u{7}", ""), ("a", "\u{627}1"), ("", "a"), ("\u{AD}", "a")] {
            let error = User::new(name, password).map(drop).unwrap_err();
            assert_eq!(error.code(), Code::InvalidOption, "{name:?} {password:?}");
        }
    }
}
