/* A session publishes while nobody listens, and ends; its store is looked into; the next session
 * delivers what is there. Arguments: an address where nobody listens, the address of a broker, the
 * store's directory. */
#include "durable.h"

static const char *directory;
static uint64_t first, second;
static counter ended = COUNTER;
static counter destroyed = COUNTER;
static counter restored = COUNTER;
static counter stored = COUNTER;
static counter listed = COUNTER;

static void on_end(uint64_t number, mqtt_status status, const mqtt_outcome *outcome,
                   void *user_data)
{
    CHECK(user_data == &destroyed && number > 0);
    CHECK(status == MQTT_LEFT_IN_STORE && mqtt_outcome_status(outcome) == status);
    CHECK(strcmp(mqtt_last_error_layer(), "store") == 0 && mqtt_last_error_is_retryable() == 1);
    counter_add(&ended);
}

static void on_stored(const mqtt_operation *operation, mqtt_status status, void *user_data)
{
    (void)operation;
    (void)user_data;
    CHECK(status == MQTT_OK);
    counter_add(&stored);
}

static void on_event(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    CHECK(mqtt_event_kind(event) != MQTT_EVENT_STORE_WITHOUT_SESSION);
    if (mqtt_event_kind(event) != MQTT_EVENT_RESTORED) {
        CHECK(mqtt_event_messages(event) == 0 && mqtt_event_bytes(event) == 0);
        return;
    }
    CHECK(mqtt_event_messages(event) == 2);
    CHECK(mqtt_event_bytes(event) > strlen("restart/onerestart/two"));
    CHECK(mqtt_event_in_flight(event) == 0);
    CHECK(mqtt_event_interrupted(event) == 0);
    CHECK(mqtt_event_after_power_loss(event) == 0);
    CHECK(mqtt_event_renewed(event) == 0 && mqtt_event_status(event) == MQTT_OK);
    counter_add(&restored);
}

/* A store serves one at a time. */
static void check_locked(const char *address)
{
    mqtt_session *session = UNTOUCHED;
    mqtt_store *store = UNTOUCHED;
    mqtt_options *options = durable_options(address, "restart", directory);
    CHECK_STATUS(MQTT_STORE_LOCKED, mqtt_session_new(options, &session));
    CHECK(strcmp(mqtt_last_error_layer(), "store") == 0 && mqtt_last_error_is_retryable() == 1);
    mqtt_options_free(options);
    CHECK_STATUS(MQTT_STORE_LOCKED, mqtt_store_open(directory, "restart", &store));
    CHECK_STATUS(MQTT_STORE_LOCKED, mqtt_store_repair(directory, "restart", &store));
    CHECK(session == UNTOUCHED && store == UNTOUCHED);
}

static void publish_offline(const char *nobody)
{
    mqtt_session *session = durable_session(nobody, "restart", directory);
    CHECK_OK(mqtt_session_connect(session, 0));
    mqtt_publish_options *options = NULL;
    CHECK_OK(mqtt_publish_options_new(&options));
    CHECK_OK(mqtt_publish_options_set_qos(options, 1));
    CHECK_OK(mqtt_session_publish_with(session, "restart/one", "one", 3, options, on_end,
                                       &destroyed, count_destroy, &first));
    mqtt_publish_options_free(options);
    mqtt_operation *operation = NULL;
    CHECK_OK(mqtt_session_wait_stored_start(session, first, &operation));
    CHECK_OK(mqtt_operation_wait(operation, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_operation_wait(operation, 0));
    CHECK_OK(mqtt_operation_on_end(operation, on_stored, NULL, NULL));
    second = publish_stored(session, "restart/two", "two", 2);
    /* Nothing of QoS 0 is stored, and nobody has to wait for it. */
    publish_stored(session, "restart/zero", "zero", 0);
    COUNTER_WAIT(&stored, 1);

    CHECK_STATUS(MQTT_UNKNOWN_MESSAGE, mqtt_session_wait_stored(session, 99, CHECK_DEADLINE_MS));
    CHECK_STATUS(MQTT_TIMEOUT, mqtt_session_wait(session, second, 0, NULL));
    CHECK(session_statistic(session, MQTT_STATISTIC_UNSTORED) == 0);
    CHECK(session_statistic(session, MQTT_STATISTIC_STORE_WRITES) > 0);
    CHECK(session_statistic(session, MQTT_STATISTIC_STORE_SYNCS) > 0);
    CHECK(session_statistic(session, MQTT_STATISTIC_STORE_SIZE) > 0);
    check_locked(nobody);

    CHECK_STATUS(MQTT_LEFT_IN_STORE, mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, 0));
    CHECK(strstr(mqtt_last_error_message(), "stay in the store") != NULL);
    CHECK(counter_value(&ended) == 0);
    mqtt_session_free(session);
    CHECK(counter_value(&ended) == 1 && counter_value(&destroyed) == 1);
}

static void on_client_id(const char *client_id, void *user_data)
{
    CHECK(user_data == &destroyed && strcmp(client_id, "restart") == 0);
    counter_add(&listed);
}

static int32_t on_each(const mqtt_stored_message *message, void *user_data)
{
    uint64_t *last = user_data;
    int is_first = mqtt_stored_message_number(message) == first;
    CHECK(mqtt_stored_message_number(message) > *last);
    *last = mqtt_stored_message_number(message);
    CHECK(is_first || *last == second);
    CHECK(view_is(mqtt_stored_message_topic(message), is_first ? "restart/one" : "restart/two"));
    CHECK(view_is(mqtt_stored_message_payload(message), is_first ? "one" : "two"));
    CHECK(mqtt_stored_message_qos(message) == (is_first ? 1 : 2));
    CHECK(mqtt_stored_message_retain(message) == 0);
    CHECK(mqtt_stored_message_state(message) == MQTT_STORED_WAITING);
    int64_t now = (int64_t)time(NULL) * 1000;
    int64_t day = 24 * 3600 * (int64_t)1000;
    CHECK(mqtt_stored_message_accepted_ms(message) > now - day);
    CHECK(mqtt_stored_message_accepted_ms(message) < now + day);
    CHECK(mqtt_stored_message_expires_ms(message) == MQTT_FOREVER);
    CHECK(mqtt_properties_count(mqtt_stored_message_properties(message)) == 0);
    return 1;
}

static int32_t stop(const mqtt_stored_message *message, void *user_data)
{
    CHECK(mqtt_stored_message_number(message) == first);
    counter_add(user_data);
    return 0;
}

static int32_t free_it(const mqtt_stored_message *message, void *user_data)
{
    CHECK_STATUS(MQTT_BUSY, mqtt_store_clear(user_data));
    mqtt_store_free(user_data);
    CHECK(mqtt_stored_message_number(message) == first);
    return 0;
}

static void check_exported(const mqtt_store *store)
{
    char path[1000], line[1000];
    size_t count = 0;
    snprintf(path, sizeof path, "%s.jsonl", directory);
    remove(path);
    CHECK_OK(mqtt_store_export(store, path, &count));
    CHECK(count == 2);
    count = 77;
    CHECK_STATUS(MQTT_STORE_FAILED, mqtt_store_export(store, path, &count));
    CHECK(count == 77);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    CHECK(fgets(line, sizeof line, file) != NULL && strstr(line, "\"restart/one\"") != NULL);
    CHECK(fgets(line, sizeof line, file) != NULL && strstr(line, "\"dHdv\"") != NULL);
    CHECK(fgets(line, sizeof line, file) == NULL);
    fclose(file);
}

static void look(void)
{
    counter seen = COUNTER;
    uint64_t last = 0;
    CHECK_OK(mqtt_store_list(directory, on_client_id, &destroyed, count_destroy));
    CHECK(counter_value(&listed) == 1 && counter_value(&destroyed) == 2);
    mqtt_store *store = open_store(directory, "restart");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 2);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_BYTES) > 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_IN_FLIGHT) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_RELEASED) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_OLDEST_MS) > 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_RECEIVED) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_SUBSCRIPTIONS) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_LAST_NUMBER) >= second);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_SIZE) > 0);
    CHECK(mqtt_store_subscription(store, 0).size == 0);
    CHECK_OK(mqtt_store_messages(store, on_each, &last, NULL));
    CHECK(last == second);
    CHECK_OK(mqtt_store_messages(store, stop, &seen, count_destroy));
    CHECK(counter_value(&seen) == 2);
    check_exported(store);
    mqtt_store_free(store);
    /* The handler frees the store that it is being shown. */
    store = open_store(directory, "restart");
    CHECK_OK(mqtt_store_messages(store, free_it, store, NULL));
}

static void deliver(const char *address)
{
    mqtt_session *session = durable_session(address, "restart", directory);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&restored, 1);
    mqtt_outcome *outcome = NULL;
    CHECK_OK(mqtt_session_wait(session, first, CHECK_DEADLINE_MS, &outcome));
    CHECK(mqtt_outcome_reason(outcome) == MQTT_REASON_SUCCESS);
    mqtt_outcome_free(outcome);
    CHECK_OK(mqtt_session_wait(session, second, CHECK_DEADLINE_MS, NULL));
    uint64_t third = publish_stored(session, "restart/three", "three", 1);
    CHECK(third > second);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    /* What has ended has been stored. */
    CHECK_OK(mqtt_session_wait_stored(session, third, 0));
    mqtt_session_free(session);

    mqtt_store *store = open_store(directory, "restart");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_OLDEST_MS) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_LAST_NUMBER) >= third);
    CHECK_OK(mqtt_store_messages(store, on_each, NULL, NULL));
    mqtt_store_free(store);
}

static void clear(const char *nobody)
{
    mqtt_session *session = durable_session(nobody, "restart", directory);
    CHECK_OK(mqtt_session_connect(session, 0));
    uint64_t number = publish_stored(session, "restart/four", "four", 2);
    mqtt_session_free(session);
    mqtt_store *store = open_store(directory, "restart");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 1);
    CHECK_OK(mqtt_store_clear(store));
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_LAST_NUMBER) >= number);
    mqtt_store_free(store);
    store = open_store(directory, "restart");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 0);
    mqtt_store_free(store);
}

int main(int count, char **arguments)
{
    CHECK(count == 4);
    directory = arguments[3];
    publish_offline(arguments[1]);
    look();
    deliver(arguments[2]);
    clear(arguments[1]);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
