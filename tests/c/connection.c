/* Every property of CONNECT and of the will leaves, and everything that the broker says when it
 * accepts can be read. Argument: the address. */
#include "check.h"

static mqtt_properties *connect_properties(void)
{
    mqtt_properties *list = NULL;
    CHECK_OK(mqtt_properties_new(&list));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, 60));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_RECEIVE_MAXIMUM, 20));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, 5000));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM, 5));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_REQUEST_RESPONSE_INFORMATION, 1));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_REQUEST_PROBLEM_INFORMATION, 0));
    CHECK_OK(mqtt_properties_add_user_property(list, "who", "me"));
    return list;
}

static mqtt_properties *will_properties(void)
{
    mqtt_properties *list = NULL;
    CHECK_OK(mqtt_properties_new(&list));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_WILL_DELAY_INTERVAL, 7));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_PAYLOAD_FORMAT_INDICATOR, 1));
    CHECK_OK(mqtt_properties_add_number(list, MQTT_PROPERTY_MESSAGE_EXPIRY_INTERVAL, 8));
    CHECK_OK(mqtt_properties_add_text(list, MQTT_PROPERTY_CONTENT_TYPE, "text/plain"));
    CHECK_OK(mqtt_properties_add_text(list, MQTT_PROPERTY_RESPONSE_TOPIC, "condolences"));
    CHECK_OK(mqtt_properties_add_binary(list, MQTT_PROPERTY_CORRELATION_DATA, "42", 2));
    CHECK_OK(mqtt_properties_add_user_property(list, "cause", "unknown"));
    return list;
}

static void check_connection(const mqtt_connection *connection)
{
    static const struct {
        int32_t which;
        int64_t number;
    } expected[] = {
        {MQTT_PROPERTY_RECEIVE_MAXIMUM, 10},
        {MQTT_PROPERTY_MAXIMUM_QOS, 1},
        {MQTT_PROPERTY_RETAIN_AVAILABLE, 0},
        {MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, 1000},
        {MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM, 3},
        {MQTT_PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE, 0},
        {MQTT_PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE, 1},
        {MQTT_PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE, 0},
        {MQTT_PROPERTY_SERVER_KEEP_ALIVE, 30},
        {MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL, -1},
        {MQTT_PROPERTY_CONTENT_TYPE, -1},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        CHECK(mqtt_connection_number(connection, expected[i].which) == expected[i].number);
    CHECK(mqtt_connection_session_present(connection) == 1);
    CHECK(view_is(mqtt_connection_client_id(connection), "assigned"));
    const mqtt_properties *properties = mqtt_connection_properties(connection);
    int64_t place = mqtt_properties_find(properties, MQTT_PROPERTY_RESPONSE_INFORMATION, 0);
    CHECK(place >= 0);
    CHECK(view_is(mqtt_properties_value(properties, (size_t)place), "answers/"));
    CHECK(mqtt_properties_find(properties, MQTT_PROPERTY_REASON_STRING, 0) >= 0);
    CHECK(mqtt_properties_find(properties, MQTT_PROPERTY_USER_PROPERTY, 0) >= 0);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    mqtt_options *options = test_options(arguments[1], "");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    CHECK_OK(mqtt_options_set_clean_session(options, 0));
    mqtt_properties *properties = connect_properties();
    CHECK_OK(mqtt_options_add_connect_properties(options, properties));
    mqtt_properties_free(properties);
    properties = will_properties();
    CHECK_OK(mqtt_options_set_will(options, "gone", "bye", 3, 1, 1, properties));
    mqtt_properties_free(properties);
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));

    mqtt_connection *connection = NULL;
    CHECK_OK(mqtt_session_connection(session, &connection));
    check_connection(connection);
    /* What the broker will not take is refused here, before anything is sent. */
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_publish(session, "demo", "", 0, 2, 0, NULL));
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_publish(session, "demo", "", 0, 0, 1, NULL));
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    check_connection(connection);
    mqtt_connection_free(connection);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
