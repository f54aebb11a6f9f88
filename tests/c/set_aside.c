/* Messages that are set aside, so that the connection goes on. Arguments: the address, and
 * "outgoing" for one that no connection survives, or "incoming" for one that is too large. */
#include "check.h"

static counter aside = COUNTER;
static counter received = COUNTER;

static void on_outgoing(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    if (mqtt_event_kind(event) != MQTT_EVENT_SET_ASIDE) {
        CHECK(mqtt_event_number(event) == 0 && mqtt_event_size(event) == 0);
        return;
    }
    CHECK(mqtt_event_status(event) == MQTT_SET_ASIDE);
    CHECK(mqtt_event_number(event) == 1);
    CHECK(view_is(mqtt_event_topic(event), "demo/out"));
    CHECK(mqtt_event_size(event) > strlen("demo/out"));
    counter_add(&aside);
}

static void on_incoming(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    if (mqtt_event_kind(event) != MQTT_EVENT_SET_ASIDE)
        return;
    CHECK(mqtt_event_status(event) == MQTT_PACKET_TOO_LARGE);
    CHECK(mqtt_event_number(event) == 0);
    CHECK(view_is(mqtt_event_topic(event), "demo/in"));
    CHECK(mqtt_event_size(event) > 50);
    counter_add(&aside);
}

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)user_data;
    CHECK(view_is(mqtt_message_payload(message), "small"));
    counter_add(&received);
}

static void check_statistic(mqtt_session *session, int32_t which)
{
    uint64_t number = 0;
    CHECK_OK(mqtt_session_statistic(session, which, &number));
    CHECK(number == 1);
}

static void outgoing(mqtt_session *session)
{
    CHECK_OK(mqtt_session_set_event_handler(session, on_outgoing, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    uint64_t number = 0;
    CHECK_OK(mqtt_session_publish(session, "demo/out", "poison", 6, 1, 0, &number));
    CHECK_STATUS(MQTT_SET_ASIDE, mqtt_session_wait(session, number, CHECK_DEADLINE_MS, NULL));
    COUNTER_WAIT(&aside, 1);
    check_statistic(session, MQTT_STATISTIC_SET_ASIDE);
    CHECK_OK(mqtt_session_publish(session, "demo/out", "food", 4, 1, 0, &number));
    CHECK_OK(mqtt_session_wait(session, number, CHECK_DEADLINE_MS, NULL));
}

static void incoming(mqtt_session *session)
{
    CHECK_OK(mqtt_session_set_event_handler(session, on_incoming, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message, NULL,
                                    NULL, NULL));
    COUNTER_WAIT(&received, 2);
    COUNTER_WAIT(&aside, 1);
    check_statistic(session, MQTT_STATISTIC_INCOMING_SET_ASIDE);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    mqtt_options *options = test_options(arguments[1], "set-aside");
    CHECK_OK(mqtt_options_set_clean_session(options, 0));
    CHECK_OK(mqtt_options_set_reconnect_delay(options, 1, 1));
    CHECK_OK(mqtt_options_set_set_aside_after(options, 2));
    CHECK_OK(mqtt_options_set_maximum_packet_size(options, 50));
    mqtt_session *session = test_session(options);
    if (strcmp(arguments[2], "outgoing") == 0)
        outgoing(session);
    else
        incoming(session);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
