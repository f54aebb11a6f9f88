/* Everything that a caller can do wrong with values, options and callbacks: a clear status, no crash,
 * outputs untouched, and the destroy of each triple exactly once. Needs no broker. */
#include "check.h"

static void ignore_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

static void ignore_publish(uint64_t number, mqtt_status status, const mqtt_outcome *outcome,
                           void *user_data)
{
    (void)number;
    (void)status;
    (void)outcome;
    (void)user_data;
}

static void ignore_event(const mqtt_event *event, void *user_data)
{
    (void)event;
    (void)user_data;
}

static void ignore_end(const mqtt_operation *operation, mqtt_status status, void *user_data)
{
    (void)operation;
    (void)status;
    (void)user_data;
}

static void ignore_log(int32_t level, const char *text, void *user_data)
{
    (void)level;
    (void)text;
    (void)user_data;
}

static void ignore_request(const mqtt_message *request, mqtt_response *response, void *user_data)
{
    (void)request;
    (void)response;
    (void)user_data;
}

static mqtt_status ignore_step(mqtt_authentication *authentication, void *user_data)
{
    (void)authentication;
    (void)user_data;
    return MQTT_OK;
}

static mqtt_status ignore_credentials(mqtt_credentials *credentials, void *user_data)
{
    (void)credentials;
    (void)user_data;
    return MQTT_OK;
}

static void null_outputs(void)
{
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_new(NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_properties_new(NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_publish_options_new(NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_subscribe_options_new(NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_request_options_new(NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_new(NULL, NULL));
    CHECK(strstr(mqtt_last_error_message(), "session") != NULL);
}

static void null_objects_to_free(void)
{
    mqtt_options_free(NULL);
    mqtt_properties_free(NULL);
    mqtt_publish_options_free(NULL);
    mqtt_subscribe_options_free(NULL);
    mqtt_request_options_free(NULL);
    mqtt_connection_free(NULL);
    mqtt_outcome_free(NULL);
    mqtt_session_free(NULL);
    mqtt_message_free(NULL);
    mqtt_acknowledgement_free(NULL);
    mqtt_operation_free(NULL);
}

static void null_objects_to_read(void)
{
    CHECK(mqtt_message_topic(NULL).size == 0 && mqtt_message_topic(NULL).data != NULL);
    CHECK(mqtt_message_payload(NULL).size == 0);
    CHECK(mqtt_message_qos(NULL) == -1);
    CHECK(mqtt_message_retain(NULL) == 0);
    CHECK(mqtt_message_duplicate(NULL) == 0);
    CHECK(mqtt_message_properties(NULL) == NULL);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_message_fail(NULL));
    mqtt_message *kept = UNTOUCHED;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_message_keep(NULL, &kept));
    CHECK(kept == UNTOUCHED);
    mqtt_acknowledgement *acknowledgement = UNTOUCHED;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_message_acknowledgement(NULL, &acknowledgement));
    CHECK(acknowledgement == UNTOUCHED);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_acknowledgement_send(NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_acknowledgement_refuse(NULL, 0x80, NULL));

    CHECK(mqtt_event_kind(NULL) == 0);
    CHECK(mqtt_event_status(NULL) == MQTT_OK);
    CHECK(mqtt_event_session_present(NULL) == 0);
    CHECK(mqtt_event_client_id(NULL).size == 0);
    CHECK(mqtt_event_properties(NULL) == NULL);
    CHECK(mqtt_event_filter(NULL).size == 0);
    CHECK(mqtt_event_delay_ms(NULL) == 0);
    CHECK(mqtt_event_number(NULL) == 0);
    CHECK(mqtt_event_topic(NULL).size == 0);
    CHECK(mqtt_event_size(NULL) == 0);
    CHECK(mqtt_event_count(NULL) == 0);
    CHECK(mqtt_event_address(NULL).size == 0);

    CHECK(mqtt_outcome_status(NULL) == MQTT_INVALID_ARGUMENT);
    CHECK(strcmp(mqtt_outcome_message(NULL), "") == 0);
    CHECK(mqtt_outcome_reason(NULL) == -1);
    CHECK(mqtt_outcome_reason_string(NULL).size == 0);
    CHECK(mqtt_outcome_properties(NULL) == NULL);

    CHECK(mqtt_connection_session_present(NULL) == 0);
    CHECK(mqtt_connection_client_id(NULL).size == 0);
    CHECK(mqtt_connection_number(NULL, MQTT_PROPERTY_RECEIVE_MAXIMUM) == -1);
    CHECK(mqtt_connection_properties(NULL) == NULL);

    CHECK(mqtt_authentication_step(NULL) == 0);
    CHECK(mqtt_authentication_data(NULL).size == 0);
    CHECK(mqtt_authentication_has_data(NULL) == 0);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_authentication_set_answer(NULL, "", 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_credentials_set_user_name(NULL, "me"));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_credentials_set_password(NULL, "", 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_response_set_payload(NULL, "", 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_response_set_properties(NULL, NULL));

    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_operation_wait(NULL, 0));
    int32_t granted = 77;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_operation_granted(NULL, 0, &granted));
    CHECK(granted == 77);
    CHECK(mqtt_operation_outcome(NULL, 0) == NULL);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_operation_message(NULL, &kept));
    CHECK(kept == UNTOUCHED);
}

static void properties(void)
{
    CHECK(mqtt_properties_count(NULL) == 0);
    CHECK(mqtt_properties_find(NULL, MQTT_PROPERTY_CONTENT_TYPE, 0) == -1);
    CHECK(mqtt_properties_identifier(NULL, 0) == -1);
    CHECK(mqtt_properties_number(NULL, 0) == 0);
    CHECK(mqtt_properties_value(NULL, 0).size == 0);
    CHECK(mqtt_properties_name(NULL, 0).size == 0);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_properties_add_number(NULL, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, 1));

    mqtt_properties *list = NULL;
    CHECK_OK(mqtt_properties_new(&list));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_properties_add_number(list, MQTT_PROPERTY_CONTENT_TYPE, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_properties_add_number(list, 99, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_properties_add_number(list, MQTT_PROPERTY_TOPIC_ALIAS, 65536));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_properties_add_text(list, MQTT_PROPERTY_CONTENT_TYPE, NULL));
    CHECK_STATUS(MQTT_INVALID_UTF8,
                 mqtt_properties_add_text(list, MQTT_PROPERTY_CONTENT_TYPE, BAD_UTF8));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_properties_add_binary(list, MQTT_PROPERTY_CORRELATION_DATA, NULL, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_properties_add_user_property(list, "name", NULL));
    CHECK(mqtt_properties_count(list) == 0);

    CHECK_OK(mqtt_properties_add_user_property(list, "colour", "red"));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, 60));
    CHECK_OK(mqtt_properties_add_binary(list, MQTT_PROPERTY_CORRELATION_DATA, "\0\1", 2));
    CHECK_OK(mqtt_properties_add_user_property(list, "colour", "blue"));
    CHECK(mqtt_properties_count(list) == 4);
    int64_t first = mqtt_properties_find(list, MQTT_PROPERTY_USER_PROPERTY, 0);
    CHECK(first == 0);
    int64_t second = mqtt_properties_find(list, MQTT_PROPERTY_USER_PROPERTY, (size_t)first + 1);
    CHECK(second == 3);
    CHECK(view_is(mqtt_properties_name(list, 3), "colour"));
    CHECK(view_is(mqtt_properties_value(list, 3), "blue"));
    CHECK(mqtt_properties_number(list, 1) == 60);
    CHECK(mqtt_properties_value(list, 2).size == 2);
    CHECK(mqtt_properties_identifier(list, 4) == -1);
    mqtt_properties_free(list);
}

static void options(void)
{
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_address(NULL, "localhost"));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_tls(NULL, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_clear_will(NULL));

    mqtt_options *options = NULL;
    CHECK_OK(mqtt_options_new(&options));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_address(options, NULL));
    CHECK_STATUS(MQTT_INVALID_ADDRESS, mqtt_options_set_address(options, "gopher://host"));
    CHECK_STATUS(MQTT_INVALID_ADDRESS, mqtt_options_set_address(options, ""));
    CHECK_STATUS(MQTT_INVALID_ADDRESS, mqtt_options_set_host(options, "a b"));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_options_set_host(options, BAD_UTF8));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_port(options, -1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_port(options, 65536));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_version(options, 6));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_options_set_client_id(options, BAD_UTF8));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_options_set_user_name(options, BAD_UTF8));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_password(options, NULL, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_keep_alive_seconds(options, 65536));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_keep_alive_seconds(options, -1));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_connect_timeout(options, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_connect_timeout(options, -1));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_reconnect_delay(options, 2, 1));
    CHECK_STATUS(MQTT_INVALID_QOS, mqtt_options_set_will(options, "gone", "", 0, 3, 0, NULL));
    CHECK_STATUS(MQTT_INVALID_TOPIC, mqtt_options_set_will(options, "gone/#", "", 0, 0, 0, NULL));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_maximum_packet_size(options, 0));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_receive_maximum(options, 0));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_in_flight_limit(options, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_in_flight_limit(options, 65536));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_outgoing_limit(options, 0, 1));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_incoming_limit(options, 1, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_outgoing_policy(options, 5));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_dispatch(options, -1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_acknowledge(options, 3));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_add_connect_properties(options, NULL));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_time_to_live(options, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_time_to_live(options, -2));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_topic_alias_limit(options, 65536));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_topic_alias_limit(options, -1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_set_aside_after(options, -1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_on_failure(options, 3, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_options_set_on_failure(options, MQTT_FAILURE_REFUSE, 256));
    CHECK_STATUS(MQTT_INVALID_OPTION,
                 mqtt_options_set_on_failure(options, MQTT_FAILURE_REFUSE, MQTT_REASON_SUCCESS));
    CHECK_STATUS(MQTT_INVALID_OPTION,
                 mqtt_options_set_on_failure(options, MQTT_FAILURE_REFUSE, MQTT_REASON_BANNED));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_retry_first_connect(NULL, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_retry(options, MQTT_OK, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_retry(options, -1, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_redirect_limit(options, -1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_scram_sha_256(options, NULL, "secret"));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_scram_sha_256(options, "me", NULL));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_options_set_scram_sha_256(options, BAD_UTF8, "secret"));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_scram_sha_256(options, "", "secret"));
    CHECK(mqtt_options_retries(NULL, MQTT_CONNECTION_REFUSED) == 0);
    CHECK(mqtt_options_retries(options, MQTT_CONNECTION_REFUSED) == 1);
    CHECK(mqtt_options_retries(options, MQTT_NOT_AUTHORIZED) == 0);
    CHECK(mqtt_options_retries(options, -1) == 0);
    CHECK_OK(mqtt_options_set_retry(options, MQTT_NOT_AUTHORIZED, 1));
    CHECK(mqtt_options_retries(options, MQTT_NOT_AUTHORIZED) == 1);
    mqtt_options_free(options);

    mqtt_publish_options *publish = NULL;
    CHECK_OK(mqtt_publish_options_new(&publish));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_publish_options_set_time_to_live(NULL, 1));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_publish_options_set_time_to_live(publish, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_publish_options_set_time_to_live(publish, -2));
    mqtt_publish_options_free(publish);
    mqtt_request_options *request = NULL;
    CHECK_OK(mqtt_request_options_new(&request));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_request_options_set_qos(NULL, 1));
    CHECK_STATUS(MQTT_INVALID_QOS, mqtt_request_options_set_qos(request, 3));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_request_options_set_properties(NULL, NULL));
    mqtt_request_options_free(request);
}

/* Each way in which a function with a triple can fail before it does anything. */
static void triples(mqtt_session *session)
{
    static const char topic[] = "a/b";
    const char *const filters[] = {"a/+", BAD_UTF8};
    counter destroyed = COUNTER;
    int expected = 0;
    uint64_t number = 77;
    int32_t granted = 77;
    mqtt_operation *operation = UNTOUCHED;

#define FAILS(status, call)                          \
    do {                                             \
        CHECK_STATUS(status, call);                  \
        expected += 1;                               \
        CHECK(counter_value(&destroyed) == expected); \
    } while (0)
#define TRIPLE(function) function, &destroyed, count_destroy

    FAILS(MQTT_INVALID_ARGUMENT, mqtt_session_publish_with(NULL, topic, "", 0, NULL,
                                                           TRIPLE(ignore_publish), &number));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_session_publish_with(session, NULL, "", 0, NULL,
                                                           TRIPLE(ignore_publish), &number));
    FAILS(MQTT_INVALID_UTF8, mqtt_session_publish_with(session, BAD_UTF8, "", 0, NULL,
                                                       TRIPLE(ignore_publish), &number));
    FAILS(MQTT_INVALID_TOPIC, mqtt_session_publish_with(session, "a/#", "", 0, NULL,
                                                        TRIPLE(ignore_publish), &number));
    FAILS(MQTT_INVALID_TOPIC, mqtt_session_publish_with(session, "", "", 0, NULL,
                                                        TRIPLE(ignore_publish), &number));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_session_publish_with(session, topic, NULL, 1, NULL,
                                                           TRIPLE(ignore_publish), &number));
    FAILS(MQTT_INVALID_TOPIC, mqtt_session_publish_with(session, "+", "", 0, NULL, NULL,
                                                        &destroyed, count_destroy, &number));
    CHECK(number == 77);

    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_subscribe(NULL, topic, 0, 0, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_subscribe(session, NULL, 0, 0, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_subscribe(session, topic, 0, 0, TRIPLE(NULL), &granted));
    FAILS(MQTT_INVALID_QOS,
          mqtt_session_subscribe(session, topic, 3, 0, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_UTF8,
          mqtt_session_subscribe(session, BAD_UTF8, 0, 0, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_FILTER,
          mqtt_session_subscribe(session, "a/#/b", 0, 0, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_FILTER,
          mqtt_session_subscribe(session, "", 0, 0, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_subscribe(session, topic, 0, -2, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_subscribe_with(session, NULL, NULL, 0, TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_UTF8, mqtt_session_subscribe_many(session, filters, 2, NULL, 0,
                                                         TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_session_subscribe_many(session, filters, 0, NULL, 0,
                                                             TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_session_subscribe_many(session, NULL, 1, NULL, 0,
                                                             TRIPLE(ignore_message), &granted));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_session_subscribe_start(session, filters, 1, NULL,
                                                              TRIPLE(ignore_message), NULL));
    FAILS(MQTT_INVALID_UTF8, mqtt_session_subscribe_start(session, filters, 2, NULL,
                                                          TRIPLE(ignore_message), &operation));
    CHECK(granted == 77);
    CHECK(operation == UNTOUCHED);

    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_respond(NULL, topic, 0, 0, TRIPLE(ignore_request), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_respond(session, NULL, 0, 0, TRIPLE(ignore_request), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_respond(session, topic, 0, 0, TRIPLE(NULL), &granted));
    FAILS(MQTT_INVALID_QOS,
          mqtt_session_respond(session, topic, 3, 0, TRIPLE(ignore_request), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_respond(session, topic, 0, -2, TRIPLE(ignore_request), &granted));
    FAILS(MQTT_NOT_SUPPORTED,
          mqtt_session_respond(session, topic, 0, 0, TRIPLE(ignore_request), &granted));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_session_respond_start(session, topic, 0, TRIPLE(ignore_request), NULL));
    FAILS(MQTT_NOT_SUPPORTED,
          mqtt_session_respond_start(session, topic, 0, TRIPLE(ignore_request), &operation));
    CHECK(granted == 77);
    CHECK(operation == UNTOUCHED);

    mqtt_options *options = NULL;
    CHECK_OK(mqtt_options_new(&options));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_options_set_authenticator(NULL, "m", TRIPLE(ignore_step)));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_options_set_authenticator(options, NULL, TRIPLE(ignore_step)));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_options_set_authenticator(options, "m", TRIPLE(NULL)));
    FAILS(MQTT_INVALID_UTF8,
          mqtt_options_set_authenticator(options, BAD_UTF8, TRIPLE(ignore_step)));
    FAILS(MQTT_INVALID_ARGUMENT,
          mqtt_options_set_credentials_source(NULL, TRIPLE(ignore_credentials)));
    FAILS(MQTT_OK, mqtt_options_set_credentials_source(options, TRIPLE(NULL)));
    /* Two that are kept: the first until it is replaced, the second as long as the options. */
    CHECK_OK(mqtt_options_set_credentials_source(options, TRIPLE(ignore_credentials)));
    FAILS(MQTT_OK, mqtt_options_set_credentials_source(options, NULL, NULL, NULL));
    CHECK_OK(mqtt_options_set_authenticator(options, "m", TRIPLE(ignore_step)));
    CHECK(counter_value(&destroyed) == expected);
    mqtt_options_free(options);
    expected += 1;
    CHECK(counter_value(&destroyed) == expected);

    FAILS(MQTT_INVALID_ARGUMENT, mqtt_session_set_event_handler(NULL, TRIPLE(ignore_event)));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_operation_on_end(NULL, TRIPLE(ignore_end)));
    FAILS(MQTT_INVALID_ARGUMENT, mqtt_library_set_log(6, TRIPLE(ignore_log)));
    FAILS(MQTT_OK, mqtt_library_set_log(MQTT_LOG_OFF, TRIPLE(NULL)));
}

static void last_error(void)
{
    CHECK(mqtt_last_error_status() == MQTT_OK);
    CHECK(strcmp(mqtt_last_error_message(), "") == 0);
    CHECK(strcmp(mqtt_last_error_layer(), "") == 0);
    CHECK(mqtt_last_error_reason_code() == -1);
    CHECK(strcmp(mqtt_last_error_server_reference(), "") == 0);
    CHECK(mqtt_last_error_properties() == NULL);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_new(NULL));
    CHECK(mqtt_last_error_status() == MQTT_INVALID_ARGUMENT);
    CHECK(strcmp(mqtt_last_error_layer(), "caller") == 0);
    CHECK(strcmp(mqtt_status_name(MQTT_INVALID_ARGUMENT), "MQTT_INVALID_ARGUMENT") == 0);
    CHECK(mqtt_status_ends_session(MQTT_CLOSED) == 1);
    CHECK(mqtt_status_ends_session(MQTT_TIMEOUT) == 0);
}

int main(void)
{
    last_error();
    null_outputs();
    null_objects_to_free();
    null_objects_to_read();
    properties();
    options();
    mqtt_session *session = NULL;
    CHECK_OK(mqtt_session_new(NULL, &session));
    triples(session);
    mqtt_session_free(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
