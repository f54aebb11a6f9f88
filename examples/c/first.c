/* Subscribes, publishes at each quality of service, prints what comes back, and leaves.
 *
 *     cc first.c $(pkg-config --cflags --libs mqttsession) -o first
 *     ./first mqtt://localhost
 */
#include <mqttsession.h>

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

/* Runs on a thread of the library. */
static void on_message(const mqtt_message *message, void *received)
{
    mqtt_view topic = mqtt_message_topic(message);
    mqtt_view payload = mqtt_message_payload(message);
    printf("%.*s: %.*s\n", (int)topic.size, (const char *)topic.data, (int)payload.size,
           (const char *)payload.data);
    sem_post(received);
}

static int talk(mqtt_session *session)
{
    static const char *const words[] = {"at most once", "at least once", "exactly once"};
    static sem_t received;
    sem_init(&received, 0, 0);

    if (mqtt_session_connect(session, 10000) != MQTT_OK)
        return -1;
    if (mqtt_session_subscribe(session, "greeting/#", 2, 10000, on_message, &received, NULL, NULL) !=
        MQTT_OK)
        return -1;
    for (int qos = 0; qos <= 2; qos++) {
        if (mqtt_session_publish(session, "greeting/c", words[qos], strlen(words[qos]), qos, 0,
                                 NULL) != MQTT_OK)
            return -1;
    }
    if (mqtt_session_flush(session, 10000) != MQTT_OK)
        return -1;
    for (int qos = 0; qos <= 2; qos++)
        sem_wait(&received);
    return mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, 10000);
}

int main(int count, char **arguments)
{
    mqtt_options *options = NULL;
    mqtt_session *session = NULL;
    int failed = mqtt_options_new(&options) != MQTT_OK ||
                 mqtt_options_set_address(options, count > 1 ? arguments[1] : "mqtt://localhost") ||
                 mqtt_session_new(options, &session) != MQTT_OK || talk(session) != MQTT_OK;
    if (failed)
        fprintf(stderr, "%s\n", mqtt_last_error_message());
    mqtt_session_free(session);
    mqtt_options_free(options);
    return failed;
}
