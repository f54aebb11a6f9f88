/* Reconnecting as the options say. Arguments: the address, and what to do: "retry" after a refusal
 * that the table would stop at; "follow" a broker to another server, whose address comes third;
 * "stay" instead. */
#include "check.h"

static counter lost = COUNTER;
static counter redirected = COUNTER;
static const char *elsewhere;

static void check_lost(const mqtt_event *event)
{
    const mqtt_properties *properties = mqtt_event_properties(event);
    CHECK(mqtt_event_status(event) == MQTT_NOT_AUTHORIZED);
    CHECK(mqtt_last_error_reason_code() == MQTT_REASON_NOT_AUTHORIZED);
    CHECK(strcmp(mqtt_last_error_reason_string(), "come back") == 0);
    int64_t place = mqtt_properties_find(properties, MQTT_PROPERTY_REASON_STRING, 0);
    CHECK(place >= 0 && view_is(mqtt_properties_value(properties, (size_t)place), "come back"));
    place = mqtt_properties_find(properties, MQTT_PROPERTY_USER_PROPERTY, 0);
    CHECK(place >= 0 && view_is(mqtt_properties_name(properties, (size_t)place), "when"));
}

static void check_redirected(const mqtt_event *event)
{
    char address[100];
    snprintf(address, sizeof address, "mqtt://%s", elsewhere);
    CHECK(view_is(mqtt_event_address(event), address));
}

static void on_event(const mqtt_event *event, void *user_data)
{
    const char *what = user_data;
    switch (mqtt_event_kind(event)) {
    case MQTT_EVENT_LOST:
        if (strcmp(what, "retry") == 0)
            check_lost(event);
        counter_add(&lost);
        break;
    case MQTT_EVENT_REDIRECTED:
        check_redirected(event);
        counter_add(&redirected);
        break;
    default:
        CHECK(mqtt_event_address(event).size == 0);
        break;
    }
}

static void retry(mqtt_session *session)
{
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&lost, 2);
}

static void follow(mqtt_session *session)
{
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&redirected, 1);
}

static void stay(mqtt_session *session)
{
    CHECK_STATUS(MQTT_SERVER_MOVED, mqtt_session_connect(session, CHECK_DEADLINE_MS));
    CHECK(strcmp(mqtt_last_error_server_reference(), elsewhere) == 0);
    CHECK(mqtt_properties_find(mqtt_last_error_properties(), MQTT_PROPERTY_SERVER_REFERENCE, 0) ==
          0);
    CHECK(counter_value(&redirected) == 0);
}

int main(int count, char **arguments)
{
    CHECK(count >= 3);
    char *what = arguments[2];
    elsewhere = count > 3 ? arguments[3] : "";
    mqtt_options *options = test_options(arguments[1], "reconnect");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    CHECK_OK(mqtt_options_set_reconnect_delay(options, 1, 1));
    CHECK_OK(mqtt_options_set_retry(options, MQTT_NOT_AUTHORIZED, 1));
    CHECK_OK(mqtt_options_set_retry_first_connect(options, strcmp(what, "retry") == 0));
    CHECK_OK(mqtt_options_set_redirect_limit(options, strcmp(what, "follow") == 0));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, what, NULL));
    if (strcmp(what, "retry") == 0)
        retry(session);
    else if (strcmp(what, "follow") == 0)
        follow(session);
    else
        stay(session);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
