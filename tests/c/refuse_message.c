/* Refusing messages with a reason, by hand and because the handler failed; and what is said when an
 * acknowledgement does not come. Arguments: the address, and "refuse" or "held". */
#include "check.h"

#include <sched.h>

static counter called = COUNTER;
static counter held = COUNTER;
static mqtt_acknowledgement *first;

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)user_data;
    if (counter_value(&called) == 0)
        CHECK_OK(mqtt_message_acknowledgement(message, &first));
    else
        CHECK_OK(mqtt_message_fail(message));
    counter_add(&called);
}

static void on_event(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    if (mqtt_event_kind(event) != MQTT_EVENT_ACKNOWLEDGEMENT_HELD)
        return;
    CHECK(mqtt_event_count(event) == 1);
    CHECK(mqtt_event_status(event) == MQTT_OK);
    counter_add(&held);
}

static uint64_t statistic(mqtt_session *session, int32_t which)
{
    uint64_t number = 0;
    CHECK_OK(mqtt_session_statistic(session, which, &number));
    return number;
}

static void refuse(void)
{
    mqtt_properties *properties = NULL;
    CHECK_OK(mqtt_properties_new(&properties));
    CHECK_OK(mqtt_properties_add_text(properties, MQTT_PROPERTY_REASON_STRING, "no room"));
    CHECK_OK(mqtt_properties_add_user_property(properties, "disk", "full"));
    CHECK_OK(mqtt_acknowledgement_refuse(first, MQTT_REASON_QUOTA_EXCEEDED, properties));
    mqtt_properties_free(properties);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    mqtt_options *options = test_options(arguments[1], "refuse-message");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    CHECK_OK(mqtt_options_set_on_failure(options, MQTT_FAILURE_REFUSE,
                                         MQTT_REASON_IMPLEMENTATION_SPECIFIC_ERROR));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message, NULL,
                                    NULL, NULL));
    COUNTER_WAIT(&called, 2);
    /* The second has been handled, and keeps its place behind the first. */
    while (statistic(session, MQTT_STATISTIC_HELD_BACK) != 1)
        sched_yield();
    if (strcmp(arguments[2], "held") == 0)
        COUNTER_WAIT(&held, 1);
    refuse();
    while (statistic(session, MQTT_STATISTIC_UNACKNOWLEDGED) != 0)
        sched_yield();
    CHECK(statistic(session, MQTT_STATISTIC_HELD_BACK) == 0);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
