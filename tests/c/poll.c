/* Polled callbacks: they run on this thread, within poll only, and the descriptor says when.
 * Argument: the address of a broker that delivers messages after a subscription. */
#include "check.h"

#include <poll.h>

static pthread_t main_thread;
static mqtt_session *session;
static int received;
static counter destroyed = COUNTER;

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
    CHECK(pthread_equal(pthread_self(), main_thread));
    size_t count = 77;
    CHECK_STATUS(MQTT_BUSY, mqtt_session_poll(session, 0, 0, &count));
    CHECK(count == 77);
    received += 1;
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    main_thread = pthread_self();
    mqtt_options *options = test_options(arguments[1], "poll");
    CHECK_OK(mqtt_options_set_dispatch(options, MQTT_DISPATCH_POLLED));
    session = test_session(options);
    size_t ran = 77;
    CHECK_OK(mqtt_session_poll(session, 0, 0, &ran));
    CHECK(ran == 0);
    int32_t descriptor = -1;
    CHECK_OK(mqtt_session_descriptor(session, &descriptor));
    CHECK(descriptor >= 0);

    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message,
                                    &destroyed, count_destroy, NULL));
    while (received < 3) {
        struct pollfd readable = {descriptor, POLLIN, 0};
        CHECK(poll(&readable, 1, CHECK_DEADLINE_MS) == 1);
        CHECK_OK(mqtt_session_poll(session, 0, 1, &ran));
        CHECK(ran <= 1);
    }
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(counter_value(&destroyed) == 1);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
