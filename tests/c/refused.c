/* A refused subscription is a failure of that call: nothing granted, the user data destroyed, the
 * session goes on. Argument: the address of a broker that refuses it. */
#include "check.h"

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    counter destroyed = COUNTER;
    mqtt_session *session = connected_session(arguments[1], "refused");
    int32_t granted = 77;
    CHECK_STATUS(MQTT_SUBSCRIBE_REFUSED,
                 mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message,
                                        &destroyed, count_destroy, &granted));
    CHECK(granted == 77);
    CHECK(strcmp(mqtt_last_error_layer(), "broker") == 0);
    COUNTER_WAIT(&destroyed, 1);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(counter_value(&destroyed) == 1);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
