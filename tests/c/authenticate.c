/* Proving who the session is. Arguments: the address, and what to do: "exchange" with a method of
 * the program's own, and again; "give_up" or "free" within the exchange; "scram" with a broker that does not
 * know the password; "credentials" from a source, which then fails. */
#include "check.h"

static counter asked = COUNTER;
static counter destroyed = COUNTER;
static counter lost = COUNTER;
static mqtt_session *asking;

static mqtt_status on_step(mqtt_authentication *step, void *user_data)
{
    static const struct {
        int32_t step;
        const char *data;
        const char *answer;
    } expected[] = {
        {MQTT_AUTHENTICATION_CONNECT, NULL, "hello"},
        {MQTT_AUTHENTICATION_CONTINUE, "who?", "me"},
        {MQTT_AUTHENTICATION_SUCCESS, "welcome", NULL},
        {MQTT_AUTHENTICATION_AGAIN, NULL, "still me"},
        {MQTT_AUTHENTICATION_CONTINUE, "", ""},
        {MQTT_AUTHENTICATION_SUCCESS, NULL, NULL},
    };
    CHECK(user_data == &destroyed);
    int now = counter_value(&asked);
    CHECK(mqtt_authentication_step(step) == expected[now].step);
    CHECK(mqtt_authentication_has_data(step) == (expected[now].data != NULL));
    CHECK(view_is(mqtt_authentication_data(step), expected[now].data ? expected[now].data : ""));
    if (now == 0) {
        /* It would wait for the answer that is given here. */
        CHECK_STATUS(MQTT_WOULD_DEADLOCK, mqtt_session_connect(asking, CHECK_DEADLINE_MS));
    }
    const char *answer = expected[now].answer;
    if (answer)
        CHECK_OK(mqtt_authentication_set_answer(step, answer, strlen(answer)));
    counter_add(&asked);
    return MQTT_OK;
}

static mqtt_status give_up(mqtt_authentication *step, void *user_data)
{
    (void)user_data;
    if (mqtt_authentication_step(step) == MQTT_AUTHENTICATION_CONNECT)
        return MQTT_OK;
    /* More than MQTT carries: the words of this failure become the cause. */
    static char much[65536];
    return mqtt_authentication_set_answer(step, much, sizeof much);
}

static mqtt_status end_session(mqtt_authentication *step, void *user_data)
{
    CHECK(user_data == &destroyed);
    if (mqtt_authentication_step(step) == MQTT_AUTHENTICATION_CONTINUE) {
        mqtt_session_free(asking);
        CHECK(view_is(mqtt_authentication_data(step), "who"));
        CHECK(counter_value(&destroyed) == 0);
    }
    return MQTT_OK;
}

static mqtt_status give_credentials(mqtt_credentials *credentials, void *user_data)
{
    CHECK(user_data == &destroyed);
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_credentials_set_user_name(credentials, BAD_UTF8));
    counter_add(&asked);
    if (counter_value(&asked) > 2)
        return MQTT_BAD_CREDENTIALS;
    CHECK_OK(mqtt_credentials_set_user_name(credentials, "me"));
    CHECK_OK(mqtt_credentials_set_password(
        credentials, counter_value(&asked) == 1 ? "first" : "second", counter_value(&asked) + 4));
    return MQTT_OK;
}

static void on_event(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    if (mqtt_event_kind(event) == MQTT_EVENT_DISCONNECTED) {
        CHECK(mqtt_event_status(event) == MQTT_BAD_CREDENTIALS);
        counter_add(&lost);
    }
}

static void exchange(mqtt_options *options)
{
    CHECK_OK(mqtt_options_set_authenticator(options, "rot13", on_step, &destroyed, count_destroy));
    mqtt_session *session = asking = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    CHECK(counter_value(&asked) == 3);
    CHECK_OK(mqtt_session_reauthenticate(session, CHECK_DEADLINE_MS));
    CHECK(counter_value(&asked) == 6);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
}

static void fails(mqtt_options *options)
{
    mqtt_session *session = test_session(options);
    CHECK_STATUS(MQTT_AUTHENTICATION_FAILED, mqtt_session_connect(session, CHECK_DEADLINE_MS));
    CHECK(strcmp(mqtt_last_error_layer(), "connack") == 0);
    mqtt_session_free(session);
}

static void credentials(mqtt_options *options)
{
    CHECK_OK(mqtt_options_set_reconnect_delay(options, 1, 1));
    CHECK_OK(mqtt_options_set_credentials_source(options, give_credentials, &destroyed,
                                                 count_destroy));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&lost, 1);
    CHECK(counter_value(&asked) == 3);
    mqtt_session_free(session);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    const char *what = arguments[2];
    mqtt_options *options = test_options(arguments[1], "authenticate");
    CHECK_OK(mqtt_options_set_version(options, MQTT_PROTOCOL_5));
    if (strcmp(what, "exchange") == 0) {
        exchange(options);
    } else if (strcmp(what, "give_up") == 0) {
        CHECK_OK(mqtt_options_set_authenticator(options, "rot13", give_up, &destroyed,
                                                count_destroy));
        fails(options);
        CHECK(strstr(mqtt_last_error_cause(), "65,535") != NULL);
    } else if (strcmp(what, "free") == 0) {
        CHECK_OK(mqtt_options_set_authenticator(options, "rot13", end_session, &destroyed,
                                                count_destroy));
        asking = test_session(options);
        CHECK_STATUS(MQTT_CLOSED, mqtt_session_connect(asking, CHECK_DEADLINE_MS));
    } else if (strcmp(what, "scram") == 0) {
        CHECK_OK(mqtt_options_set_scram_sha_256(options, "me", "secret"));
        fails(options);
        CHECK(strstr(mqtt_last_error_message(), "secret") == NULL);
        counter_add(&destroyed);
    } else {
        credentials(options);
    }
    COUNTER_WAIT(&destroyed, 1);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
