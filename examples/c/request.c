/* Asks and answers (MQTT 5.0): one session does both here; usually two programs do.
 *
 *     cc request.c $(pkg-config --cflags --libs mqttsession) -o request
 *     ./request mqtt://localhost
 */
#include <mqttsession.h>

#include <stdio.h>

/* Runs on a thread of the library; what it sets is sent when it has returned. */
static void add_one(const mqtt_message *request, mqtt_response *response, void *user_data)
{
    (void)user_data;
    mqtt_view asked = mqtt_message_payload(request);
    int number = 0;
    char text[16], sum[16];
    snprintf(text, sizeof text, "%.*s", (int)asked.size, (const char *)asked.data);
    if (sscanf(text, "%d", &number) != 1)
        return;
    mqtt_response_set_payload(response, sum, snprintf(sum, sizeof sum, "%d", number + 1));
}

static int talk(mqtt_session *session)
{
    mqtt_message *answer = NULL;
    if (mqtt_session_connect(session, 10000) != MQTT_OK)
        return -1;
    if (mqtt_session_respond(session, "sum/c", 1, 10000, add_one, NULL, NULL, NULL) != MQTT_OK)
        return -1;
    if (mqtt_session_request(session, "sum/c", "41", 2, NULL, 10000, &answer) != MQTT_OK)
        return -1;
    mqtt_view sum = mqtt_message_payload(answer);
    printf("41 and 1 are %.*s\n", (int)sum.size, (const char *)sum.data);
    mqtt_message_free(answer);
    return mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, 10000);
}

int main(int count, char **arguments)
{
    mqtt_options *options = NULL;
    mqtt_session *session = NULL;
    int failed = mqtt_options_new(&options) != MQTT_OK ||
                 mqtt_options_set_address(options, count > 1 ? arguments[1] : "mqtt://localhost") ||
                 mqtt_options_set_version(options, MQTT_PROTOCOL_5) != MQTT_OK ||
                 mqtt_session_new(options, &session) != MQTT_OK || talk(session) != MQTT_OK;
    if (failed)
        fprintf(stderr, "%s\n", mqtt_last_error_message());
    mqtt_session_free(session);
    mqtt_options_free(options);
    return failed;
}
