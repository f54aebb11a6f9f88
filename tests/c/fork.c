/* A fork with a connected session: the child gets MQTT_FORKED, frees without waiting, sends
 * nothing and destroys nothing of the parent's; its own session works. So it is with a store that the
 * parent looks into. Arguments: the address for the parent, the one for the child, a directory. */
#include "durable.h"

#include <sys/wait.h>
#include <unistd.h>

static counter destroyed = COUNTER;

static void on_message(const mqtt_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
}

static int32_t on_stored(const mqtt_stored_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
    return 1;
}

/* The lock of the store is the parent's. */
static void check_store(mqtt_store *inherited, const char *directory)
{
    uint64_t number = 77;
    mqtt_store *own = UNTOUCHED;
    CHECK_STATUS(MQTT_FORKED,
                 mqtt_store_statistic(inherited, MQTT_STORE_STATISTIC_MESSAGES, &number));
    CHECK_STATUS(MQTT_FORKED, mqtt_store_messages(inherited, on_stored, NULL, NULL));
    CHECK_STATUS(MQTT_FORKED, mqtt_store_clear(inherited));
    CHECK(number == 77);
    mqtt_store_free(inherited);
    CHECK_STATUS(MQTT_STORE_LOCKED, mqtt_store_open(directory, "looked-at", &own));
    CHECK(own == UNTOUCHED);
}

static int child(mqtt_session *inherited, const char *address)
{
    CHECK_STATUS(MQTT_FORKED, mqtt_session_publish(inherited, "demo/out", "", 0, 0, 0, NULL));
    CHECK_STATUS(MQTT_FORKED, mqtt_session_connect(inherited, CHECK_DEADLINE_MS));
    CHECK_STATUS(MQTT_FORKED, mqtt_session_flush(inherited, CHECK_DEADLINE_MS));
    CHECK(mqtt_status_ends_session(MQTT_FORKED) == 1);
    mqtt_session_free(inherited);
    CHECK(destroyed.value == 0);

    mqtt_session *own = connected_session(address, "child");
    uint64_t number = 0;
    CHECK_OK(mqtt_session_publish(own, "demo/out", "hello", 5, 1, 0, &number));
    CHECK_OK(mqtt_session_wait(own, number, CHECK_DEADLINE_MS, NULL));
    CHECK_OK(mqtt_session_disconnect(own, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(own);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}

int main(int count, char **arguments)
{
    CHECK(count == 4);
    const char *directory = arguments[3];
    mqtt_session_free(durable_session("localhost", "looked-at", directory));
    mqtt_store *store = open_store(directory, "looked-at");
    mqtt_session *session = connected_session(arguments[1], "parent");
    CHECK_OK(mqtt_session_subscribe(session, "demo/in", 1, CHECK_DEADLINE_MS, on_message,
                                    &destroyed, count_destroy, NULL));
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        check_store(store, directory);
        _exit(child(session, arguments[2]));
    }
    int status = -1;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    uint64_t number = 0;
    CHECK_OK(mqtt_session_publish(session, "demo/out", "hello", 5, 1, 0, &number));
    CHECK_OK(mqtt_session_wait(session, number, CHECK_DEADLINE_MS, NULL));
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK_OK(mqtt_store_clear(store));
    mqtt_store_free(store);
    CHECK(counter_value(&destroyed) == 1);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
