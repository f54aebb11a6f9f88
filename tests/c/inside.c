/* Calls from inside a message callback while messages keep arriving: publish and wait, subscribe,
 * unsubscribe, flush, disconnect, free. Arguments: the address, and which. */
#include "check.h"

static mqtt_session *session;
static const char *what;
static counter called = COUNTER;
static counter done = COUNTER;
static counter destroyed = COUNTER;

static void on_inner(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

static void act(void)
{
    if (strcmp(what, "publish") == 0) {
        uint64_t number = 0;
        CHECK_OK(mqtt_session_publish(session, "demo/out", "hello", 5, 2, 0, &number));
        CHECK_OK(mqtt_session_wait(session, number, CHECK_DEADLINE_MS, NULL));
        CHECK_OK(mqtt_session_flush(session, CHECK_DEADLINE_MS));
    } else if (strcmp(what, "subscribe") == 0) {
        int32_t granted = -1;
        CHECK_OK(mqtt_session_subscribe(session, "demo/more", 1, CHECK_DEADLINE_MS, on_inner,
                                        &destroyed, count_destroy, &granted));
        CHECK(granted >= 0);
        CHECK_OK(mqtt_session_unsubscribe(session, "demo/more", CHECK_DEADLINE_MS));
    } else if (strcmp(what, "unsubscribe") == 0) {
        CHECK_OK(mqtt_session_unsubscribe(session, "demo/in", CHECK_DEADLINE_MS));
    } else if (strcmp(what, "disconnect") == 0) {
        CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    } else {
        mqtt_session_free(session);
        /* The handle is valid until this callback has returned. */
        CHECK_STATUS(MQTT_CLOSED, mqtt_session_publish(session, "demo/out", "", 0, 0, 0, NULL));
    }
}

static void on_message(const mqtt_message *message, void *user_data)
{
    CHECK(user_data == &destroyed);
    CHECK(counter_value(&destroyed) == 0 || strcmp(what, "subscribe") == 0);
    CHECK(view_is(mqtt_message_topic(message), "demo/in"));
    counter_add(&called);
    if (counter_value(&called) == 10) {
        act();
        counter_add(&done);
    }
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    what = arguments[2];
    session = connected_session(arguments[1], "inside");
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message,
                                    &destroyed, count_destroy, NULL));
    COUNTER_WAIT(&done, 1);
    if (strcmp(what, "publish") == 0 || strcmp(what, "subscribe") == 0) {
        COUNTER_WAIT(&called, 1000);
    }
    if (strcmp(what, "free") != 0) {
        CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
        mqtt_session_free(session);
    }
    COUNTER_WAIT(&destroyed, strcmp(what, "subscribe") == 0 ? 2 : 1);
    CHECK(mqtt_library_live_objects() == 0);
    CHECK_OK(mqtt_library_shutdown(CHECK_DEADLINE_MS));
    return 0;
}
