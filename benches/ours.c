/* mqttsession through its C interface. With -DINLINE callbacks run on the I/O thread. The environment's
 * BENCH_STORE is a directory for a store, and BENCH_DURABILITY, message or system, when it syncs;
 * BENCH_AUTHORITY is the file of an authority to trust, and asks for TLS. */
#include "bench.h"

#include <mqttsession.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From this size on a program that has a payload at hand lends it. */
#define LARGE ((size_t)16 << 10)

static mqtt_publish_options *how[3]; /* by quality of service */

static atomic_long returned; /* payloads that were lent and have come back */

static void check(mqtt_status status, const char *call)
{
    if (status != MQTT_OK)
        fail("%s: %s", call, mqtt_last_error_message());
}

static void on_connected(const mqtt_operation *operation, mqtt_status status, void *user)
{
    (void)operation, (void)user;
    check(status, "connect");
    tally_add(&connected, 1);
}

static void on_subscribed(const mqtt_operation *operation, mqtt_status status, void *user)
{
    (void)operation, (void)user;
    check(status, "subscribe");
    tally_add(&subscribed, 1);
}

static void on_published(uint64_t number, mqtt_status status, const mqtt_outcome *outcome,
                         void *user)
{
    (void)number, (void)outcome, (void)user;
    check(status, "publish");
    tally_add(&completed, 1);
}

/* The payload of all messages is one, which is never freed: only how often it comes back is counted. */
static void on_returned(void *user)
{
    (void)user;
    atomic_fetch_add_explicit(&returned, 1, memory_order_relaxed);
}

static void on_message(const mqtt_message *message, void *user)
{
    (void)message, (void)user;
    tally_add(&received, 1);
}

const char *bench_library(void)
{
    static char text[48];
    snprintf(text, sizeof text, "mqttsession %s", mqtt_library_version());
    return text;
}

static void set_store(mqtt_options *options)
{
    const char *directory = getenv("BENCH_STORE"), *durability = getenv("BENCH_DURABILITY");
    if (!directory)
        return;
    int system = durability && !strcmp(durability, "system");
    check(mqtt_options_set_store(options, directory), "store");
    check(mqtt_options_set_durability(
              options, system ? MQTT_DURABILITY_SYSTEM : MQTT_DURABILITY_MESSAGE, 0),
          "durability");
    check(mqtt_options_set_clean_session(options, 0), "clean session");
}

void *bench_connect(const struct run *run, const char *client_id)
{
    char address[128];
    const char *authority = getenv("BENCH_AUTHORITY");
    snprintf(address, sizeof address, "%s://%s:%d", authority ? "mqtts" : "mqtt", run->host,
             run->port);
    mqtt_options *options = NULL;
    mqtt_session *session = NULL;
    mqtt_operation *operation = NULL;
    check(mqtt_options_new(&options), "mqtt_options_new");
    check(mqtt_options_set_address(options, address), "address");
    check(mqtt_options_set_client_id(options, client_id), "client id");
    check(mqtt_options_set_version(options, run->version), "version");
    check(mqtt_options_set_in_flight_limit(options, (int32_t)run->window), "window");
    if (authority)
        check(mqtt_options_add_tls_authority_file(options, authority), "authority");
    set_store(options);
#ifdef INLINE
    check(mqtt_options_set_dispatch(options, MQTT_DISPATCH_INLINE), "dispatch");
#endif
    check(mqtt_session_new(options, &session), "mqtt_session_new");
    mqtt_options_free(options);
    check(mqtt_session_connect_start(session, &operation), "mqtt_session_connect_start");
    check(mqtt_operation_on_end(operation, on_connected, NULL, NULL), "mqtt_operation_on_end");
    for (int qos = 0; qos <= 2 && !how[qos]; qos++) {
        check(mqtt_publish_options_new(&how[qos]), "mqtt_publish_options_new");
        check(mqtt_publish_options_set_qos(how[qos], qos), "QoS");
    }
    return session;
}

void bench_subscribe(void *session, const char *filter, int qos)
{
    mqtt_subscribe_options *options = NULL;
    mqtt_operation *operation = NULL;
    check(mqtt_subscribe_options_new(&options), "mqtt_subscribe_options_new");
    check(mqtt_subscribe_options_set_qos(options, qos), "QoS");
    check(mqtt_session_subscribe_start(session, &filter, 1, options, on_message, NULL, NULL,
                                       &operation),
          "mqtt_session_subscribe_start");
    check(mqtt_operation_on_end(operation, on_subscribed, NULL, NULL), "mqtt_operation_on_end");
    mqtt_subscribe_options_free(options);
}

/* At QoS 0 the library's own queue is bounded: a full one makes the call wait. */
void bench_publish(void *session, const char *topic, const void *payload, size_t size, int qos)
{
    mqtt_publish_handler handler = qos ? on_published : NULL;
    if (size >= LARGE)
        check(mqtt_session_publish_lent(session, topic, payload, size, how[qos], handler, NULL,
                                        on_returned, NULL),
              "publish");
    else if (qos)
        check(mqtt_session_publish_with(session, topic, payload, size, how[qos], handler, NULL,
                                        NULL, NULL),
              "publish");
    else
        check(mqtt_session_publish(session, topic, payload, size, 0, 0, NULL), "publish");
    if (!qos)
        tally_add(&completed, 1);
}
