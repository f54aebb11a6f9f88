/* The facade against a real broker, in English and in French: properties, subscribing before
 * connecting, all qualities, procedures, errors. Arguments: host, port. */
#include "check.h"

#include <mqttsession_wlanguage.h>

static counter received = COUNTER;
static counter published = COUNTER;
static int64_t last_number = -1;

static void on_message(mqttSession *session, const char *topic, const void *data, size_t size,
                       void *user_data)
{
    CHECK(session == user_data);
    CHECK(strcmp(topic, "facade/in") == 0);
    CHECK(size == 5 && memcmp(data, "hello", 5) == 0);
    counter_add(&received);
}

static void on_published(mqttSession *session, int64_t number, void *user_data)
{
    CHECK(session == user_data);
    last_number = number;
    counter_add(&published);
}

static void set(mqttSession *session, const char *property, const char *value)
{
    if (mqttSessionSet(session, property, value) != 1) {
        fprintf(stderr, "%s: %s\n", property, MQTTErrorInfo());
        exit(1);
    }
}

static void properties(void)
{
    mqttSession *session = mqttSessionNew();
    char text[8];
    CHECK(mqttSessionSet(session, "Nonsense", "1") == 0);
    CHECK(strstr(MQTTErrorInfo(), "Nonsense") != NULL);
    CHECK(mqttSessionSet(session, NULL, "1") == 0);
    CHECK(mqttSessionSet(session, "Port", NULL) == 0);
    CHECK(mqttSessionSet(NULL, "Port", "1") == 0);
    CHECK(mqttSessionSet(session, "Port", "70000") == 0);
    set(session, "D\xc3\xa9laiConnexion", "500 ms");
    CHECK(mqttSessionText(session, "connectiontimeout", text, sizeof text) == 6);
    CHECK(strcmp(text, "500 ms") == 0);
    CHECK(mqttSessionText(session, "ConnectionTimeout", text, 4) == 6);
    CHECK(strcmp(text, "500") == 0);
    CHECK(mqttSessionText(session, "ConnectionTimeout", NULL, 0) == 6);
    CHECK(mqttSessionText(session, "ConnectionTimeout", NULL, 1) == -1);
    set(session, "UserPassword", "unguessable");
    CHECK(mqttSessionText(session, "UserPassword", text, sizeof text) == -1);
    set(session, "Option", "optionSSL");
    CHECK(mqttSessionText(session, "Port", text, sizeof text) == 4);
    CHECK(strcmp(text, "8883") == 0);
    mqttSessionFree(session);
    mqttSessionFree(NULL);
}

static void failures(void)
{
    mqttSession *session = mqttSessionNew();
    CHECK(MQTTConnect(NULL) == 0);
    CHECK(MQTTPublish(session, "a", "", 0, 0, 0, NULL, NULL) == -1);
    CHECK(MQTTErrorInfo()[0] != '\0');
    set(session, "Address", "localhost");
    CHECK(MQTTConnect(session) == 0);
    CHECK(strstr(MQTTErrorInfo(), "ClientID") != NULL);
    set(session, "ClientID", "facade");
    CHECK(MQTTSubscribe(session, "a", 3, on_message, NULL) == 0);
    CHECK(MQTTSubscribe(session, "a", 0, NULL, NULL) == 0);
    CHECK(MQTTSubscribe(session, "a/#/b", 0, on_message, NULL) == 0);
    CHECK(MQTTUnsubscribe(session, "unknown") == 1);
    CHECK(MQTTUnsubscribeAll(session) == 1);
    CHECK(MQTTDisconnect(session) == 1);
    mqttSessionFree(session);
}

static void english(const char *host, const char *port)
{
    mqttSession *session = mqttSessionNew();
    set(session, "Address", host);
    set(session, "Port", port);
    set(session, "ClientID", "facade-english");
    CHECK(MQTTSubscribe(session, "facade/+", mqttQualityExactlyOnce, on_message, session) == 1);
    if (!MQTTConnect(session))
        check_fail(__FILE__, __LINE__, MQTTErrorInfo());
    CHECK(MQTTConnect(session) == 1);
    CHECK(MQTTPublish(session, "facade/in", "hello", 5, 0, mqttQualityAtMostOnce, on_published,
                      session) == 0);
    COUNTER_WAIT(&published, 1);
    CHECK(last_number == 0);
    CHECK(MQTTPublish(session, "facade/in", "hello", 5, 0, mqttQualityAtLeastOnce, on_published,
                      session) > 0);
    CHECK(MQTTPublish(session, "facade/in", "hello", 5, 0, mqttQualityExactlyOnce, on_published,
                      session) > 0);
    COUNTER_WAIT(&received, 3);
    CHECK(MQTTPublish(session, "facade/#", "hello", 5, 0, 0, NULL, NULL) == -1);
    CHECK(MQTTPublish(session, "facade/in", "hello", 5, 0, 3, NULL, NULL) == -1);
    CHECK(MQTTUnsubscribe(session, "facade/+") == 1);
    /* Returns after the last procedure. */
    CHECK(MQTTDisconnect(session) == 1);
    CHECK(counter_value(&published) == 3);
    CHECK(MQTTPublish(session, "facade/in", "", 0, 0, 0, NULL, NULL) == -1);
    mqttSessionFree(session);
}

static void french(const char *host, const char *port)
{
    mqttSession *session = mqttSessionNew();
    set(session, "Adresse", host);
    set(session, "Port", port);
    set(session, "IDClient", "facade-francaise");
    set(session, "SessionPropre", "vrai");
    set(session, "VersionProtocole", "5");
    if (!MQTTConnecte(session))
        check_fail(__FILE__, __LINE__, MQTTErreurInfo());
    CHECK(MQTTAbonne(session, "facade/in", mqttQualiteAuMoinsUneFois, on_message, session) == 1);
    CHECK(MQTTPublie(session, "facade/in", "hello", 5, 0, mqttQualiteExactementUneFois, NULL,
                     NULL) > 0);
    COUNTER_WAIT(&received, 4);
    CHECK(MQTTDesabonne(session, "facade/in") == 1);
    CHECK(MQTTDesabonneTout(session) == 1);
    CHECK(MQTTDeconnecte(session) == 1);
    mqttSessionFree(session);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    properties();
    failures();
    english(arguments[1], arguments[2]);
    french(arguments[1], arguments[2]);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
