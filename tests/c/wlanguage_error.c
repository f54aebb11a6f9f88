/* A failing MQTTConnect says why through MQTTErrorInfo. Arguments: the address, and words of the
 * text. */
#include "check.h"

#include <mqttsession_wlanguage.h>

static void ignore(mqttSession *session, const char *topic, const void *data, size_t size,
                   void *user_data)
{
    (void)session;
    (void)topic;
    (void)data;
    (void)size;
    (void)user_data;
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    mqttSession *session = mqttSessionNew();
    CHECK(mqttSessionSet(session, "Address", arguments[1]) == 1);
    CHECK(mqttSessionSet(session, "ClientID", "error") == 1);
    CHECK(mqttSessionSet(session, "UserPassword", "unguessable") == 1);
    CHECK(mqttSessionSet(session, "User", "somebody") == 1);
    CHECK(mqttSessionSet(session, "ConnectionTimeout", "30 s") == 1);
    CHECK(MQTTSubscribe(session, "demo/in", mqttQualityAtLeastOnce, ignore, NULL) == 1);
    CHECK(MQTTConnect(session) == 0);
    printf("%s\n", MQTTErrorInfo());
    CHECK(strstr(MQTTErrorInfo(), arguments[2]) != NULL);
    CHECK(strstr(MQTTErrorInfo(), "unguessable") == NULL);
    CHECK(MQTTPublish(session, "demo/out", "", 0, 0, 0, NULL, NULL) == -1);
    CHECK(MQTTDisconnect(session) == 1);
    mqttSessionFree(session);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
