/* Asking and answering, both sides: at once, later, not at all, many at a time. Argument: the
 * address of a real broker. */
#include "check.h"

#define MANY 20

static counter asked = COUNTER;
static counter destroyed = COUNTER;
static counter ended = COUNTER;
static mqtt_message *kept;

static mqtt_session *session_of(const char *address, const char *client_id)
{
    mqtt_options *options = test_options(address, client_id);
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    return session;
}

/* Answers with the question and a property. */
static void echo(const mqtt_message *request, mqtt_response *response, void *user_data)
{
    CHECK(user_data == &destroyed);
    mqtt_properties *properties = NULL;
    CHECK_OK(mqtt_properties_new(&properties));
    CHECK_OK(mqtt_properties_add_text(properties, MQTT_PROPERTY_CONTENT_TYPE, "echo"));
    mqtt_view question = mqtt_message_payload(request);
    CHECK_OK(mqtt_response_set_payload(response, question.data, question.size));
    CHECK_OK(mqtt_response_set_properties(response, properties));
    mqtt_properties_free(properties);
}

/* Gives "give up" up; keeps anything else to answer it later. */
static void later(const mqtt_message *request, mqtt_response *response, void *user_data)
{
    (void)user_data;
    if (view_is(mqtt_message_payload(request), "give up")) {
        CHECK_OK(mqtt_response_set_payload(response, "never sent", 10));
        CHECK_OK(mqtt_message_fail(request));
    } else {
        CHECK_OK(mqtt_message_keep(request, &kept));
    }
    counter_add(&asked);
}

static void on_end(const mqtt_operation *operation, mqtt_status status, void *user_data)
{
    CHECK(status == MQTT_OK);
    mqtt_message *answer = NULL;
    CHECK_OK(mqtt_operation_message(operation, &answer));
    CHECK(view_is(mqtt_message_payload(answer), user_data));
    mqtt_message_free(answer);
    counter_add(&ended);
}

static void one(mqtt_session *session)
{
    mqtt_request_options *options = NULL;
    mqtt_properties *properties = NULL;
    CHECK_OK(mqtt_request_options_new(&options));
    CHECK_OK(mqtt_properties_new(&properties));
    CHECK_OK(mqtt_properties_add_user_property(properties, "from", "request"));
    CHECK_OK(mqtt_request_options_set_qos(options, 2));
    CHECK_OK(mqtt_request_options_set_properties(options, properties));
    mqtt_message *answer = NULL;
    CHECK_OK(mqtt_session_request(session, "demo/echo", "hello", 5, options, CHECK_DEADLINE_MS,
                                  &answer));
    CHECK(view_is(mqtt_message_payload(answer), "hello"));
    const mqtt_properties *said = mqtt_message_properties(answer);
    CHECK(mqtt_properties_find(said, MQTT_PROPERTY_CONTENT_TYPE, 0) >= 0);
    CHECK(mqtt_properties_find(said, MQTT_PROPERTY_CORRELATION_DATA, 0) >= 0);
    mqtt_message_free(answer);

    /* The topic of the answer is the library's. */
    CHECK_OK(mqtt_properties_add_text(properties, MQTT_PROPERTY_RESPONSE_TOPIC, "mine"));
    CHECK_OK(mqtt_request_options_set_properties(options, properties));
    answer = NULL;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_request(session, "demo/echo", "", 0, options, 1, &answer));
    CHECK(answer == NULL);
    mqtt_properties_free(properties);
    mqtt_request_options_free(options);
}

static void many(mqtt_session *session)
{
    static char questions[MANY][16];
    for (int i = 0; i < MANY; i++) {
        snprintf(questions[i], sizeof questions[i], "question %d", i);
        mqtt_operation *operation = NULL;
        CHECK_OK(mqtt_session_request_start(session, "demo/echo", questions[i],
                                            strlen(questions[i]), NULL, MQTT_FOREVER, &operation));
        CHECK_OK(mqtt_operation_on_end(operation, on_end, questions[i], NULL));
    }
    COUNTER_WAIT(&ended, MANY);
}

static void unanswered(mqtt_session *session)
{
    mqtt_message *answer = NULL;
    CHECK_STATUS(MQTT_NO_RESPONDER,
                 mqtt_session_request(session, "demo/nobody", "", 0, NULL, CHECK_DEADLINE_MS,
                                      &answer));
    CHECK_STATUS(MQTT_TIMEOUT,
                 mqtt_session_request(session, "demo/later", "give up", 7, NULL, 1, &answer));
    CHECK(answer == NULL);
    COUNTER_WAIT(&asked, 1);
}

static void answered_later(mqtt_session *asking, mqtt_session *answering)
{
    mqtt_operation *operation = NULL;
    CHECK_OK(mqtt_session_request_start(asking, "demo/later", "when?", 5, NULL, CHECK_DEADLINE_MS,
                                        &operation));
    COUNTER_WAIT(&asked, 2);
    CHECK(view_is(mqtt_message_payload(kept), "when?"));
    mqtt_message *answer = NULL;
    CHECK_STATUS(MQTT_TIMEOUT, mqtt_operation_message(operation, &answer));
    uint64_t number = 0;
    CHECK_OK(mqtt_session_reply(answering, kept, "now", 3, NULL, &number));
    CHECK_OK(mqtt_session_wait(answering, number, CHECK_DEADLINE_MS, NULL));
    CHECK_OK(mqtt_operation_wait(operation, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_operation_message(operation, &answer));
    CHECK(view_is(mqtt_message_payload(answer), "now"));
    /* An answer asks for none itself. */
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_session_reply(answering, answer, "", 0, NULL, &number));
    mqtt_message_free(answer);
    mqtt_message_free(kept);
    mqtt_operation_free(operation);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    mqtt_session *asking = session_of(arguments[1], "asking");
    mqtt_session *answering = session_of(arguments[1], "answering");
    int32_t granted = -1;
    CHECK_OK(mqtt_session_respond(answering, "demo/echo", 2, CHECK_DEADLINE_MS, echo, &destroyed,
                                  count_destroy, &granted));
    CHECK(granted == 2);
    mqtt_operation *operation = NULL;
    CHECK_OK(mqtt_session_respond_start(answering, "demo/later", 1, later, &destroyed,
                                        count_destroy, &operation));
    CHECK_OK(mqtt_operation_wait(operation, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_operation_granted(operation, 0, &granted));
    CHECK(granted == 1);
    mqtt_operation_free(operation);

    one(asking);
    many(asking);
    unanswered(asking);
    answered_later(asking, answering);
    CHECK(counter_value(&destroyed) == 0);
    CHECK_OK(mqtt_session_unsubscribe(answering, "demo/echo", CHECK_DEADLINE_MS));
    COUNTER_WAIT(&destroyed, 1);
    mqtt_session_free(asking);
    mqtt_session_free(answering);
    CHECK(counter_value(&destroyed) == 2);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
