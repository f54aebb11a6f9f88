/* Publishing with each quality of service: completion once, wait, flush, statistics, and a wait
 * that passes. Arguments: the address, and "ended", or "unanswered" for a broker that never
 * acknowledges. */
#include "check.h"

static counter ended = COUNTER;
static counter destroyed = COUNTER;
static mqtt_status outcome = 1;

static void on_end(uint64_t number, mqtt_status status, const mqtt_outcome *how, void *user_data)
{
    CHECK(number > 0);
    CHECK(user_data == &destroyed);
    CHECK(counter_value(&destroyed) == counter_value(&ended));
    CHECK(mqtt_outcome_status(how) == status);
    CHECK((status == MQTT_OK) == (mqtt_outcome_reason(how) >= 0));
    CHECK((status == MQTT_OK) == (mqtt_outcome_message(how)[0] == '\0'));
    outcome = status;
    counter_add(&ended);
}

static void check_ended(mqtt_session *session)
{
    mqtt_publish_options *options = NULL;
    CHECK_OK(mqtt_publish_options_new(&options));
    uint64_t last = 0;
    for (int32_t qos = 0; qos <= 2; qos++) {
        uint64_t number = 0;
        CHECK_OK(mqtt_publish_options_set_qos(options, qos));
        CHECK_OK(mqtt_session_publish_with(session, "demo/out", "hello", 5, options, on_end,
                                           &destroyed, count_destroy, &number));
        CHECK(number > last);
        last = number;
        mqtt_outcome *how = NULL;
        CHECK_OK(mqtt_session_wait(session, number, CHECK_DEADLINE_MS, &how));
        CHECK(mqtt_outcome_reason(how) == MQTT_REASON_SUCCESS);
        mqtt_outcome_free(how);
        COUNTER_WAIT(&ended, qos + 1);
        COUNTER_WAIT(&destroyed, qos + 1);
        CHECK(outcome == MQTT_OK);
    }
    mqtt_publish_options_free(options);
    CHECK_OK(mqtt_session_flush(session, CHECK_DEADLINE_MS));
    uint64_t published = 0;
    CHECK_OK(mqtt_session_statistic(session, MQTT_STATISTIC_PUBLISHED, &published));
    CHECK(published == 3);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
}

static void check_unanswered(mqtt_session *session)
{
    mqtt_publish_options *options = NULL;
    CHECK_OK(mqtt_publish_options_new(&options));
    CHECK_OK(mqtt_publish_options_set_qos(options, 1));
    uint64_t number = 0;
    CHECK_OK(mqtt_session_publish_with(session, "demo/out", "hello", 5, options, on_end,
                                       &destroyed, count_destroy, &number));
    mqtt_publish_options_free(options);
    mqtt_outcome *how = NULL;
    CHECK_STATUS(MQTT_TIMEOUT, mqtt_session_wait(session, number, 0, &how));
    CHECK_STATUS(MQTT_TIMEOUT, mqtt_session_wait(session, number, 10, &how));
    CHECK_STATUS(MQTT_TIMEOUT, mqtt_session_flush(session, 10));
    CHECK(how == NULL);
    CHECK(counter_value(&ended) == 0);
    /* Disconnecting gives it up, after its callback; freeing has nothing left to do. */
    CHECK_STATUS(MQTT_CANCELLED, mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, 10));
    mqtt_session_free(session);
    CHECK(counter_value(&ended) == 1);
    CHECK(counter_value(&destroyed) == 1);
    CHECK(outcome == MQTT_CANCELLED);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    mqtt_session *session = connected_session(arguments[1], "publish");
    if (strcmp(arguments[2], "ended") == 0)
        check_ended(session);
    else
        check_unanswered(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
