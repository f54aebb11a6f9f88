/* Inline callbacks: what would have to wait answers MQTT_WOULD_DEADLOCK at once, and the same thing
 * started with an operation works. Argument: the address of a broker that serves. */
#include "check.h"

static mqtt_session *session;
static counter called = COUNTER;
static counter ended = COUNTER;
static counter destroyed = COUNTER;

static void on_end(const mqtt_operation *operation, mqtt_status status, void *user_data)
{
    (void)user_data;
    CHECK_STATUS(MQTT_OK, status);
    int32_t granted = -1;
    CHECK_OK(mqtt_operation_granted(operation, 0, &granted));
    CHECK(granted >= 0);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_operation_granted(operation, 1, &granted));
    counter_add(&ended);
}

static void on_other(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
    counter_add(&called);
    if (counter_value(&called) > 1)
        return;
    uint64_t number = 0;
    CHECK_OK(mqtt_session_publish(session, "demo/out", "hello", 5, 1, 0, &number));
    CHECK_STATUS(MQTT_WOULD_DEADLOCK, mqtt_session_wait(session, number, 1000, NULL));
    CHECK_STATUS(MQTT_WOULD_DEADLOCK, mqtt_session_flush(session, 1000));
    const char *const filter = "demo/more";
    mqtt_operation *operation = NULL;
    CHECK_OK(mqtt_session_subscribe_start(session, &filter, 1, NULL, on_other, &destroyed,
                                          count_destroy, &operation));
    CHECK_STATUS(MQTT_WOULD_DEADLOCK, mqtt_operation_wait(operation, 1000));
    CHECK_OK(mqtt_operation_on_end(operation, on_end, &destroyed, count_destroy));
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    mqtt_options *options = test_options(arguments[1], "inline");
    CHECK_OK(mqtt_options_set_dispatch(options, MQTT_DISPATCH_INLINE));
    session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message,
                                    &destroyed, count_destroy, NULL));
    COUNTER_WAIT(&ended, 1);
    COUNTER_WAIT(&called, 1000);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(counter_value(&destroyed) == 3);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
