/* The facade's functions inside a message procedure, while messages keep arriving. Arguments: the
 * address, and "publish", "disconnect" or "free". */
#include "check.h"

#include <mqttsession_wlanguage.h>

static const char *what;
static counter called = COUNTER;
static counter published = COUNTER;
static counter done = COUNTER;

static void on_published(mqttSession *session, int64_t number, void *user_data)
{
    CHECK(session == user_data);
    CHECK(number > 0);
    counter_add(&published);
}

static void ignore(mqttSession *session, const char *topic, const void *data, size_t size,
                   void *user_data)
{
    (void)session;
    (void)topic;
    (void)data;
    (void)size;
    (void)user_data;
}

static void on_message(mqttSession *session, const char *topic, const void *data, size_t size,
                       void *user_data)
{
    (void)data;
    (void)size;
    (void)user_data;
    CHECK(strcmp(topic, "demo/in") == 0);
    counter_add(&called);
    if (counter_value(&called) != 10)
        return;
    if (strcmp(what, "publish") == 0) {
        CHECK(MQTTSubscribe(session, "demo/more", mqttQualityAtLeastOnce, ignore, NULL) == 1);
        CHECK(MQTTPublish(session, "demo/out", "hello", 5, 0, mqttQualityExactlyOnce, on_published,
                          session) > 0);
        CHECK(MQTTUnsubscribe(session, "demo/more") == 1);
    } else if (strcmp(what, "disconnect") == 0) {
        CHECK(MQTTDisconnect(session) == 1);
        CHECK(MQTTPublish(session, "demo/out", "", 0, 0, 0, NULL, NULL) == -1);
    } else {
        mqttSessionFree(session);
        /* The object is valid until this procedure has returned. */
        CHECK(MQTTPublish(session, "demo/out", "", 0, 0, 0, NULL, NULL) == -1);
    }
    counter_add(&done);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    what = arguments[2];
    mqttSession *session = mqttSessionNew();
    CHECK(mqttSessionSet(session, "Address", arguments[1]) == 1);
    CHECK(mqttSessionSet(session, "ClientID", "inside") == 1);
    CHECK(mqttSessionSet(session, "ConnectionTimeout", "30 s") == 1);
    CHECK(MQTTConnect(session) == 1);
    CHECK(MQTTSubscribe(session, "demo/in", mqttQualityAtLeastOnce, on_message, NULL) == 1);
    COUNTER_WAIT(&done, 1);
    if (strcmp(what, "publish") == 0) {
        COUNTER_WAIT(&called, 1000);
        CHECK(MQTTDisconnect(session) == 1);
        CHECK(counter_value(&published) == 1);
    }
    if (strcmp(what, "free") != 0)
        mqttSessionFree(session);
    CHECK_OK(mqtt_library_shutdown(CHECK_DEADLINE_MS));
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
