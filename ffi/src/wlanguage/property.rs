//! The properties by name: English or French, accents or not, upper or lower case.

use mqttsession::error::{Code, Error, Result};

/// A property of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    Address,
    Port,
    Option,
    ConnectionTimeout,
    User,
    UserPassword,
    PrivateKey,
    PrivateKeyPassword,
    ClientId,
    CleanSession,
    CaCertificate,
    StoreDirectory,
    ProtocolVersion,
}

impl Property {
    /// The property of a name.
    pub(super) fn named(name: &str) -> Result<Self> {
        let folded = fold(name);
        let found = NAMES.iter().find(|(known, _)| *known == folded);
        found.map(|&(_, property)| property).ok_or_else(|| {
            Error::new(Code::InvalidOption, format!("mqttSession has no property `{name}`"))
        })
    }

    /// The English name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Address => "Address",
            Self::Port => "Port",
            Self::Option => "Option",
            Self::ConnectionTimeout => "ConnectionTimeout",
            Self::User => "User",
            Self::UserPassword => "UserPassword",
            Self::PrivateKey => "PrivateKey",
            Self::PrivateKeyPassword => "PrivateKeyPassword",
            Self::ClientId => "ClientID",
            Self::CleanSession => "CleanSession",
            Self::CaCertificate => "CACertificate",
            Self::StoreDirectory => "StoreDirectory",
            Self::ProtocolVersion => "ProtocolVersion",
        }
    }
}

/// Every name, folded.
const NAMES: [(&str, Property); 26] = [
    ("address", Property::Address),
    ("adresse", Property::Address),
    ("port", Property::Port),
    ("option", Property::Option),
    ("connectiontimeout", Property::ConnectionTimeout),
    ("delaiconnexion", Property::ConnectionTimeout),
    ("timeoutconnexion", Property::ConnectionTimeout),
    ("user", Property::User),
    ("utilisateur", Property::User),
    ("userpassword", Property::UserPassword),
    ("motdepasseutilisateur", Property::UserPassword),
    ("privatekey", Property::PrivateKey),
    ("cleprivee", Property::PrivateKey),
    ("privatekeypassword", Property::PrivateKeyPassword),
    ("motdepassecleprivee", Property::PrivateKeyPassword),
    ("clientid", Property::ClientId),
    ("idclient", Property::ClientId),
    ("cleansession", Property::CleanSession),
    ("sessionpropre", Property::CleanSession),
    ("sessionvide", Property::CleanSession),
    ("cacertificate", Property::CaCertificate),
    ("certificatac", Property::CaCertificate),
    ("storedirectory", Property::StoreDirectory),
    ("repertoirestockage", Property::StoreDirectory),
    ("protocolversion", Property::ProtocolVersion),
    ("versionprotocole", Property::ProtocolVersion),
];

/// Lower case without accents, whether they are one character with their letter or stand after it.
fn fold(name: &str) -> String {
    let combining = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
    let bare = |c| match c {
        'à' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        other => other,
    };
    name.trim().chars().flat_map(char::to_lowercase).filter(|c| !combining(c)).map(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_accents_or_not_and_any_case() {
        for name in
            ["CléPrivée", "ClePrivee", "CLÉPRIVÉE", "cle\u{301}prive\u{301}e", " PrivateKey"]
        {
            assert_eq!(Property::named(name).unwrap(), Property::PrivateKey, "{name}");
        }
        assert_eq!(Property::named("DélaiConnexion").unwrap(), Property::ConnectionTimeout);
        assert_eq!(Property::named("RépertoireStockage").unwrap(), Property::StoreDirectory);
    }

    #[test]
    fn an_unknown_name_is_refused_by_name() {
        let error = Property::named("Adress").unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
        assert!(error.to_string().contains("`Adress`"));
    }

    #[test]
    fn each_name_in_the_table_is_folded_and_each_english_one_is_in_it() {
        for (name, property) in NAMES {
            assert_eq!(fold(name), name);
            assert_eq!(Property::named(property.name()).unwrap(), property);
        }
    }
}
