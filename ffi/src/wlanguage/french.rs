//! The same functions by their French names.

use std::ffi::{c_char, c_void};

use super::{
    function::{
        MQTTConnect, MQTTDisconnect, MQTTErrorInfo, MQTTPublish, MQTTSubscribe, MQTTUnsubscribe,
        MQTTUnsubscribeAll, mqttMessageProcedure, mqttPublishProcedure,
    },
    session::mqttSession,
};

/// MQTTConnect.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTConnecte(session: *mut mqttSession) -> i32 {
    // SAFETY: the same promises.
    unsafe { MQTTConnect(session) }
}

/// MQTTDisconnect.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTDeconnecte(session: *mut mqttSession) -> i32 {
    // SAFETY: the same promises.
    unsafe { MQTTDisconnect(session) }
}

/// MQTTPublish.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTPublie(
    session: *mut mqttSession,
    topic: *const c_char,
    data: *const c_void,
    size: usize,
    to_store: i32,
    quality: i32,
    procedure: mqttPublishProcedure,
    user_data: *mut c_void,
) -> i64 {
    // SAFETY: the same promises.
    unsafe { MQTTPublish(session, topic, data, size, to_store, quality, procedure, user_data) }
}

/// MQTTSubscribe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTAbonne(
    session: *mut mqttSession,
    topic: *const c_char,
    quality: i32,
    procedure: mqttMessageProcedure,
    user_data: *mut c_void,
) -> i32 {
    // SAFETY: the same promises.
    unsafe { MQTTSubscribe(session, topic, quality, procedure, user_data) }
}

/// MQTTUnsubscribe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTDesabonne(session: *mut mqttSession, topic: *const c_char) -> i32 {
    // SAFETY: the same promises.
    unsafe { MQTTUnsubscribe(session, topic) }
}

/// MQTTUnsubscribeAll.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTDesabonneTout(session: *mut mqttSession) -> i32 {
    // SAFETY: the same promises.
    unsafe { MQTTUnsubscribeAll(session) }
}

/// MQTTErrorInfo.
#[unsafe(no_mangle)]
pub extern "C" fn MQTTErreurInfo() -> *const c_char {
    MQTTErrorInfo()
}
