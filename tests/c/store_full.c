/* A store that takes nothing more, and takes again. A limit of the operating system on the size of files
 * stands for the full disk. Arguments: an address where nobody listens, the address of a broker, the
 * store's directory. */
#define _XOPEN_SOURCE 700
#include "durable.h"

#include <signal.h>
#include <sys/resource.h>

static counter failed = COUNTER;
static counter recovered = COUNTER;
static counter without = COUNTER;

static void on_event(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    switch (mqtt_event_kind(event)) {
    case MQTT_EVENT_STORE_FAILED:
        CHECK(mqtt_event_status(event) == MQTT_STORE_FULL);
        CHECK(mqtt_last_error_is_retryable() == 1);
        counter_add(&failed);
        break;
    case MQTT_EVENT_STORE_RECOVERED:
        CHECK(mqtt_event_status(event) == MQTT_OK);
        counter_add(&recovered);
        break;
    case MQTT_EVENT_STORE_WITHOUT_SESSION:
        counter_add(&without);
        break;
    default:
        break;
    }
}

/* Files may have this size at most. */
static void limit_files(rlim_t size)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void full(const char *nobody, const char *directory)
{
    mqtt_session *session = durable_session(nobody, "full", directory);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, 0));
    publish_stored(session, "full/one", "one", 1);

    limit_files(1);
    uint64_t second = 0, third = 77;
    CHECK_OK(mqtt_session_publish(session, "full/two", "two", 3, 2, 0, &second));
    CHECK_STATUS(MQTT_STORE_FULL, mqtt_session_wait_stored(session, second, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&failed, 1);
    CHECK_STATUS(MQTT_STORE_FULL,
                 mqtt_session_publish(session, "full/three", "three", 5, 1, 0, &third));
    CHECK(third == 77);
    CHECK_OK(mqtt_session_publish(session, "full/zero", "", 0, 0, 0, NULL));
    CHECK(session_statistic(session, MQTT_STATISTIC_UNSTORED) == 1);

    limit_files(RLIM_INFINITY);
    COUNTER_WAIT(&recovered, 1);
    CHECK_OK(mqtt_session_wait_stored(session, second, CHECK_DEADLINE_MS));
    publish_stored(session, "full/three", "three", 1);
    CHECK(counter_value(&failed) == 1);
    mqtt_session_free(session);
    mqtt_store *store = open_store(directory, "full");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 3);
    mqtt_store_free(store);
}

/* What the store is still full for when the session ends has never been stored, and says so. */
static void full_to_the_end(const char *nobody, const char *directory)
{
    mqtt_session *session = durable_session(nobody, "end", directory);
    CHECK_OK(mqtt_session_connect(session, 0));
    uint64_t first = publish_stored(session, "end/one", "one", 1), second = 0;
    limit_files(1);
    CHECK_OK(mqtt_session_publish(session, "end/two", "two", 3, 1, 0, &second));
    mqtt_operation *ends[2] = {NULL, NULL};
    CHECK_OK(mqtt_session_wait_stored_start(session, first, &ends[0]));
    CHECK_STATUS(MQTT_STORE_FULL, mqtt_session_wait_stored(session, second, CHECK_DEADLINE_MS));
    CHECK_OK(mqtt_session_wait_stored_start(session, second, &ends[1]));
    mqtt_session_free(session);
    CHECK_OK(mqtt_operation_wait(ends[0], 0));
    CHECK_STATUS(MQTT_STORE_FULL, mqtt_operation_wait(ends[1], 0));
    mqtt_operation_free(ends[0]);
    mqtt_operation_free(ends[1]);
    limit_files(RLIM_INFINITY);
    mqtt_store *store = open_store(directory, "end");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 1);
    mqtt_store_free(store);
}

/* A clean session keeps messages, and the broker no session. */
static void clean(const char *address, const char *directory)
{
    mqtt_options *options = durable_options(address, "clean", directory);
    CHECK_OK(mqtt_options_set_clean_session(options, 1));
    CHECK_OK(mqtt_options_set_durability(options, MQTT_DURABILITY_SYSTEM, 0));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&without, 1);
    uint64_t number = publish_stored(session, "demo/out", "hello", 2);
    CHECK_OK(mqtt_session_wait(session, number, CHECK_DEADLINE_MS, NULL));
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
    CHECK(counter_value(&without) == 1);
}

int main(int count, char **arguments)
{
    CHECK(count == 4);
    /* Otherwise the limit ends the process. */
    signal(SIGXFSZ, SIG_IGN);
    full(arguments[1], arguments[3]);
    full_to_the_end(arguments[1], arguments[3]);
    clean(arguments[2], arguments[3]);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
