/* Everything that a caller can do wrong with a session and the library: a clear status, no crash,
 * outputs untouched. Needs no broker. */
#include "check.h"

int main(void)
{
    mqtt_session *session = NULL;
    CHECK_OK(mqtt_session_new(NULL, &session));
    uint64_t number = 77;
    int32_t small = 77;
    size_t count = 77;
    mqtt_operation *operation = UNTOUCHED;
    mqtt_outcome *outcome = UNTOUCHED;
    mqtt_message *answer = UNTOUCHED;
    mqtt_connection *connection = UNTOUCHED;
    const char *const filters[] = {"a/+", BAD_UTF8};

    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_connect(NULL, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_connect(session, -7));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_connect_start(session, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_connect_start(NULL, &operation));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_disconnect(NULL, 0, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_disconnect(session, 256, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_disconnect(session, 3, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_disconnect_start(session, 0, 0, NULL, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_publish(NULL, "a", "", 0, 0, 0, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_publish(session, NULL, "", 0, 0, 0, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_publish(session, "a", NULL, 1, 0, 0, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_publish(session, "a", "", SIZE_MAX, 0, 0, &number));
    CHECK_STATUS(MQTT_INVALID_QOS, mqtt_session_publish(session, "a", "", 0, 3, 0, &number));
    CHECK_STATUS(MQTT_INVALID_QOS, mqtt_session_publish(session, "a", "", 0, -1, 0, &number));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_session_publish(session, BAD_UTF8, "", 0, 0, 0, &number));
    CHECK_STATUS(MQTT_INVALID_TOPIC, mqtt_session_publish(session, "", "", 0, 0, 0, &number));
    CHECK_STATUS(MQTT_INVALID_TOPIC, mqtt_session_publish(session, "a/+", "", 0, 0, 0, &number));
    CHECK_STATUS(MQTT_NOT_CONNECTED, mqtt_session_publish(session, "a", "", 0, 0, 0, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_wait(NULL, 1, 0, &outcome));
    CHECK_STATUS(MQTT_UNKNOWN_MESSAGE, mqtt_session_wait(session, 12345, 0, &outcome));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_flush(NULL, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_flush_start(session, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_unsubscribe(session, NULL, 0));
    CHECK_STATUS(MQTT_INVALID_FILTER, mqtt_session_unsubscribe(session, "a/#/b", 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_unsubscribe_start(session, "a", NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_unsubscribe_all(NULL, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_unsubscribe_all_start(session, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_unsubscribe_many(NULL, filters, 1, NULL, 0, &small));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_unsubscribe_many(session, NULL, 1, NULL, 0, &small));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_unsubscribe_many(session, filters, 0, NULL, 0, &small));
    CHECK_STATUS(MQTT_INVALID_UTF8,
                 mqtt_session_unsubscribe_many(session, filters, 2, NULL, 0, &small));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_unsubscribe_many_start(session, filters, 1, NULL, NULL));
    CHECK_STATUS(MQTT_INVALID_UTF8,
                 mqtt_session_unsubscribe_many_start(session, filters, 2, NULL, &operation));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_request(NULL, "a", "", 0, NULL, 1, &answer));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_request(session, NULL, "", 0, NULL, 1, &answer));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_request(session, "a", NULL, 1, NULL, 1, &answer));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_request(session, "a", "", 0, NULL, 0, &answer));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_request(session, "a", "", 0, NULL, 1, NULL));
    CHECK_STATUS(MQTT_NOT_SUPPORTED,
                 mqtt_session_request(session, "a", "", 0, NULL, 1, &answer));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_request_start(session, "a", "", 0, NULL, 1, NULL));
    CHECK_STATUS(MQTT_NOT_SUPPORTED,
                 mqtt_session_request_start(session, "a", "", 0, NULL, 1, &operation));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_reply(NULL, NULL, "", 0, NULL, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_reply(session, NULL, "", 0, NULL, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_reauthenticate(NULL, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_reauthenticate(session, -2));
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_reauthenticate(session, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_reauthenticate_start(session, NULL));
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_reauthenticate_start(session, &operation));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_connection(NULL, &connection));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_connection(session, NULL));
    CHECK_STATUS(MQTT_NOT_CONNECTED, mqtt_session_connection(session, &connection));
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_poll(session, 0, 0, &count));
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_descriptor(session, &small));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_descriptor(session, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_state(session, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_state(NULL, &small));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_last_failure(session, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_statistic(session, 99, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_statistic(session, MQTT_STATISTIC_PUBLISHED, NULL));
    CHECK(number == 77 && small == 77 && count == 77 && operation == UNTOUCHED);
    CHECK(outcome == UNTOUCHED && answer == UNTOUCHED && connection == UNTOUCHED);

    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_library_set_io_threads(0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_library_set_callback_threads(-1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_library_shutdown(-2));
    mqtt_session_free(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
