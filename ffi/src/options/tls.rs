//! Options: certificates and whom to trust. They have an effect with TLS only.

use std::{
    ffi::{c_char, c_void},
    path::PathBuf,
};

use mqttsession::client::Material;

use super::{mqtt_options, set};
use crate::{handle, status::mqtt_status, value};

/// Trusts the certificate authorities in a file instead of those of the system. Repeating it adds
/// more.
///
/// @param options Borrowed. The options.
/// @param path Borrowed. A file in PEM or DER, which is read anew at each connection.
/// @return MQTT_OK; MQTT_INVALID_UTF8. What is wrong with the file, mqtt_session_connect says:
///         MQTT_TLS_CREDENTIALS.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_add_tls_authority_file(
    options: *mut mqtt_options,
    path: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let path = unsafe { value::text(path, "path") }?;
        options.add_tls_authority(Material::File(PathBuf::from(path)));
        Ok(())
    })
}

/// Trusts the certificate authorities in memory instead of those of the system. Repeating it adds
/// more.
///
/// @param options Borrowed. The options.
/// @param data Borrowed. The certificates, PEM or DER.
/// @param size Value. The number of bytes.
/// @return MQTT_OK. What is wrong with them, mqtt_session_connect says: MQTT_TLS_CREDENTIALS.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_add_tls_authority_pem(
    options: *mut mqtt_options,
    data: *const c_void,
    size: usize,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: bytes of the caller's, by the conventions.
        let data = unsafe { value::bytes(data, size, "data") }?;
        options.add_tls_authority(Material::Memory(data.to_vec()));
        Ok(())
    })
}

/// Says whether the system's authorities are trusted too when others have been added.
///
/// @param options Borrowed. The options.
/// @param too Value. Yes to trust them too; no is the default.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_tls_system_authorities(
    options: *mut mqtt_options,
    too: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_tls_system_authorities(too != 0);
        Ok(())
    })
}

/// Sets the certificate and the private key with which the client shows who it is, from files
/// that are read anew at each connection: a renewed certificate needs no new session.
///
/// @param options Borrowed. The options.
/// @param certificate Borrowed. A file with the certificate and its chain, PEM or DER.
/// @param key Borrowed. A file with the private key; NULL when the certificate's file holds both.
/// @param key_password Borrowed. The password of an encrypted key, or NULL.
/// @return MQTT_OK; MQTT_INVALID_UTF8. What is wrong with the files, mqtt_session_connect says:
///         MQTT_TLS_CREDENTIALS.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_tls_certificate_files(
    options: *mut mqtt_options,
    certificate: *const c_char,
    key: *const c_char,
    key_password: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let certificate = unsafe { value::text(certificate, "certificate") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let key = unsafe { value::optional_text(key, "key") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let key_password = unsafe { value::optional_text(key_password, "key_password") }?;
        let key = key.map(|path| Material::File(PathBuf::from(path)));
        options.set_tls_certificate(Material::File(PathBuf::from(certificate)), key, key_password);
        Ok(())
    })
}

/// Sets the certificate and the private key with which the client shows who it is, from memory.
///
/// @param options Borrowed. The options.
/// @param certificate Borrowed. The certificate and its chain, PEM or DER.
/// @param certificate_size Value. The number of bytes.
/// @param key Borrowed. The private key; NULL with size 0 when the certificate holds both.
/// @param key_size Value. The number of bytes.
/// @param key_password Borrowed. The password of an encrypted key, or NULL.
/// @return MQTT_OK; MQTT_INVALID_UTF8. What is wrong with them, mqtt_session_connect says:
///         MQTT_TLS_CREDENTIALS.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_tls_certificate_pem(
    options: *mut mqtt_options,
    certificate: *const c_void,
    certificate_size: usize,
    key: *const c_void,
    key_size: usize,
    key_password: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: bytes of the caller's, by the conventions.
        let certificate = unsafe { value::bytes(certificate, certificate_size, "certificate") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let key = unsafe { value::bytes(key, key_size, "key") }?;
        // SAFETY: a text of the caller's, by the conventions.
        let key_password = unsafe { value::optional_text(key_password, "key_password") }?;
        let key = (!key.is_empty()).then(|| Material::Memory(key.to_vec()));
        let certificate = Material::Memory(certificate.to_vec());
        options.set_tls_certificate(certificate, key, key_password);
        Ok(())
    })
}

/// Sets the name that the server's certificate must hold. By default it is the host.
///
/// @param options Borrowed. The options.
/// @param name Borrowed. The name; NULL for the host.
/// @return MQTT_OK; MQTT_INVALID_UTF8.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_tls_server_name(
    options: *mut mqtt_options,
    name: *const c_char,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let name = unsafe { value::optional_text(name, "name") }?;
        options.set_tls_server_name(name);
        Ok(())
    })
}

/// Says whether the server's certificate is checked. Without it anybody between can read and
/// change everything: for experiments only.
///
/// @param options Borrowed. The options.
/// @param verify Value. Yes, the default, to check it.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_tls_verify(
    options: *mut mqtt_options,
    verify: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_tls_verify(verify != 0);
        Ok(())
    })
}
