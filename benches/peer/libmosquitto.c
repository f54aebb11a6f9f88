/* Eclipse Mosquitto's C library with its own network thread. */
#include "../bench.h"

#include <mosquitto.h>
#include <stdio.h>

static void on_connect(struct mosquitto *session, void *user, int code)
{
    (void)session, (void)user;
    if (code)
        fail("CONNACK %d", code);
    tally_add(&connected, 1);
}

static void on_subscribe(struct mosquitto *session, void *user, int id, int count,
                         const int *granted)
{
    (void)session, (void)user, (void)id, (void)count, (void)granted;
    tally_add(&subscribed, 1);
}

static void on_publish(struct mosquitto *session, void *user, int id)
{
    (void)session, (void)user, (void)id;
    tally_add(&completed, 1);
}

static void on_message(struct mosquitto *session, void *user,
                       const struct mosquitto_message *message)
{
    (void)session, (void)user, (void)message;
    tally_add(&received, 1);
}

static void check(int code, const char *call)
{
    if (code != MOSQ_ERR_SUCCESS)
        fail("%s: %s", call, mosquitto_strerror(code));
}

const char *bench_library(void)
{
    static char text[48];
    int major, minor, revision;
    mosquitto_lib_version(&major, &minor, &revision);
    snprintf(text, sizeof text, "libmosquitto %d.%d.%d", major, minor, revision);
    return text;
}

void *bench_connect(const struct run *run, const char *client_id)
{
    mosquitto_lib_init(); /* counts its calls */
    struct mosquitto *session = mosquitto_new(client_id, true, NULL);
    if (!session)
        fail("mosquitto_new");
    int protocol = run->version == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311;
    check(mosquitto_int_option(session, MOSQ_OPT_PROTOCOL_VERSION, protocol), "protocol version");
    check(mosquitto_int_option(session, MOSQ_OPT_TCP_NODELAY, 1), "no delay");
    check(mosquitto_max_inflight_messages_set(session, (unsigned)run->window), "window");
    mosquitto_connect_callback_set(session, on_connect);
    mosquitto_subscribe_callback_set(session, on_subscribe);
    mosquitto_publish_callback_set(session, on_publish);
    mosquitto_message_callback_set(session, on_message);
    check(mosquitto_connect(session, run->host, run->port, 60), "mosquitto_connect");
    check(mosquitto_loop_start(session), "mosquitto_loop_start");
    return session;
}

void bench_subscribe(void *session, const char *filter, int qos)
{
    check(mosquitto_subscribe(session, NULL, filter, qos), "mosquitto_subscribe");
}

void bench_publish(void *session, const char *topic, const void *payload, size_t size, int qos)
{
    check(mosquitto_publish(session, NULL, topic, (int)size, payload, qos, false),
          "mosquitto_publish");
}
