/* Checks for the C tests: the first one that fails says where and why, and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <mqttsession.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What an output holds before a call that must leave it alone. */
#define UNTOUCHED ((void *)(uintptr_t)0x5a5a5a5a)

#define BAD_UTF8 "caf\xe9"

/* How long anything may take before it counts as never; not a measure of speed. */
#define CHECK_DEADLINE_MS 30000

#define CHECK(condition) \
    ((condition) ? (void)0 : check_fail(__FILE__, __LINE__, #condition))

/* A call that must return this status. */
#define CHECK_STATUS(expected, call) check_status(__FILE__, __LINE__, #call, (expected), (call))

/* A call that must succeed. */
#define CHECK_OK(call) CHECK_STATUS(MQTT_OK, call)

static inline void check_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", file, line, what,
            mqtt_last_error_message());
    exit(1);
}

static inline void check_status(const char *file, int line, const char *call,
                                mqtt_status expected, mqtt_status status)
{
    if (status == expected)
        return;
    fprintf(stderr, "%s:%d: %s: %s instead of %s (%s)\n", file, line, call,
            mqtt_status_name(status), mqtt_status_name(expected), mqtt_last_error_message());
    exit(1);
}

static inline int view_is(mqtt_view view, const char *text)
{
    return view.size == strlen(text) && memcmp(view.data, text, view.size) == 0;
}

/* Something that callbacks count and the main thread waits for. */
typedef struct counter {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int value;
} counter;

#define COUNTER {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static inline void counter_add(counter *counter)
{
    pthread_mutex_lock(&counter->mutex);
    counter->value += 1;
    pthread_cond_broadcast(&counter->changed);
    pthread_mutex_unlock(&counter->mutex);
}

static inline int counter_value(counter *counter)
{
    pthread_mutex_lock(&counter->mutex);
    int value = counter->value;
    pthread_mutex_unlock(&counter->mutex);
    return value;
}

#define COUNTER_WAIT(counter, least) counter_wait(__FILE__, __LINE__, (counter), (least))

static inline void counter_wait(const char *file, int line, counter *counter, int least)
{
    struct timespec deadline;
    timespec_get(&deadline, TIME_UTC);
    deadline.tv_sec += CHECK_DEADLINE_MS / 1000;
    pthread_mutex_lock(&counter->mutex);
    while (counter->value < least) {
        if (pthread_cond_timedwait(&counter->changed, &counter->mutex, &deadline) != 0) {
            fprintf(stderr, "%s:%d: waited for %d, got %d\n", file, line, least, counter->value);
            exit(1);
        }
    }
    pthread_mutex_unlock(&counter->mutex);
}

/* A destroy that counts. */
static inline void count_destroy(void *user_data)
{
    counter_add(user_data);
}

/* Options for the broker that the test was given. */
static inline mqtt_options *test_options(const char *address, const char *client_id)
{
    mqtt_options *options = NULL;
    CHECK_OK(mqtt_options_new(&options));
    CHECK_OK(mqtt_options_set_address(options, address));
    CHECK_OK(mqtt_options_set_client_id(options, client_id));
    return options;
}

/* A session of these options, which it frees. */
static inline mqtt_session *test_session(mqtt_options *options)
{
    mqtt_session *session = NULL;
    CHECK_OK(mqtt_session_new(options, &session));
    mqtt_options_free(options);
    return session;
}

/* A session that is connected. */
static inline mqtt_session *connected_session(const char *address, const char *client_id)
{
    mqtt_session *session = test_session(test_options(address, client_id));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    return session;
}

#endif
