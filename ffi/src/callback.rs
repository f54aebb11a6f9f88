//! Callbacks: function, user data and destroy.

use std::{
    any::Any,
    borrow::Borrow,
    cell::{Cell, RefCell},
    ffi::c_void,
};

use mqttsession::{
    client::{Completion, Handled, Handler, Message, Outcome},
    error::Result,
};

use crate::{
    error, handle,
    message::mqtt_message,
    outcome::mqtt_outcome,
    status::{MQTT_OK, mqtt_status},
};

/// Ends the user data of a callback triple: called exactly once, after the last call of the
/// function has returned; where bytes are lent with the triple, when the library has stopped looking
/// at them, too.
///
/// @param user_data Taken. The user data of the triple; yours again from here on, as are lent bytes.
pub type mqtt_destroy = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Receives the messages of a subscription.
///
/// A message of QoS 1 or 2 is acknowledged to the broker when its handlers have returned, unless
/// the handler took the acknowledgement (mqtt_message_acknowledgement) or reported a failure
/// (mqtt_message_fail).
///
/// @param message Borrowed. Valid until the function returns; mqtt_message_keep keeps it longer.
/// @param user_data Borrowed. The user data of the triple.
pub type mqtt_message_handler =
    Option<unsafe extern "C" fn(message: *const mqtt_message<'_>, user_data: *mut c_void)>;

/// Is told, exactly once, how a publish has ended.
///
/// @param number Value. The number of the message.
/// @param status Value. MQTT_OK when it was written (QoS 0) or acknowledged (QoS 1 and 2), else
///        the reason why not, about which mqtt_last_error_message says more.
/// @param outcome Borrowed. What the broker answered; valid until the function returns.
/// @param user_data Borrowed. The user data of the triple.
pub type mqtt_publish_handler = Option<
    unsafe extern "C" fn(
        number: u64,
        status: mqtt_status,
        outcome: *const mqtt_outcome,
        user_data: *mut c_void,
    ),
>;

/// The user data of a triple with its destroy, which its drop calls.
///
/// A function that is given a triple wraps it as its first statement, so that no path leaves
/// without the destroy.
pub(crate) struct UserData {
    pub(crate) data: *mut c_void,
    destroy: mqtt_destroy,
}

// SAFETY: the header says that callbacks, and therefore their user data, move between threads.
unsafe impl Send for UserData {}
// SAFETY: the same; the core calls a session's callbacks one at a time.
unsafe impl Sync for UserData {}

impl UserData {
    pub(crate) fn new(data: *mut c_void, destroy: mqtt_destroy) -> Self {
        Self { data, destroy }
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            let _inside = Inside::enter();
            // SAFETY: the triple is the caller's promise, and this drop runs once.
            unsafe { destroy(self.data) };
        }
    }
}

/// A C function as the handler of a subscription.
pub(crate) struct MessageHandler {
    function: unsafe extern "C" fn(*const mqtt_message<'_>, *mut c_void),
    user_data: UserData,
}

impl MessageHandler {
    pub(crate) fn new(function: mqtt_message_handler, user_data: UserData) -> Result<Self> {
        let function = function.ok_or_else(|| handle::null("handler"))?;
        Ok(Self { function, user_data })
    }
}

impl Handler for MessageHandler {
    #[inline]
    fn handle(&self, message: &Message<'_>) -> Handled {
        let _inside = Inside::enter();
        let message = mqtt_message::received(message);
        // SAFETY: the triple is the caller's promise; the message lives until the call returns.
        unsafe { (self.function)(&raw const message, self.user_data.data) };
        message.handled()
    }
}

type PublishHandler = unsafe extern "C" fn(u64, mqtt_status, *const mqtt_outcome, *mut c_void);

/// A C function as the completion of a publish; without a function only the destroy remains.
pub(crate) fn completion(
    function: mqtt_publish_handler,
    user_data: impl Borrow<UserData> + Send + 'static,
) -> Option<Completion> {
    let function = function?;
    let UserData { data, destroy } = *user_data.borrow();
    if destroy.is_none() {
        return Some(Completion::from_pointers(call_back, [function as *mut (), data.cast()]));
    }
    Some(Completion::new(move |number, outcome| {
        // Captured whole, so that the destroy comes after the call.
        let user_data: &UserData = user_data.borrow();
        tell(function, user_data.data, number, outcome);
    }))
}

fn call_back([function, data]: [*mut (); 2], number: u64, outcome: Outcome) {
    // SAFETY: this is what `completion` made a pointer of.
    let function = unsafe { std::mem::transmute::<*mut (), PublishHandler>(function) };
    tell(function, data.cast(), number, outcome);
}

fn tell(function: PublishHandler, user_data: *mut c_void, number: u64, outcome: Outcome) {
    let _inside = Inside::enter();
    let outcome = mqtt_outcome::new(outcome);
    let status = match outcome.error() {
        None => MQTT_OK,
        Some(error) => error::remember(error.clone()),
    };
    // SAFETY: the triple is the caller's promise; the outcome outlives the call.
    unsafe { function(number, status, &raw const outcome, user_data) };
}

/// Marks this thread as being inside a callback, for as long as it lives.
pub(crate) struct Inside(());

impl Inside {
    #[inline]
    pub(crate) fn enter() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Self(())
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        let outermost = DEPTH.with(|depth| {
            depth.set(depth.get() - 1);
            depth.get() == 0
        });
        if outermost && PENDING.with(Cell::get) {
            drop_freed();
        }
    }
}

/// Whether this thread is inside a callback of any session.
pub(crate) fn is_inside() -> bool {
    DEPTH.get() > 0
}

/// Drops a freed object: now, or, inside a callback, when the outermost callback has returned. So
/// long the handle stays valid there.
pub(crate) fn drop_outside(object: impl Any) {
    if !is_inside() {
        return drop(object);
    }
    PENDING.with(|pending| pending.set(true));
    FREED.with_borrow_mut(|freed| freed.push(Box::new(object)));
}

#[cold]
fn drop_freed() {
    PENDING.with(|pending| pending.set(false));
    // Taken out first: a drop may run a destroy, which may free more.
    drop(FREED.take());
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    // Apart from the list, because a thread-local with a destructor is dearer to look at.
    static PENDING: Cell<bool> = const { Cell::new(false) };
    static FREED: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use std::{
        rc::Rc,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use mqttsession::error::Code;

    use super::*;

    unsafe extern "C" fn count(user_data: *mut c_void) {
        // SAFETY: the tests give a counter that outlives the triple.
        let counter = unsafe { &*user_data.cast::<AtomicUsize>() };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn destroy_runs_once_when_the_function_is_missing() {
        let destroyed = AtomicUsize::new(0);
        let user_data = UserData::new((&raw const destroyed).cast_mut().cast(), Some(count));
        assert!(MessageHandler::new(None, user_data).is_err());
        assert_eq!(destroyed.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_completion_destroys_after_its_call_or_when_it_is_dropped_unused() {
        unsafe extern "C" fn done(
            _: u64,
            _: mqtt_status,
            _: *const mqtt_outcome,
            user_data: *mut c_void,
        ) {
            // SAFETY: as in `count`.
            let counter = unsafe { &*user_data.cast::<AtomicUsize>() };
            assert_eq!(counter.load(Ordering::Relaxed), 0, "destroyed before the call");
        }
        for called in [true, false] {
            let destroyed = AtomicUsize::new(0);
            let user_data = UserData::new((&raw const destroyed).cast_mut().cast(), Some(count));
            let completion = completion(Some(done), user_data).unwrap();
            assert_eq!(destroyed.load(Ordering::Relaxed), 0);
            match called {
                true => completion.call(1, Err(Code::Cancelled.into())),
                false => drop(completion),
            }
            assert_eq!(destroyed.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn what_is_freed_in_a_callback_lives_until_the_outermost_has_returned() {
        let object = Rc::new(());
        let outer = Inside::enter();
        let inner = Inside::enter();
        drop_outside(Rc::clone(&object));
        drop(inner);
        assert_eq!(Rc::strong_count(&object), 2);
        drop(outer);
        assert_eq!(Rc::strong_count(&object), 1);
        drop_outside(Rc::clone(&object));
        assert_eq!(Rc::strong_count(&object), 1);
    }
}
