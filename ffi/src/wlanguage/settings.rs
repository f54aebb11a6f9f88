//! The values of the properties, and the options that they come to.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use mqttsession::{
    client::{Material, Options},
    error::{Code, Error, Result},
    protocol::{Property as MqttProperty, Version},
};

use super::{constant::mqttOption, property::Property};

/// What the properties say.
#[derive(Clone)]
pub(super) struct Settings {
    address: String,
    port: Option<u16>,
    ssl: bool,
    connection_timeout: Duration,
    user: String,
    user_password: String,
    private_key: String,
    private_key_password: String,
    client_id: String,
    /// What was set; nothing until then.
    clean_session: Option<bool>,
    ca_certificate: String,
    store_directory: String,
    version: Version,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: String::new(),
            port: None,
            ssl: false,
            connection_timeout: Duration::from_secs(10),
            user: String::new(),
            user_password: String::new(),
            private_key: String::new(),
            private_key_password: String::new(),
            client_id: String::new(),
            clean_session: None,
            ca_certificate: String::new(),
            store_directory: String::new(),
            version: Version::V311,
        }
    }
}

impl Settings {
    /// How long a call of the object may wait.
    pub(super) fn connection_timeout(&self) -> Duration {
        self.connection_timeout
    }

    /// Whether messages survive the process.
    pub(super) fn has_store(&self) -> bool {
        !self.store_directory.is_empty()
    }

    /// What CleanSession comes to. Who asks for a store and says nothing of it expects what QoS 2
    /// promises, which needs the broker's memory, too.
    fn clean_session(&self) -> bool {
        self.clean_session.unwrap_or(!self.has_store())
    }

    /// Sets a property.
    pub(super) fn set(&mut self, property: Property, value: &str) -> Result<()> {
        let unsuitable = || unsuitable(property, value);
        match property {
            Property::Address => value.trim().clone_into(&mut self.address),
            Property::Port => {
                let port: u16 = value.trim().parse().map_err(|_| unsuitable())?;
                self.port = (port != 0).then_some(port);
            }
            Property::Option => self.ssl = option(value).ok_or_else(unsuitable)?,
            Property::ConnectionTimeout => {
                self.connection_timeout = duration(value).ok_or_else(unsuitable)?;
            }
            Property::User => value.clone_into(&mut self.user),
            Property::UserPassword => value.clone_into(&mut self.user_password),
            Property::PrivateKey => value.clone_into(&mut self.private_key),
            Property::PrivateKeyPassword => value.clone_into(&mut self.private_key_password),
            Property::ClientId => value.clone_into(&mut self.client_id),
            Property::CleanSession => {
                self.clean_session = Some(boolean(value).ok_or_else(unsuitable)?);
            }
            Property::CaCertificate => value.clone_into(&mut self.ca_certificate),
            Property::StoreDirectory => value.clone_into(&mut self.store_directory),
            Property::ProtocolVersion => self.version = version(value).ok_or_else(unsuitable)?,
        }
        Ok(())
    }

    /// A property as text.
    pub(super) fn text(&self, property: Property) -> Result<String> {
        Ok(match property {
            Property::UserPassword | Property::PrivateKeyPassword => return Err(secret(property)),
            Property::PrivateKey if is_pem_text(&self.private_key) => return Err(secret(property)),
            Property::Address => self.address.clone(),
            Property::Port => self.port.unwrap_or(if self.ssl { 8883 } else { 1883 }).to_string(),
            Property::Option => (if self.ssl { "optionSSL" } else { "0" }).to_owned(),
            Property::ConnectionTimeout => duration_text(self.connection_timeout),
            Property::User => self.user.clone(),
            Property::PrivateKey => self.private_key.clone(),
            Property::ClientId => self.client_id.clone(),
            Property::CleanSession => self.clean_session().to_string(),
            Property::CaCertificate => self.ca_certificate.clone(),
            Property::StoreDirectory => self.store_directory.clone(),
            Property::ProtocolVersion => self.version.name().to_owned(),
        })
    }

    /// The options of a session.
    pub(super) fn options(&self) -> Result<Options> {
        if self.client_id.is_empty() {
            return Err(Error::new(
                Code::InvalidClientId,
                "The property ClientID must not be empty",
            ));
        }
        let mut options = Options::new();
        self.say_where(&mut options)?;
        self.say_who(&mut options)?;
        options.set_version(self.version).set_clean_session(self.clean_session());
        options.set_connect_timeout(self.connection_timeout)?;
        if self.has_store() {
            options.set_store(Some(Path::new(&self.store_directory)))?;
        }
        if !self.clean_session() {
            // A session that is not clean lasts; under 5.0 it would else end with the connection.
            options.add_connect_property(MqttProperty::SessionExpiryInterval(u32::MAX))?;
        }
        Ok(options)
    }

    fn say_where(&self, options: &mut Options) -> Result<()> {
        if self.address.contains("://") {
            options.set_address(&self.address)?;
        } else {
            options.set_host(&self.address)?;
        }
        if self.ssl {
            options.set_tls(true);
        }
        if let Some(port) = self.port {
            options.set_port(port)?;
        }
        if !self.ca_certificate.is_empty() {
            options.add_tls_authority(pem(&self.ca_certificate));
        }
        Ok(())
    }

    fn say_who(&self, options: &mut Options) -> Result<()> {
        let given = |text: &str| !text.is_empty();
        options.set_client_id(&self.client_id)?;
        options.set_user_name(Some(self.user.as_str()).filter(|text| given(text)))?;
        let password = Some(self.user_password.as_str()).filter(|text| given(text));
        options.set_password(password.map(str::as_bytes))?;
        if given(&self.private_key) {
            let (certificate, key) = certificate_and_key(&self.private_key);
            let password = Some(self.private_key_password.as_str()).filter(|text| given(text));
            options.set_tls_certificate(certificate, key, password);
        }
        Ok(())
    }
}

/// One file or text with both, or `certificate;key`.
fn certificate_and_key(value: &str) -> (Material, Option<Material>) {
    match value.split_once(';') {
        Some((certificate, key)) => (pem(certificate.trim()), Some(pem(key.trim()))),
        None => (pem(value), None),
    }
}

fn pem(value: &str) -> Material {
    if is_pem_text(value) {
        Material::Memory(value.as_bytes().to_vec())
    } else {
        Material::File(PathBuf::from(value))
    }
}

fn is_pem_text(value: &str) -> bool {
    value.contains("-----BEGIN ")
}

fn option(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "0" | "" => Some(false),
        "optionssl" => Some(true),
        number => (number.parse() == Ok(mqttOption::optionSSL as i32)).then_some(true),
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "vrai" => Some(true),
        "0" | "false" | "faux" => Some(false),
        _ => None,
    }
}

fn version(value: &str) -> Option<Version> {
    match value.trim() {
        "3.1" => Some(Version::V31),
        "3.1.1" => Some(Version::V311),
        "5" | "5.0" => Some(Version::V5),
        _ => None,
    }
}

/// Seconds, or a number with its unit; more than nothing.
fn duration(value: &str) -> Option<Duration> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let milliseconds = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" => 1,
        "" | "s" => 1000,
        "min" | "mn" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    // A year is more than anybody waits, and far from where clocks overflow.
    let longest = 365 * 24 * 3_600_000;
    let total = number.checked_mul(milliseconds).filter(|total| (1..=longest).contains(total))?;
    Some(Duration::from_millis(total))
}

fn duration_text(duration: Duration) -> String {
    match duration.as_millis() {
        whole if whole % 1000 == 0 => format!("{} s", whole / 1000),
        milliseconds => format!("{milliseconds} ms"),
    }
}

fn unsuitable(property: Property, value: &str) -> Error {
    let name = property.name();
    Error::new(Code::InvalidOption, format!("The property {name} cannot be `{value}`"))
}

fn secret(property: Property) -> Error {
    let name = property.name();
    Error::new(
        Code::InvalidOption,
        format!("The property {name} is a secret and is not given back"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        let cases = [
            ("10", Some(10_000)),
            ("10 s", Some(10_000)),
            ("500 ms", Some(500)),
            ("500ms", Some(500)),
            ("1 min", Some(60_000)),
            (" 2 H ", Some(7_200_000)),
            ("0", None),
            ("-1", None),
            ("", None),
            ("s", None),
            ("10 parsecs", None),
            ("99999999999999999999 s", None),
            ("18446744073709551615 h", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn what_was_set_is_read_back_except_secrets() {
        let mut settings = Settings::default();
        for (property, value, text) in [
            (Property::Address, " broker ", "broker"),
            (Property::Option, "optionSSL", "optionSSL"),
            (Property::Port, "0", "8883"),
            (Property::Port, "1234", "1234"),
            (Property::ConnectionTimeout, "1 min", "60 s"),
            (Property::ConnectionTimeout, "1500 ms", "1500 ms"),
            (Property::CleanSession, "FAUX", "false"),
            (Property::ProtocolVersion, "5", "5.0"),
            (Property::PrivateKey, "client.pem;client.key", "client.pem;client.key"),
        ] {
            settings.set(property, value).unwrap();
            assert_eq!(settings.text(property).unwrap(), text);
        }
        settings.set(Property::PrivateKey, "-----BEGIN PRIVATE KEY-----").unwrap();
        settings.set(Property::UserPassword, "geheim").unwrap();
        for property in [Property::UserPassword, Property::PrivateKeyPassword, Property::PrivateKey]
        {
            assert!(settings.text(property).is_err(), "{property:?}");
        }
    }

    #[test]
    fn a_value_that_does_not_suit_changes_nothing() {
        let mut settings = Settings::default();
        for (property, value) in [
            (Property::Port, "65536"),
            (Property::Port, "mqtt"),
            (Property::Option, "2"),
            (Property::CleanSession, "maybe"),
            (Property::ProtocolVersion, "4"),
        ] {
            let before = settings.text(property).unwrap();
            assert_eq!(settings.set(property, value).unwrap_err().code(), Code::InvalidOption);
            assert_eq!(settings.text(property).unwrap(), before);
        }
    }

    #[test]
    fn a_client_id_is_needed_with_a_store_and_without() {
        let mut settings = Settings::default();
        settings.set(Property::Address, "localhost").unwrap();
        for directory in ["", "store"] {
            settings.set(Property::StoreDirectory, directory).unwrap();
            settings.set(Property::ClientId, "").unwrap();
            assert_eq!(settings.options().unwrap_err().code(), Code::InvalidClientId);
            settings.set(Property::ClientId, "one").unwrap();
            let options = settings.options().unwrap();
            assert_eq!(options.store().is_some(), !directory.is_empty());
        }
    }

    #[test]
    fn a_store_keeps_the_session_unless_it_is_said_to_be_clean() {
        let mut settings = Settings::default();
        let clean = |settings: &Settings| settings.text(Property::CleanSession).unwrap();
        assert_eq!(clean(&settings), "true");
        settings.set(Property::StoreDirectory, "store").unwrap();
        assert_eq!(clean(&settings), "false");
        settings.set(Property::CleanSession, "true").unwrap();
        assert_eq!(clean(&settings), "true");
        settings.set(Property::StoreDirectory, "").unwrap();
        settings.set(Property::CleanSession, "false").unwrap();
        assert_eq!(clean(&settings), "false");
    }

    #[test]
    fn a_private_key_is_one_file_two_files_or_text() {
        assert!(matches!(certificate_and_key("both.pem"), (Material::File(_), None)));
        assert!(
            matches!(certificate_and_key("a.pem; b.key"), (Material::File(_), Some(Material::File(key)))
            if key.as_os_str() == "b.key")
        );
        assert!(matches!(
            certificate_and_key("-----BEGIN CERTIFICATE-----"),
            (Material::Memory(_), None)
        ));
    }
}
