//! A look into a store that no session has open.

use std::{
    ffi::{CString, c_char, c_void},
    path::Path,
    sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError},
};

use mqttsession::{
    client::{Store, StoreSummary, stores},
    error::{Code, Error, Result},
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{self, Inside, UserData, mqtt_destroy},
    handle::{self, Output},
    library::{self, Born},
    status::mqtt_status,
    stored_message::{mqtt_stored_message, unix_milliseconds},
    value::{self, mqtt_view},
};

/// Own messages that have not ended.
pub const MQTT_STORE_STATISTIC_MESSAGES: i32 = 1;
/// The bytes of their packets.
pub const MQTT_STORE_STATISTIC_BYTES: i32 = 2;
/// Those of them that may have been sent.
pub const MQTT_STORE_STATISTIC_IN_FLIGHT: i32 = 3;
/// Those of them that the broker has taken (QoS 2) and that only have to be completed.
pub const MQTT_STORE_STATISTIC_RELEASED: i32 = 4;
/// When the oldest of them was accepted: milliseconds since the beginning of 1970, UTC; 0 when there
/// is none.
pub const MQTT_STORE_STATISTIC_OLDEST_MS: i32 = 5;
/// Received messages of QoS 2 that the broker has not released.
pub const MQTT_STORE_STATISTIC_RECEIVED: i32 = 6;
/// Subscriptions that the broker had granted (mqtt_store_subscription).
pub const MQTT_STORE_STATISTIC_SUBSCRIPTIONS: i32 = 7;
/// The highest message number given so far.
pub const MQTT_STORE_STATISTIC_LAST_NUMBER: i32 = 8;
/// The bytes that its files take.
pub const MQTT_STORE_STATISTIC_SIZE: i32 = 9;

/// The store of one client id, opened to be looked into. No session can open it meanwhile.
pub struct mqtt_store {
    opened: RwLock<Opened>,
    born: Born,
}

/// Is shown the client ids of a directory, one after the other.
///
/// @param client_id Borrowed. The client id, NUL-terminated; valid until the function returns.
/// @param user_data Borrowed. The user data of the triple.
pub type mqtt_store_list_handler =
    Option<unsafe extern "C" fn(client_id: *const c_char, user_data: *mut c_void)>;

/// Is shown the messages of a store, one after the other.
///
/// @param message Borrowed. Valid until the function returns.
/// @param user_data Borrowed. The user data of the triple.
/// @return Yes to be shown the next; no when it has seen enough.
pub type mqtt_stored_message_handler = Option<
    unsafe extern "C" fn(message: *const mqtt_stored_message, user_data: *mut c_void) -> i32,
>;

/// Lists the client ids that have a store below a directory.
///
/// @param directory Borrowed. The directory, as mqtt_options_set_store was given it.
/// @param handler Callback. Called for each of them, on this thread, before the function returns.
/// @param user_data Taken. Its user data.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @return MQTT_OK, also when there is no such directory yet; MQTT_INVALID_UTF8; MQTT_STORE_FAILED
///         when it cannot be read.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_list(
    directory: *const c_char,
    handler: mqtt_store_list_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
) -> mqtt_status {
    boundary(|| {
        let user_data = UserData::new(user_data, destroy);
        // SAFETY: a text of the caller's, by the conventions.
        let directory = unsafe { value::text(directory, "directory") }?;
        let handler = handler.ok_or_else(|| handle::null("handler"))?;
        let _inside = Inside::enter();
        for client_id in stores(Path::new(directory))? {
            // A client id holds no NUL [MQTT-1.5.4-2].
            let client_id = CString::new(client_id).unwrap_or_default();
            // SAFETY: the triple is the caller's promise; the text outlives the call.
            unsafe { handler(client_id.as_ptr(), user_data.data) };
        }
        Ok(())
    })
}

/// Opens the store of a client id to look into it. It changes nothing, and makes none.
///
/// @param directory Borrowed. The directory, as mqtt_options_set_store was given it.
/// @param client_id Borrowed. The client id.
/// @param store Output. The store; free it with mqtt_store_free.
/// @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_STORE_FAILED where there is none, or it cannot be read;
///         MQTT_STORE_LOCKED while a session or another look has it open, in this process or another;
///         MQTT_STORE_READ_ONLY; MQTT_STORE_CORRUPT; MQTT_STORE_VERSION; MQTT_STORE_FOREIGN.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_open(
    directory: *const c_char,
    client_id: *const c_char,
    store: *mut *mut mqtt_store,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { open(directory, client_id, store, Store::open) }
}

/// Opens a damaged store: takes what can be read for the whole. The damaged files stay, under names
/// that end with ".damaged". A store that is not damaged is just opened.
///
/// @param directory Borrowed. The directory, as mqtt_options_set_store was given it.
/// @param client_id Borrowed. The client id.
/// @param store Output. The store; free it with mqtt_store_free.
/// @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_STORE_FAILED where there is none, or it cannot be read or
///         written; MQTT_STORE_LOCKED; MQTT_STORE_FULL; MQTT_STORE_READ_ONLY; MQTT_STORE_VERSION;
///         MQTT_STORE_FOREIGN.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_repair(
    directory: *const c_char,
    client_id: *const c_char,
    store: *mut *mut mqtt_store,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { open(directory, client_id, store, Store::repair) }
}

/// Closes a store: sessions can open it again. Inside a callback it is closed when that has returned.
///
/// @param store Taken. The store, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_free(store: *mut mqtt_store) {
    boundary_or((), || {
        // SAFETY: the caller's store, by the conventions.
        match unsafe { handle::take(store) } {
            // What the parent of a fork has open is left alone.
            Some(store) if store.born.is_inherited() => std::mem::forget(store),
            // A handler may free the store whose messages it is being shown.
            Some(store) => callback::drop_outside(store),
            None => {}
        }
        Ok(())
    });
}

/// Gives one of the numbers about what a store holds.
///
/// @param store Borrowed. The store.
/// @param which Value. An MQTT_STORE_STATISTIC_...
/// @param number Output. Its value.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for one that does not exist.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_statistic(
    store: *const mqtt_store,
    which: i32,
    number: *mut u64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a store of the caller's, by the conventions.
        let opened = unsafe { mqtt_store::borrow(store) }?.read();
        let place = Output::required(number, "number")?;
        let summary = &opened.summary;
        let number = match which {
            MQTT_STORE_STATISTIC_MESSAGES => summary.messages as u64,
            MQTT_STORE_STATISTIC_BYTES => summary.bytes,
            MQTT_STORE_STATISTIC_IN_FLIGHT => summary.in_flight as u64,
            MQTT_STORE_STATISTIC_RELEASED => summary.released as u64,
            MQTT_STORE_STATISTIC_OLDEST_MS => {
                summary.oldest.map_or(0, |oldest| unix_milliseconds(oldest).unsigned_abs())
            }
            MQTT_STORE_STATISTIC_RECEIVED => summary.received as u64,
            MQTT_STORE_STATISTIC_SUBSCRIPTIONS => summary.subscriptions.len() as u64,
            MQTT_STORE_STATISTIC_LAST_NUMBER => summary.last_number,
            MQTT_STORE_STATISTIC_SIZE => summary.size,
            _ => return Err(value::out_of_range(which.into(), "which")),
        };
        // SAFETY: the caller's place for a number.
        unsafe { place.write(number) };
        Ok(())
    })
}

/// Gives the filter of a subscription that the broker had granted.
///
/// @param store Borrowed. The store.
/// @param place Value. Which of them, from 0; MQTT_STORE_STATISTIC_SUBSCRIPTIONS says how many there
///        are.
/// @return The filter, valid until the store is cleared or freed; empty when there is no such place,
///         and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_subscription(
    store: *const mqtt_store,
    place: usize,
) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: a store of the caller's, by the conventions.
        let opened = unsafe { mqtt_store::borrow(store) }?.read();
        let filter = opened.summary.subscriptions.get(place);
        Ok(filter.map_or(mqtt_view::EMPTY, |filter| mqtt_view::new(filter.as_bytes())))
    })
}

/// Shows the own messages that have not ended, in the order of their numbers.
///
/// @param store Borrowed. The store.
/// @param handler Callback. Called for each of them, on this thread, before the function returns,
///        until it answers no.
/// @param user_data Taken. Its user data.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @return MQTT_OK, also when the handler has seen enough.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_messages(
    store: *const mqtt_store,
    handler: mqtt_stored_message_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
) -> mqtt_status {
    boundary(|| {
        // Before all that it keeps alive, so that it ends after it.
        let _inside = Inside::enter();
        let user_data = UserData::new(user_data, destroy);
        // SAFETY: a store of the caller's, by the conventions.
        let opened = unsafe { mqtt_store::borrow(store) }?.read();
        let handler = handler.ok_or_else(|| handle::null("handler"))?;
        for message in opened.store.messages() {
            let message = mqtt_stored_message::new(message);
            // SAFETY: the triple is the caller's promise; the message outlives the call.
            if unsafe { handler(&raw const message, user_data.data) } == 0 {
                break;
            }
        }
        Ok(())
    })
}

/// Writes the own messages that have not ended into a new file, one JSON object a line: `number`,
/// `state`, `accepted` and `expires` in milliseconds since 1970, `topic`, `qos`, `retain`, `payload`
/// in base64, `user_properties` and the other `properties` by name.
///
/// @param store Borrowed. The store.
/// @param file Borrowed. The path of the file, which must not be there yet.
/// @param count Output, optional. How many messages were written.
/// @return MQTT_OK; MQTT_INVALID_UTF8; MQTT_STORE_FAILED, also when there is such a file already;
///         MQTT_STORE_FULL; MQTT_STORE_READ_ONLY.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_export(
    store: *const mqtt_store,
    file: *const c_char,
    count: *mut usize,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a store of the caller's, by the conventions.
        let opened = unsafe { mqtt_store::borrow(store) }?.read();
        // SAFETY: a text of the caller's, by the conventions.
        let file = unsafe { value::text(file, "file") }?;
        let written = opened.store.export(Path::new(file))?;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(count).write(written) };
        Ok(())
    })
}

/// Forgets every message, received message and subscription; the numbers go on from where they were.
///
/// @param store Borrowed. The store.
/// @return MQTT_OK; MQTT_BUSY while its messages are being shown or exported; MQTT_STORE_FULL;
///         MQTT_STORE_READ_ONLY; MQTT_STORE_FAILED.
/// @threads Any.
/// @callbacks Any; in one that mqtt_store_messages calls for this store it answers MQTT_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_store_clear(store: *mut mqtt_store) -> mqtt_status {
    boundary(|| {
        // SAFETY: a store of the caller's, by the conventions.
        let store = unsafe { mqtt_store::borrow(store) }?;
        let mut opened = match store.opened.try_write() {
            Ok(opened) => opened,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(Code::Busy, "The store is being looked at"));
            }
        };
        opened.store.clear()?;
        opened.summary = opened.store.summary();
        Ok(())
    })
}

struct Opened {
    store: Store,
    /// Kept, because its texts are shown to C.
    summary: StoreSummary,
}

impl mqtt_store {
    /// Borrows a store for a call. In a child of the process that opened it, where its lock does not
    /// hold, it is refused.
    ///
    /// # Safety
    /// The pointer is NULL or points to a store that lives for `'a`.
    unsafe fn borrow<'a>(store: *const Self) -> Result<&'a Self> {
        // SAFETY: the caller's promise.
        let store = unsafe { handle::borrow(store, "store") }?;
        if store.born.is_inherited() { Err(Code::Forked.into()) } else { Ok(store) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Opened> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several threads may use a store at the same time.
const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<mqtt_store>();
};

/// # Safety
/// The pointers are what C gave, and keep the conventions.
unsafe fn open(
    directory: *const c_char,
    client_id: *const c_char,
    store: *mut *mut mqtt_store,
    open: fn(&Path, &str) -> Result<Store>,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the caller's promise.
        let directory = unsafe { value::text(directory, "directory") }?;
        // SAFETY: the same.
        let client_id = unsafe { value::text(client_id, "client_id") }?;
        let place = Output::required(store, "store")?;
        library::watch_forks();
        let store = open(Path::new(directory), client_id)?;
        let summary = store.summary();
        let opened = RwLock::new(Opened { store, summary });
        // SAFETY: the caller's place for a pointer.
        unsafe { place.write(handle::give(mqtt_store { opened, born: Born::now() })) };
        Ok(())
    })
}
