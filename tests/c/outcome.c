/* What the broker says beside its answers reaches the program: of a publish, well and badly ended,
 * of a subscription and of an unsubscribe, for each filter. Argument: the address. */
#include "check.h"

static counter ended = COUNTER;

static int said(const mqtt_outcome *outcome, const char *words, const char *colour)
{
    const mqtt_properties *properties = mqtt_outcome_properties(outcome);
    int64_t place = mqtt_properties_find(properties, MQTT_PROPERTY_USER_PROPERTY, 0);
    return view_is(mqtt_outcome_reason_string(outcome), words) && place >= 0 &&
           view_is(mqtt_properties_name(properties, (size_t)place), "colour") &&
           view_is(mqtt_properties_value(properties, (size_t)place), colour) &&
           mqtt_properties_find(properties, MQTT_PROPERTY_REASON_STRING, 0) >= 0;
}

static void on_end(uint64_t number, mqtt_status status, const mqtt_outcome *outcome,
                   void *user_data)
{
    (void)user_data;
    CHECK(mqtt_outcome_status(outcome) == status);
    if (number == 1) {
        CHECK(status == MQTT_OK && mqtt_outcome_message(outcome)[0] == '\0');
        CHECK(mqtt_outcome_reason(outcome) == MQTT_REASON_NO_MATCHING_SUBSCRIBERS);
        CHECK(said(outcome, "nobody listens", "blue"));
    } else {
        CHECK(status == MQTT_PUBLISH_REFUSED && mqtt_outcome_message(outcome)[0] != '\0');
        CHECK(mqtt_outcome_reason(outcome) == MQTT_REASON_QUOTA_EXCEEDED);
        CHECK(said(outcome, "too much", "red"));
        CHECK(mqtt_last_error_status() == status);
        CHECK(strcmp(mqtt_last_error_reason_string(), "too much") == 0);
        CHECK(mqtt_properties_find(mqtt_last_error_properties(), MQTT_PROPERTY_USER_PROPERTY, 0) >=
              0);
    }
    counter_add(&ended);
}

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

static void publish(mqtt_session *session, uint64_t *number)
{
    mqtt_properties *properties = NULL;
    CHECK_OK(mqtt_properties_new(&properties));
    CHECK_OK(mqtt_properties_add_text(properties, MQTT_PROPERTY_CONTENT_TYPE, "text/plain"));
    CHECK_OK(mqtt_properties_add_user_property(properties, "from", "here"));
    mqtt_publish_options *options = NULL;
    CHECK_OK(mqtt_publish_options_new(&options));
    CHECK_OK(mqtt_publish_options_set_qos(options, 1));
    CHECK_OK(mqtt_publish_options_set_properties(options, properties));
    mqtt_properties_free(properties);
    CHECK_OK(mqtt_session_publish_with(session, "demo/out", "hello", 5, options, on_end, NULL,
                                       NULL, number));
    mqtt_publish_options_free(options);
}

static void publishes(mqtt_session *session)
{
    uint64_t number = 0;
    publish(session, &number);
    mqtt_outcome *outcome = NULL;
    CHECK_OK(mqtt_session_wait(session, number, CHECK_DEADLINE_MS, &outcome));
    CHECK(mqtt_outcome_reason(outcome) == MQTT_REASON_NO_MATCHING_SUBSCRIBERS);
    CHECK(said(outcome, "nobody listens", "blue"));
    mqtt_outcome_free(outcome);
    COUNTER_WAIT(&ended, 1);
    outcome = NULL;
    publish(session, &number);
    CHECK_STATUS(MQTT_PUBLISH_REFUSED,
                 mqtt_session_wait(session, number, CHECK_DEADLINE_MS, &outcome));
    CHECK(outcome == NULL);
    CHECK(mqtt_last_error_reason_code() == MQTT_REASON_QUOTA_EXCEEDED);
    CHECK(strcmp(mqtt_last_error_reason_string(), "too much") == 0);
    COUNTER_WAIT(&ended, 2);
    uint64_t refused = 0;
    CHECK_OK(mqtt_session_statistic(session, MQTT_STATISTIC_REFUSED, &refused));
    CHECK(refused == 1);
}

static void subscribes(mqtt_session *session)
{
    const char *const filters[] = {"a", "b", "c"};
    mqtt_operation *operation = NULL;
    CHECK_OK(mqtt_session_subscribe_start(session, filters, 3, NULL, on_message, NULL, NULL,
                                          &operation));
    CHECK_OK(mqtt_operation_wait(operation, CHECK_DEADLINE_MS));
    CHECK(mqtt_outcome_reason(mqtt_operation_outcome(operation, 0)) == 0);
    const mqtt_outcome *refused = mqtt_operation_outcome(operation, 1);
    CHECK(mqtt_outcome_status(refused) == MQTT_SUBSCRIBE_REFUSED);
    CHECK(mqtt_outcome_reason(refused) == MQTT_REASON_NOT_AUTHORIZED);
    CHECK(said(refused, "not b", "green"));
    CHECK(mqtt_operation_outcome(operation, 1) == refused);
    CHECK(mqtt_operation_outcome(operation, 3) == NULL);
    mqtt_message *none = NULL;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_operation_message(operation, &none));
    mqtt_operation_free(operation);
}

static void unsubscribes(mqtt_session *session)
{
    const char *const filters[] = {"a", "b", "c"};
    mqtt_properties *properties = NULL;
    CHECK_OK(mqtt_properties_new(&properties));
    CHECK_OK(mqtt_properties_add_user_property(properties, "why", "enough"));
    int32_t results[] = {77, 77, 77};
    CHECK_OK(mqtt_session_unsubscribe_many(session, filters, 3, properties, CHECK_DEADLINE_MS,
                                           results));
    CHECK(results[0] == MQTT_REASON_SUCCESS);
    CHECK(results[1] == MQTT_REASON_NO_SUBSCRIPTION_EXISTED);
    CHECK(results[2] == MQTT_UNSUBSCRIBE_REFUSED);
    mqtt_operation *operation = NULL;
    CHECK_OK(mqtt_session_unsubscribe_many_start(session, filters, 2, properties, &operation));
    mqtt_properties_free(properties);
    CHECK_OK(mqtt_operation_wait(operation, CHECK_DEADLINE_MS));
    const mqtt_outcome *outcome = mqtt_operation_outcome(operation, 0);
    CHECK(mqtt_outcome_reason(outcome) == MQTT_REASON_NO_SUBSCRIPTION_EXISTED);
    CHECK(said(outcome, "gone already", "grey"));
    int32_t granted = 77;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_operation_granted(operation, 0, &granted));
    CHECK(granted == 77);
    mqtt_operation_free(operation);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    mqtt_options *options = test_options(arguments[1], "outcome");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    publishes(session);
    subscribes(session);
    unsubscribes(session);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
