//! The server's half of SCRAM-SHA-256, written from RFC 5802 on primitives of its own.

use std::num::NonZeroU32;

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use ring::{digest, hmac, pbkdf2};

/// What the server adds to the client's nonce.
const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";

/// A server that knows one user, for one exchange after another.
///
/// It keeps what a server keeps: salt, iterations, StoredKey and ServerKey, but no password.
pub struct ScramServer {
    user: String,
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
    /// The client's first message without its header, and the server's first.
    said: Option<(String, String)>,
}

impl ScramServer {
    /// A server that has stored this password; the user name is as it stands in the message.
    ///
    /// # Panics
    /// For zero iterations.
    pub fn new(user: &str, password: &str, iterations: u32) -> Self {
        let salt = b"a salt of the test".to_vec();
        let count = NonZeroU32::new(iterations).expect("some iterations");
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, count, &salt, password.as_bytes(), &mut salted);
        let stored_key = digest::digest(&digest::SHA256, &sign(&salted, "Client Key"));
        Self {
            user: user.to_owned(),
            salt,
            iterations,
            stored_key: stored_key.as_ref().to_vec(),
            server_key: sign(&salted, "Server Key"),
            said: None,
        }
    }

    /// The server's first message.
    ///
    /// # Errors
    /// What is wrong with the client's.
    pub fn first(&mut self, client_first: &[u8]) -> Result<String, String> {
        let message = std::str::from_utf8(client_first).map_err(|error| error.to_string())?;
        let bare = message.strip_prefix("n,,").ok_or("no header")?;
        let (user, nonce) = bare.split_once(",r=").ok_or("no nonce")?;
        if user.strip_prefix("n=") != Some(&self.user) {
            return Err(format!("unknown user {user}"));
        }
        if nonce.len() < 16 || !nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            return Err(format!("a nonce like {nonce:?}"));
        }
        let salt = BASE64.encode(&self.salt);
        let first = format!("r={nonce}{NONCE},s={salt},i={}", self.iterations);
        self.said = Some((bare.to_owned(), first.clone()));
        Ok(first)
    }

    /// The server's final message.
    ///
    /// # Errors
    /// What is wrong with the client's; `invalid-proof` where it does not know the password.
    ///
    /// # Panics
    /// Before [`first`](Self::first).
    pub fn last(&mut self, client_final: &[u8]) -> Result<String, String> {
        let (bare, first) = self.said.take().expect("the first message comes first");
        let message = std::str::from_utf8(client_final).map_err(|error| error.to_string())?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or("no proof")?;
        let nonce = first.strip_prefix("r=").and_then(|rest| rest.split(',').next());
        let expected = format!("c=biws,r={}", nonce.expect("made above"));
        if without_proof != expected {
            return Err(format!("{without_proof} is not {expected}"));
        }
        let proof = BASE64.decode(proof).map_err(|error| error.to_string())?;
        let signed = format!("{bare},{first},{without_proof}");
        let signature = sign(&self.stored_key, &signed);
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if digest::digest(&digest::SHA256, &client_key).as_ref() != self.stored_key {
            return Err("invalid-proof".to_owned());
        }
        Ok(format!("v={}", BASE64.encode(sign(&self.server_key, &signed))))
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3, seen from the server.
    #[test]
    fn the_example_of_the_rfc() {
        let mut server = ScramServer::new("user", "pencil", 4096);
        server.salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut salted = [0; 32];
        let count = NonZeroU32::new(4096).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, count, &server.salt, b"pencil", &mut salted);
        let client_key = sign(&salted, "Client Key");
        server.stored_key = digest::digest(&digest::SHA256, &client_key).as_ref().to_vec();
        server.server_key = sign(&salted, "Server Key");
        let bare = "n=user,r=rOprNGfwEbeRWgbNEkqO";
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        server.said = Some((bare.to_owned(), first.to_owned()));
        let last = server.last(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
              p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        );
        assert_eq!(last.unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }
}
