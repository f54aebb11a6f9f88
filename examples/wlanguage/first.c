/* The same with the mqttSession object of the WLanguage family.
 *
 *     cc first.c $(pkg-config --cflags --libs mqttsession) -o first
 *     ./first mqtt://localhost
 */
#include <mqttsession_wlanguage.h>

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

/* Procedures run on a thread of the library. */
static void on_message(mqttSession *session, const char *topic, const void *data, size_t size,
                       void *received)
{
    (void)session;
    printf("%s: %.*s\n", topic, (int)size, (const char *)data);
    sem_post(received);
}

static void on_published(mqttSession *session, int64_t message_number, void *word)
{
    (void)session;
    printf("published %s, number %lld\n", (const char *)word, (long long)message_number);
}

static int talk(mqttSession *session)
{
    static char words[3][16] = {"at most once", "at least once", "exactly once"};
    static sem_t received;
    sem_init(&received, 0, 0);

    if (!MQTTConnect(session))
        return 0;
    if (!MQTTSubscribe(session, "greeting/#", mqttQualityExactlyOnce, on_message, &received))
        return 0;
    for (int quality = mqttQualityAtMostOnce; quality <= mqttQualityExactlyOnce; quality++) {
        char *word = words[quality];
        if (MQTTPublish(session, "greeting/wlanguage", word, strlen(word), 0, quality, on_published,
                        word) < 0)
            return 0;
    }
    for (int quality = mqttQualityAtMostOnce; quality <= mqttQualityExactlyOnce; quality++)
        sem_wait(&received);
    return MQTTDisconnect(session);
}

int main(int count, char **arguments)
{
    mqttSession *session = mqttSessionNew();
    mqttSessionSet(session, "Address", count > 1 ? arguments[1] : "mqtt://localhost");
    mqttSessionSet(session, "ClientID", "first");
    int succeeded = talk(session);
    if (!succeeded)
        fprintf(stderr, "%s\n", MQTTErrorInfo());
    mqttSessionFree(session);
    return !succeeded;
}
