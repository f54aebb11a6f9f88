/* Eclipse Paho C, its asynchronous API. */
#include "../bench.h"

#include <MQTTAsync.h>
#include <stdio.h>
#include <string.h>

static int version;

/* Paho has a pair of callbacks for 3.1.1 and another one for 5.0; a tally is their context. */
static void on_success(void *tally, MQTTAsync_successData *data)
{
    (void)data;
    tally_add(tally, 1);
}

static void on_success5(void *tally, MQTTAsync_successData5 *data)
{
    (void)data;
    tally_add(tally, 1);
}

static void on_failure(void *tally, MQTTAsync_failureData *data)
{
    (void)tally;
    fail("Paho: failure %d", data ? data->code : 0);
}

static void on_failure5(void *tally, MQTTAsync_failureData5 *data)
{
    (void)tally;
    fail("Paho: failure %d, reason code %d", data ? data->code : 0,
         data ? (int)data->reasonCode : 0);
}

static int on_message(void *context, char *topic, int length, MQTTAsync_message *message)
{
    (void)context, (void)length;
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    tally_add(&received, 1);
    return 1;
}

static void check(int code, const char *call)
{
    if (code != MQTTASYNC_SUCCESS)
        fail("%s: %d", call, code);
}

static MQTTAsync_responseOptions count_in(struct tally *tally)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = tally;
    if (version == 5) {
        options.onSuccess5 = on_success5;
        options.onFailure5 = on_failure5;
    } else {
        options.onSuccess = on_success;
        options.onFailure = on_failure;
    }
    return options;
}

const char *bench_library(void)
{
    static char text[64] = "Paho C";
    for (MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo(); info && info->name; info++)
        if (!strcmp(info->name, "Version"))
            snprintf(text, sizeof text, "Paho C %s", info->value);
    return text;
}

void *bench_connect(const struct run *run, const char *client_id)
{
    char uri[128];
    MQTTAsync session;
    snprintf(uri, sizeof uri, "tcp://%s:%d", run->host, run->port);
    version = run->version;

    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
    create.MQTTVersion = version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    create.maxBufferedMessages = 1 << 20; /* sending fails at the default, 100 */
    check(MQTTAsync_createWithOptions(&session, uri, client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                      &create),
          "MQTTAsync_create");
    check(MQTTAsync_setCallbacks(session, NULL, NULL, on_message, NULL), "MQTTAsync_setCallbacks");

    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    if (version == 5) {
        options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer5;
        options.cleanstart = 1;
        options.onSuccess5 = on_success5;
        options.onFailure5 = on_failure5;
    } else {
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.onSuccess = on_success;
        options.onFailure = on_failure;
    }
    options.maxInflight = (int)run->window;
    options.context = &connected;
    check(MQTTAsync_connect(session, &options), "MQTTAsync_connect");
    return session;
}

void bench_subscribe(void *session, const char *filter, int qos)
{
    MQTTAsync_responseOptions options = count_in(&subscribed);
    check(MQTTAsync_subscribe(session, filter, qos, &options), "MQTTAsync_subscribe");
}

void bench_publish(void *session, const char *topic, const void *payload, size_t size, int qos)
{
    MQTTAsync_responseOptions options = count_in(&completed);
    check(MQTTAsync_send(session, topic, (int)size, payload, qos, 0, &options), "MQTTAsync_send");
}
