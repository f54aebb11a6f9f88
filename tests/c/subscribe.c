/* Every choice of a subscription leaves; own messages name their topic once and then use its alias.
 * Argument: the address of a broker that looks at both. */
#include "check.h"

static counter destroyed = COUNTER;

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

static mqtt_subscribe_options *choices(void)
{
    mqtt_subscribe_options *options = NULL;
    mqtt_properties *properties = NULL;
    CHECK_OK(mqtt_properties_new(&properties));
    CHECK_OK(mqtt_properties_add_user_property(properties, "for", "all"));
    CHECK_OK(mqtt_subscribe_options_new(&options));
    CHECK_OK(mqtt_subscribe_options_set_qos(options, 1));
    CHECK_OK(mqtt_subscribe_options_set_no_local(options, 1));
    CHECK_OK(mqtt_subscribe_options_set_retain_as_published(options, 1));
    CHECK_OK(mqtt_subscribe_options_set_retain_handling(options, MQTT_RETAIN_DO_NOT_SEND));
    CHECK_OK(mqtt_subscribe_options_set_properties(options, properties));
    mqtt_properties_free(properties);
    return options;
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    mqtt_options *options = test_options(arguments[1], "subscribe");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    CHECK_OK(mqtt_options_set_topic_alias_limit(options, 1));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));

    mqtt_subscribe_options *how = choices();
    int32_t granted = -1;
    CHECK_OK(mqtt_session_subscribe_with(session, "demo/+", how, CHECK_DEADLINE_MS, on_message,
                                         &destroyed, count_destroy, &granted));
    CHECK(granted == 1);
    const char *const filters[] = {"demo/one", "demo/two"};
    int32_t results[] = {77, 77};
    CHECK_OK(mqtt_session_subscribe_many(session, filters, 2, how, CHECK_DEADLINE_MS, on_message,
                                         &destroyed, count_destroy, results));
    CHECK(results[0] == 0 && results[1] == MQTT_SUBSCRIBE_REFUSED);
    mqtt_subscribe_options_free(how);

    for (int i = 0; i < 3; i++)
        CHECK_OK(mqtt_session_publish(session, "demo/out", "", 0, 0, 0, NULL));
    CHECK_OK(mqtt_session_flush(session, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(counter_value(&destroyed) == 2);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
