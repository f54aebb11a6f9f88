/* A message whose time to live passes before it can be sent ends so and never leaves. Argument: the
 * address of a broker that takes one message at a time and acknowledges none. */
#include "check.h"

#include <sched.h>

static counter ended = COUNTER;

static void on_end(uint64_t number, mqtt_status status, const mqtt_outcome *outcome,
                   void *user_data)
{
    CHECK(number == *(const uint64_t *)user_data + 1);
    CHECK(status == MQTT_EXPIRED);
    CHECK(mqtt_outcome_reason(outcome) == -1);
    CHECK(mqtt_properties_count(mqtt_outcome_properties(outcome)) == 0);
    counter_add(&ended);
}

static uint64_t statistic(mqtt_session *session, int32_t which)
{
    uint64_t number = 0;
    CHECK_OK(mqtt_session_statistic(session, which, &number));
    return number;
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    mqtt_options *options = test_options(arguments[1], "expire");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    CHECK_OK(mqtt_options_set_time_to_live(options, 1));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));

    mqtt_publish_options *patient = NULL;
    CHECK_OK(mqtt_publish_options_new(&patient));
    CHECK_OK(mqtt_publish_options_set_qos(patient, 1));
    CHECK_OK(mqtt_publish_options_set_time_to_live(patient, MQTT_FOREVER));
    uint64_t first = 0;
    CHECK_OK(mqtt_session_publish_with(session, "demo/out", "first", 5, patient, NULL, NULL, NULL,
                                       &first));
    /* It waits behind the first: with the lifetime of the session's options, then with its own. */
    uint64_t second = 0;
    CHECK_OK(mqtt_session_publish(session, "demo/out", "late", 4, 1, 0, &second));
    CHECK_STATUS(MQTT_EXPIRED, mqtt_session_wait(session, second, CHECK_DEADLINE_MS, NULL));
    CHECK_OK(mqtt_publish_options_set_time_to_live(patient, 1));
    CHECK_OK(mqtt_session_publish_with(session, "demo/out", "late", 4, patient, on_end, &second,
                                       NULL, NULL));
    COUNTER_WAIT(&ended, 1);
    mqtt_publish_options_free(patient);
    CHECK(statistic(session, MQTT_STATISTIC_EXPIRED) == 2);
    /* It keeps its place until its handler has returned. */
    while (statistic(session, MQTT_STATISTIC_OUTGOING_MESSAGES) != 1)
        sched_yield();

    CHECK_STATUS(MQTT_CANCELLED, mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, 0));
    CHECK_STATUS(MQTT_CANCELLED, mqtt_session_wait(session, first, 0, NULL));
    CHECK(statistic(session, MQTT_STATISTIC_CANCELLED) == 1);
    mqtt_session_free(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
