/* Starting things without waiting, then waiting for them; subscribing to several filters; events
 * and log lines. Argument: the address of a broker that serves. */
#include "check.h"

static counter connected = COUNTER;
static counter disconnected = COUNTER;
static counter logged = COUNTER;
static counter destroyed = COUNTER;

static void on_event(const mqtt_event *event, void *user_data)
{
    CHECK(user_data == &destroyed);
    switch (mqtt_event_kind(event)) {
    case MQTT_EVENT_CONNECTED:
        CHECK(mqtt_event_session_present(event) == 0);
        CHECK(view_is(mqtt_event_client_id(event), "operation"));
        CHECK(mqtt_properties_count(mqtt_event_properties(event)) == 0);
        counter_add(&connected);
        break;
    case MQTT_EVENT_DISCONNECTED:
        CHECK(mqtt_event_status(event) == MQTT_OK);
        counter_add(&disconnected);
        break;
    default:
        break;
    }
}

static void on_log(int32_t level, const char *text, void *user_data)
{
    CHECK(level >= MQTT_LOG_ERROR && level <= MQTT_LOG_DEBUG);
    CHECK(text[0] != '\0');
    CHECK(user_data == &destroyed);
    counter_add(&logged);
}

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

static void finish(mqtt_operation *operation)
{
    CHECK_OK(mqtt_operation_wait(operation, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_operation_wait(operation, 0));
    mqtt_operation_free(operation);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    CHECK_OK(mqtt_library_set_log(MQTT_LOG_DEBUG, on_log, &destroyed, count_destroy));
    mqtt_session *session = test_session(test_options(arguments[1], "operation"));
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, &destroyed, count_destroy));
    mqtt_operation *operation = NULL;
    CHECK_OK(mqtt_session_connect_start(session, &operation));
    finish(operation);
    COUNTER_WAIT(&connected, 1);

    const char *const filters[] = {"demo/one", "demo/+/two", "demo/#"};
    int32_t results[] = {-1, -1, -1};
    CHECK_OK(mqtt_session_subscribe_many(session, filters, 3, NULL, CHECK_DEADLINE_MS, on_message,
                                         &destroyed, count_destroy, results));
    for (int i = 0; i < 3; i++)
        CHECK(results[i] == 0);
    uint64_t subscriptions = 0;
    CHECK_OK(mqtt_session_statistic(session, MQTT_STATISTIC_SUBSCRIPTIONS, &subscriptions));
    CHECK(subscriptions == 3);

    CHECK_OK(mqtt_session_unsubscribe_start(session, "demo/one", &operation));
    finish(operation);
    CHECK(counter_value(&destroyed) == 0);
    CHECK_OK(mqtt_session_unsubscribe_all_start(session, &operation));
    finish(operation);
    COUNTER_WAIT(&destroyed, 1);

    CHECK_OK(mqtt_session_publish(session, "demo/out", "hello", 5, 2, 0, NULL));
    CHECK_OK(mqtt_session_flush_start(session, &operation));
    finish(operation);
    CHECK_OK(mqtt_session_disconnect_start(session, MQTT_REASON_SUCCESS, MQTT_FOREVER, NULL,
                                           &operation));
    finish(operation);
    COUNTER_WAIT(&disconnected, 1);
    mqtt_session_free(session);
    CHECK(counter_value(&destroyed) == 2);
    CHECK_OK(mqtt_library_set_log(MQTT_LOG_OFF, NULL, NULL, NULL));
    CHECK(counter_value(&destroyed) == 3);
    CHECK(counter_value(&logged) > 0);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
