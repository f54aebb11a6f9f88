/* A process with a store is killed inside a message handler; the next one goes on. Arguments: the
 * address, the store's directory, and "kept" when the broker still has the session, "lost" when it has
 * not. */
#include "durable.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int kept;
static counter handled = COUNTER;
static counter released = COUNTER;
static counter restored = COUNTER;
static counter lost = COUNTER;

static void ignore(const mqtt_message *message, void *user_data)
{
    (void)user_data;
    CHECK(mqtt_message_redelivered(message) == 0);
    /* The first one is handled; inside the second one the process dies. */
    if (view_is(mqtt_message_payload(message), "deadly"))
        kill(getpid(), SIGKILL);
}

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)user_data;
    if (view_is(mqtt_message_payload(message), "bye")) {
        counter_add(&released);
        return;
    }
    CHECK(view_is(mqtt_message_payload(message), kept ? "deadly" : "new"));
    CHECK(mqtt_message_qos(message) == 2);
    CHECK(mqtt_message_duplicate(message) == kept);
    CHECK(mqtt_message_redelivered(message) == kept);
    mqtt_message *copy = NULL;
    CHECK_OK(mqtt_message_keep(message, &copy));
    CHECK(mqtt_message_redelivered(copy) == kept);
    mqtt_message_free(copy);
    counter_add(&handled);
}

static void on_event(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    switch (mqtt_event_kind(event)) {
    case MQTT_EVENT_RESTORED:
        CHECK(mqtt_event_messages(event) == 2 && mqtt_event_in_flight(event) == 2);
        CHECK(mqtt_event_interrupted(event) == 1);
        CHECK(mqtt_event_after_power_loss(event) == 0);
        counter_add(&restored);
        break;
    case MQTT_EVENT_SESSION_LOST:
        CHECK(mqtt_event_renewed(event) == 1 && mqtt_event_unknown(event) == 1);
        CHECK(mqtt_event_forgotten(event) == 2);
        CHECK(mqtt_event_messages(event) == 0 && mqtt_event_status(event) == MQTT_OK);
        counter_add(&lost);
        break;
    default:
        CHECK(mqtt_event_renewed(event) == 0 && mqtt_event_forgotten(event) == 0);
        break;
    }
}

static mqtt_session *session_with(mqtt_message_handler handler, const char *address,
                                  const char *directory)
{
    mqtt_session *session = durable_session(address, "killed", directory);
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 2, 0, handler, NULL, NULL, NULL));
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, NULL, NULL));
    return session;
}

static void first_life(const char *address, const char *directory)
{
    mqtt_session *session = session_with(ignore, address, directory);
    CHECK_OK(mqtt_session_set_event_handler(session, NULL, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    publish_stored(session, "killed/one", "one", 1);
    publish_stored(session, "killed/two", "two", 2);
    CHECK_STATUS(MQTT_OK, mqtt_session_flush(session, CHECK_DEADLINE_MS));
}

static void look(const char *directory)
{
    mqtt_store *store = open_store(directory, "killed");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 2);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_IN_FLIGHT) == 2);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_RELEASED) == 1);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_RECEIVED) == 2);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_SUBSCRIPTIONS) == 1);
    CHECK(view_is(mqtt_store_subscription(store, 0), "demo/in"));
    CHECK(mqtt_store_subscription(store, 1).size == 0);
    mqtt_store_free(store);
}

static void second_life(const char *address, const char *directory)
{
    mqtt_session *session = session_with(on_message, address, directory);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&restored, 1);
    CHECK_OK(mqtt_session_wait(session, 1, CHECK_DEADLINE_MS, NULL));
    CHECK_STATUS(kept ? MQTT_OK : MQTT_SESSION_LOST,
                 mqtt_session_wait(session, 2, CHECK_DEADLINE_MS, NULL));
    COUNTER_WAIT(&released, 1);
    if (!kept)
        COUNTER_WAIT(&lost, 1);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(counter_value(&handled) == 1 && counter_value(&lost) == !kept);
}

int main(int count, char **arguments)
{
    CHECK(count == 4);
    kept = strcmp(arguments[3], "kept") == 0;
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        first_life(arguments[1], arguments[2]);
        _exit(1);
    }
    int status = -1;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    look(arguments[2]);
    second_life(arguments[1], arguments[2]);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
