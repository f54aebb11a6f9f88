/* Misuse of stores: every status and what is left untouched. Argument: a directory for stores. */
#include "durable.h"

static const char *directory;

static int32_t ignore_message(const mqtt_stored_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
    return 1;
}

static void ignore_client_id(const char *client_id, void *user_data)
{
    (void)client_id;
    (void)user_data;
}

static void nulls(void)
{
    uint64_t number = 77;
    size_t count = 77;
    mqtt_store *store = UNTOUCHED;
    mqtt_operation *operation = UNTOUCHED;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_store(NULL, directory));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_durability(NULL, 0, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_store_limit(NULL, 1, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_wait_stored(NULL, 1, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_wait_stored_start(NULL, 1, &operation));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_open(NULL, "me", &store));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_open(directory, NULL, &store));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_open(directory, "me", NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_repair(NULL, "me", &store));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_store_open(BAD_UTF8, "me", &store));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_store_repair(directory, BAD_UTF8, &store));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(NULL, 1, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_export(NULL, "file", &count));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_clear(NULL));
    CHECK(mqtt_store_subscription(NULL, 0).size == 0);
    CHECK(mqtt_store_subscription(NULL, 0).data != NULL);
    mqtt_store_free(NULL);
    CHECK(store == UNTOUCHED && operation == UNTOUCHED && number == 77 && count == 77);

    CHECK(mqtt_message_redelivered(NULL) == 0);
    CHECK(mqtt_event_messages(NULL) == 0 && mqtt_event_bytes(NULL) == 0);
    CHECK(mqtt_event_in_flight(NULL) == 0 && mqtt_event_interrupted(NULL) == 0);
    CHECK(mqtt_event_after_power_loss(NULL) == 0 && mqtt_event_renewed(NULL) == 0);
    CHECK(mqtt_event_unknown(NULL) == 0 && mqtt_event_forgotten(NULL) == 0);
    CHECK(mqtt_stored_message_number(NULL) == 0 && mqtt_stored_message_state(NULL) == -1);
    CHECK(mqtt_stored_message_accepted_ms(NULL) == 0);
    CHECK(mqtt_stored_message_expires_ms(NULL) == MQTT_FOREVER);
    CHECK(mqtt_stored_message_topic(NULL).size == 0);
    CHECK(mqtt_stored_message_payload(NULL).size == 0);
    CHECK(mqtt_stored_message_qos(NULL) == -1 && mqtt_stored_message_retain(NULL) == 0);
    CHECK(mqtt_stored_message_properties(NULL) == NULL);
}

static void options(void)
{
    mqtt_options *options = NULL;
    mqtt_session *session = UNTOUCHED;
    CHECK_OK(mqtt_options_new(&options));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_options_set_store(options, BAD_UTF8));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_store(options, ""));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_durability(options, 3, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_durability(options, -1, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_options_set_durability(options, MQTT_DURABILITY_INTERVAL, -1));
    CHECK_STATUS(MQTT_INVALID_OPTION,
                 mqtt_options_set_durability(options, MQTT_DURABILITY_INTERVAL, 0));
    CHECK_OK(mqtt_options_set_durability(options, MQTT_DURABILITY_INTERVAL, 100));
    CHECK_OK(mqtt_options_set_durability(options, MQTT_DURABILITY_SYSTEM, -1));
    CHECK_OK(mqtt_options_set_durability(options, MQTT_DURABILITY_MESSAGE, 0));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_store_limit(options, 0, 1));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_store_limit(options, 1, 0));
    CHECK_OK(mqtt_options_set_store_limit(options, 1, 1));
    /* Whose store would it be? */
    CHECK_OK(mqtt_options_set_store(options, directory));
    CHECK_STATUS(MQTT_INVALID_CLIENT_ID, mqtt_session_new(options, &session));
    CHECK(session == UNTOUCHED);
    CHECK(strstr(mqtt_last_error_message(), "client id") != NULL);
    CHECK_OK(mqtt_options_set_store(options, NULL));
    CHECK_OK(mqtt_session_new(options, &session));
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_wait_stored(session, 1, 0));
    mqtt_operation *operation = UNTOUCHED;
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_wait_stored_start(session, 1, &operation));
    CHECK(operation == UNTOUCHED);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_wait_stored(session, 1, -2));
    mqtt_session_free(session);
    mqtt_options_free(options);
}

static void looks(void)
{
    counter destroyed = COUNTER;
    uint64_t number = 77;
    mqtt_session_free(durable_session("localhost", "looked-at", directory));
    mqtt_store *store = open_store(directory, "looked-at");
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(store, 0, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(store, 10, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(store, 1, NULL));
    CHECK(number == 77);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_export(store, NULL, NULL));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_store_export(store, BAD_UTF8, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_messages(NULL, ignore_message, &destroyed, count_destroy));
    CHECK(counter_value(&destroyed) == 1);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_messages(store, NULL, &destroyed, count_destroy));
    CHECK(counter_value(&destroyed) == 2);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_list(NULL, ignore_client_id, &destroyed, count_destroy));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_list(directory, NULL, &destroyed, count_destroy));
    CHECK_STATUS(MQTT_INVALID_UTF8,
                 mqtt_store_list(BAD_UTF8, ignore_client_id, &destroyed, count_destroy));
    CHECK_STATUS(MQTT_STORE_FAILED,
                 mqtt_store_list("/dev/null", ignore_client_id, &destroyed, count_destroy));
    CHECK_OK(mqtt_store_list("/no/such/directory", ignore_client_id, &destroyed, count_destroy));
    CHECK(counter_value(&destroyed) == 7);
    mqtt_store_free(store);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    directory = arguments[1];
    nulls();
    options();
    looks();
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
