/* Publishes ascending numbers with QoS 2 through a store, and says which are stored.
 *
 *     publisher ADDRESS VERSION SET_ASIDE_AFTER STORE FIRST
 *
 * It goes on until it is killed. With FIRST 0 it publishes nothing, and ends when all that earlier
 * ones left in the store has been delivered. With STORE - there is no store, and what it says is
 * what somebody would hope who has none.
 */
#include "program.h"

enum { PIPELINE = 8, WAIT_MS = 60000 };

int main(int count, char **arguments)
{
    if (count != 6)
        return 2;
    int stored = strcmp(arguments[4], "-") != 0;
    unsigned long long next = strtoull(arguments[5], NULL, 10);
    mqtt_options *options = make_options("publisher", arguments);
    /* Few enough that what is behind them does not grow from life to life. */
    check(mqtt_options_set_outgoing_limit(options, 200, 1 << 20), "outgoing limit");
    check(mqtt_options_set_outgoing_wait(options, WAIT_MS), "outgoing wait");
    mqtt_session *session = make_session(options);
    check(mqtt_session_connect(session, 0), "connect");
    if (next == 0) {
        check(mqtt_session_flush(session, WAIT_MS), "flush");
        check(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, WAIT_MS), "disconnect");
        mqtt_session_free(session);
        say("drained\n");
        return 0;
    }
    for (;;) {
        uint64_t numbers[PIPELINE];
        size_t length = 1 + next % PIPELINE;
        /* Said first: what has not been said has never been published. */
        say("try %llu\n", next + length - 1);
        for (size_t i = 0; i < length; i++) {
            char text[24];
            int size = snprintf(text, sizeof text, "%llu", next + i);
            check(mqtt_session_publish(session, "crash", text, (size_t)size, 2, 0, &numbers[i]),
                  "publish");
        }
        for (size_t i = 0; i < length; i++) {
            if (stored)
                check(mqtt_session_wait_stored(session, numbers[i], WAIT_MS), "wait_stored");
            say("stored %llu\n", next + i);
        }
        next += length;
    }
}
