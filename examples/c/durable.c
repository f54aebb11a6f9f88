/* Publishes so that nothing is lost: not when the broker is away, and not when this program is killed.
 * What a run could not deliver, the next one does.
 *
 *     cc durable.c $(pkg-config --cflags --libs mqttsession) -o durable
 *     ./durable mqtt://localhost ./store "sensor 7: 21.5"
 */
#include <mqttsession.h>

#include <stdio.h>
#include <string.h>

static mqtt_status talk(mqtt_session *session, const char *text)
{
    uint64_t number = 0;
    /* A timeout of 0 starts to connect and does not wait for it. */
    mqtt_status status = mqtt_session_connect(session, 0);
    if (status == MQTT_OK)
        status = mqtt_session_publish(session, "greeting/durable", text, strlen(text), 2, 0, &number);
    if (status == MQTT_OK)
        status = mqtt_session_wait_stored(session, number, 10000);
    if (status != MQTT_OK)
        return status;
    printf("message %llu is on disk\n", (unsigned long long)number);
    fflush(stdout);
    /* Waits for every message, those of earlier runs too. */
    status = mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, 10000);
    if (status == MQTT_OK)
        puts("all messages are delivered, each once");
    return status;
}

int main(int count, char **arguments)
{
    const char *address = count > 1 ? arguments[1] : "mqtt://localhost";
    const char *directory = count > 2 ? arguments[2] : "store";
    mqtt_options *options = NULL;
    mqtt_session *session = NULL;
    int failed = mqtt_options_new(&options) != MQTT_OK ||
                 mqtt_options_set_address(options, address) != MQTT_OK ||
                 mqtt_options_set_client_id(options, "durable") != MQTT_OK ||
                 /* Half of the promise is the broker's: it must keep the session. */
                 mqtt_options_set_clean_session(options, 0) != MQTT_OK ||
                 mqtt_options_set_store(options, directory) != MQTT_OK ||
                 mqtt_options_set_retry_first_connect(options, 1) != MQTT_OK ||
                 mqtt_session_new(options, &session) != MQTT_OK ||
                 talk(session, count > 3 ? arguments[3] : "hello") != MQTT_OK;
    if (failed)
        fprintf(stderr, "%s\n", mqtt_last_error_message());
    mqtt_session_free(session);
    mqtt_options_free(options);
    return failed;
}
