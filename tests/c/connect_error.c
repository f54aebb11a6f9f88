/* A connect that fails says in its own words why. Arguments: the address, the name of the status,
 * the layer, the time limit in milliseconds, and optionally a file with the authority to trust. */
#include "check.h"

static counter lost = COUNTER;

static void on_event(const mqtt_event *event, void *user_data)
{
    int32_t kind = mqtt_event_kind(event);
    if (kind != MQTT_EVENT_LOST && kind != MQTT_EVENT_DISCONNECTED)
        return;
    CHECK(strcmp(mqtt_status_name(mqtt_event_status(event)), user_data) == 0);
    CHECK(mqtt_last_error_status() == mqtt_event_status(event));
    CHECK(mqtt_last_error_message()[0] != '\0');
    counter_add(&lost);
}

int main(int count, char **arguments)
{
    CHECK(count >= 5);
    mqtt_options *options = test_options(arguments[1], "connect-error");
    CHECK_OK(mqtt_options_set_user_name(options, "somebody"));
    CHECK_OK(mqtt_options_set_password(options, "unguessable", 11));
    CHECK_OK(mqtt_options_set_connect_timeout(options, atoi(arguments[4])));
    if (count > 5)
        CHECK_OK(mqtt_options_add_tls_authority_file(options, arguments[5]));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, arguments[2], NULL));

    mqtt_status status = mqtt_session_connect(session, CHECK_DEADLINE_MS);
    printf("%s: %s (%s)\n", mqtt_status_name(status), mqtt_last_error_message(),
           mqtt_last_error_cause());
    CHECK(strcmp(mqtt_status_name(status), arguments[2]) == 0);
    CHECK(strcmp(mqtt_last_error_layer(), arguments[3]) == 0);
    CHECK(strstr(mqtt_last_error_message(), "unguessable") == NULL);
    CHECK(strstr(mqtt_last_error_cause(), "unguessable") == NULL);
    mqtt_status failure = MQTT_OK;
    CHECK_OK(mqtt_session_last_failure(session, &failure));
    CHECK(failure == status);
    int32_t state = -1;
    CHECK_OK(mqtt_session_state(session, &state));
    CHECK(state == MQTT_STATE_DISCONNECTED);
    mqtt_session_free(session);
    CHECK(counter_value(&lost) >= 1);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
