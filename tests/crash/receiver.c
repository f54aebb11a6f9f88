/* Receives numbers with QoS 2 through a store, and says which it begins and ends to handle.
 *
 *     receiver ADDRESS VERSION SET_ASIDE_AFTER STORE
 *
 * It goes on until it is killed.
 */
#include "program.h"

static void on_message(const mqtt_message *message, void *user)
{
    (void)user;
    mqtt_view payload = mqtt_message_payload(message);
    int size = (int)payload.size;
    const char *number = (const char *)payload.data;
    say("enter %.*s %d\n", size, number, mqtt_message_redelivered(message) != 0);
    /* The work, of up to six milliseconds, in which to die. */
    struct timespec work = {.tv_nsec = number[size - 1] % 4 * 2000000};
    nanosleep(&work, NULL);
    say("leave %.*s\n", size, number);
}

int main(int count, char **arguments)
{
    if (count != 5)
        return 2;
    mqtt_session *session = make_session(make_options("receiver", arguments));
    check(mqtt_session_subscribe(session, "crash", 2, 0, on_message, NULL, NULL, NULL),
          "subscribe");
    check(mqtt_session_connect(session, 0), "connect");
    for (;;)
        pause();
}
