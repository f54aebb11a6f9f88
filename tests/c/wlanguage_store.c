/* The facade with a StoreDirectory. Arguments: the address, the directory, and "killed" for a process
 * that dies when MQTTPublish has returned, "left" for a broker that does not confirm in time, "inside"
 * for publishing in a procedure, "full" for a store that takes nothing. */
#define _XOPEN_SOURCE 700
#include "durable.h"

#include <mqttsession_wlanguage.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *address, *directory;
static counter published = COUNTER;
static counter called = COUNTER;

static void set(mqttSession *session, const char *property, const char *value)
{
    if (mqttSessionSet(session, property, value) != 1)
        check_fail(__FILE__, __LINE__, MQTTErrorInfo());
}

static void must(int32_t done)
{
    if (!done)
        check_fail(__FILE__, __LINE__, MQTTErrorInfo());
}

static void check_clean(mqttSession *session, const char *expected)
{
    char text[8];
    CHECK(mqttSessionText(session, "CleanSession", text, sizeof text) > 0);
    CHECK(strcmp(text, expected) == 0);
}

static mqttSession *make(void)
{
    mqttSession *session = mqttSessionNew();
    set(session, "Address", address);
    set(session, "ConnectionTimeout", "30 s");
    check_clean(session, "true");
    set(session, "R\xc3\xa9pertoireStockage", directory);
    check_clean(session, "false");
    CHECK(MQTTConnect(session) == 0);
    CHECK(strstr(MQTTErrorInfo(), "ClientID") != NULL);
    set(session, "ClientID", "facade-store");
    must(MQTTConnect(session));
    return session;
}

static void on_published(mqttSession *session, int64_t number, void *user_data)
{
    CHECK(session == user_data && number > 0);
    counter_add(&published);
}

/* The number that MQTTPublish returned stands for a message that survives. */
static void killed(void)
{
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        mqttSession *session = make();
        CHECK(MQTTPublish(session, "facade/out", "hello", 5, 0, mqttQualityExactlyOnce,
                          on_published, session) == 1);
        kill(getpid(), SIGKILL);
    }
    int status = -1;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    mqttSession *session = make();
    must(MQTTDisconnect(session));
    mqttSessionFree(session);
    mqtt_store *store = open_store(directory, "facade-store");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 0);
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_LAST_NUMBER) == 1);
    mqtt_store_free(store);
}

/* What is not confirmed in time stays, and is sent after the next connect, of the same object too. */
static void left(void)
{
    mqttSession *session = make();
    CHECK(MQTTPublish(session, "facade/out", "hello", 5, 0, mqttQualityExactlyOnce, on_published,
                      session) > 0);
    set(session, "ConnectionTimeout", "10 ms");
    CHECK(MQTTDisconnect(session) == 0);
    CHECK(strstr(MQTTErrorInfo(), "1 messages") != NULL);
    CHECK(strstr(MQTTErrorInfo(), "stay in the store") != NULL);
    set(session, "ConnectionTimeout", "30 s");
    must(MQTTConnect(session));
    must(MQTTDisconnect(session));
    mqttSessionFree(session);
    mqtt_store_free(open_store(directory, "facade-store"));
}

static void on_message(mqttSession *session, const char *topic, const void *data, size_t size,
                       void *user_data)
{
    (void)topic;
    (void)data;
    (void)size;
    (void)user_data;
    counter_add(&called);
    if (counter_value(&called) != 10)
        return;
    for (int32_t quality = 0; quality <= 2; quality++) {
        int64_t number = MQTTPublish(session, "demo/out", "hello", 5, 0, quality, NULL, NULL);
        CHECK(quality == 0 ? number == 0 : number > 0);
    }
    counter_add(&published);
}

static void inside(void)
{
    mqttSession *session = make();
    must(MQTTSubscribe(session, "demo/in", mqttQualityAtLeastOnce, on_message, NULL));
    COUNTER_WAIT(&published, 1);
    COUNTER_WAIT(&called, 1000);
    must(MQTTDisconnect(session));
    mqttSessionFree(session);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* A number is never returned for a message that could be lost, and what fails is the caller's again: its
 * procedure does not come, also if the message is stored and sent later. */
static void full(void)
{
    signal(SIGXFSZ, SIG_IGN);
    mqttSession *session = make();
    limit_files(1);
    CHECK(MQTTPublish(session, "demo/out", "hello", 5, 0, mqttQualityAtLeastOnce, on_published,
                      session) == -1);
    CHECK(strstr(MQTTErrorInfo(), "room") != NULL);
    CHECK(MQTTPublish(session, "demo/out", "hello", 5, 0, mqttQualityAtMostOnce, NULL, NULL) == 0);
    limit_files(RLIM_INFINITY);
    must(MQTTDisconnect(session));
    CHECK(counter_value(&published) == 0);
    mqttSessionFree(session);
}

int main(int count, char **arguments)
{
    CHECK(count == 4);
    address = arguments[1];
    directory = arguments[2];
    const char *what = arguments[3];
    strcmp(what, "killed") == 0 ? killed()
    : strcmp(what, "left") == 0 ? left()
    : strcmp(what, "inside") == 0 ? inside()
                                  : full();
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
