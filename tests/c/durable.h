/* Sessions with a store, for the C tests. */
#ifndef DURABLE_H
#define DURABLE_H

#include "check.h"

/* Options of a session that keeps its messages in a directory, and tries on when nobody listens. */
static inline mqtt_options *durable_options(const char *address, const char *client_id,
                                            const char *directory)
{
    mqtt_options *options = test_options(address, client_id);
    CHECK_OK(mqtt_options_set_clean_session(options, 0));
    CHECK_OK(mqtt_options_set_store(options, directory));
    CHECK_OK(mqtt_options_set_retry_first_connect(options, 1));
    return options;
}

static inline mqtt_session *durable_session(const char *address, const char *client_id,
                                            const char *directory)
{
    return test_session(durable_options(address, client_id, directory));
}

/* Publishes, and returns when it is stored. */
static inline uint64_t publish_stored(mqtt_session *session, const char *topic,
                                      const char *payload, int32_t qos)
{
    uint64_t number = 0;
    CHECK_OK(mqtt_session_publish(session, topic, payload, strlen(payload), qos, 0, &number));
    CHECK_OK(mqtt_session_wait_stored(session, number, CHECK_DEADLINE_MS));
    return number;
}

/* The store of a client id, which no session has open. */
static inline mqtt_store *open_store(const char *directory, const char *client_id)
{
    mqtt_store *store = NULL;
    CHECK_OK(mqtt_store_open(directory, client_id, &store));
    return store;
}

static inline uint64_t store_statistic(const mqtt_store *store, int32_t which)
{
    uint64_t number = UINT64_MAX;
    CHECK_OK(mqtt_store_statistic(store, which, &number));
    return number;
}

static inline uint64_t session_statistic(const mqtt_session *session, int32_t which)
{
    uint64_t number = UINT64_MAX;
    CHECK_OK(mqtt_session_statistic(session, which, &number));
    return number;
}

#endif
