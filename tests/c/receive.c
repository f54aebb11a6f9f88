/* Receiving under MQTT 5.0: everything that a message shows, keeping it, and acknowledging it
 * later from another thread. Argument: the address. */
#include "check.h"

#include <sched.h>

static counter called = COUNTER;
static counter destroyed = COUNTER;
static mqtt_message *kept;
static mqtt_acknowledgement *acknowledgement;

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)user_data;
    CHECK(view_is(mqtt_message_topic(message), "demo/in"));
    CHECK(view_is(mqtt_message_payload(message), "hello"));
    CHECK(mqtt_message_qos(message) == 1);
    CHECK(mqtt_message_retain(message) == 1);
    CHECK(mqtt_message_duplicate(message) == 0);
    const mqtt_properties *properties = mqtt_message_properties(message);
    CHECK(mqtt_properties_count(properties) == 1);
    CHECK(mqtt_properties_identifier(properties, 0) == MQTT_PROPERTY_CONTENT_TYPE);
    CHECK(view_is(mqtt_properties_value(properties, 0), "text/plain"));
    CHECK(mqtt_message_properties(message) == properties);

    CHECK_OK(mqtt_message_keep(message, &kept));
    CHECK_OK(mqtt_message_acknowledgement(message, &acknowledgement));
    mqtt_acknowledgement *second = NULL;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_message_acknowledgement(message, &second));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_message_fail(message));
    counter_add(&called);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    mqtt_options *options = test_options(arguments[1], "receive");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    int32_t granted = -1;
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message,
                                    &destroyed, count_destroy, &granted));
    CHECK(granted == 1);
    COUNTER_WAIT(&called, 1);

    mqtt_message *again = NULL;
    CHECK_OK(mqtt_message_keep(kept, &again));
    mqtt_message_free(kept);
    CHECK(view_is(mqtt_message_topic(again), "demo/in"));
    CHECK(view_is(mqtt_message_payload(again), "hello"));
    CHECK(view_is(mqtt_properties_value(mqtt_message_properties(again), 0), "text/plain"));
    mqtt_acknowledgement *none = NULL;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_message_acknowledgement(again, &none));
    mqtt_message_free(again);

    CHECK_OK(mqtt_acknowledgement_send(acknowledgement));
    /* It leaves when the handler has returned, too. */
    for (uint64_t left = 1; left != 0; sched_yield())
        CHECK_OK(mqtt_session_statistic(session, MQTT_STATISTIC_UNACKNOWLEDGED, &left));
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(counter_value(&destroyed) == 1);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
