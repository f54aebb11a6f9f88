/* A program that does nothing about SIGPIPE publishes without a pause while its broker hangs up on one
 * connection after the other: writing to one that has just ended must not end the program. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 100 };

static counter served = COUNTER;

/* Accepts, reads what the first publishing brings, and closes. */
static void *serve(void *user)
{
    static const char connack[] = {0x20, 2, 0, 0};
    int listener = *(int *)user;
    char bytes[4096];
    for (int i = 0; i < CONNECTIONS; i++) {
        int connection = accept(listener, NULL, NULL);
        CHECK(connection >= 0);
        CHECK(read(connection, bytes, sizeof bytes) > 0);
        CHECK(send(connection, connack, sizeof connack, MSG_NOSIGNAL) == sizeof connack);
        CHECK(read(connection, bytes, sizeof bytes) >= 0);
        close(connection);
        counter_add(&served);
    }
    close(listener);
    return NULL;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 8) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    pthread_t server;
    CHECK(pthread_create(&server, NULL, serve, &listener) == 0);

    mqtt_options *options = NULL;
    mqtt_session *session = NULL;
    CHECK_OK(mqtt_options_new(&options));
    CHECK_OK(mqtt_options_set_host(options, "127.0.0.1"));
    CHECK_OK(mqtt_options_set_port(options, ntohs(address.sin_port)));
    CHECK_OK(mqtt_options_set_reconnect_delay(options, 1, 1));
    CHECK_OK(mqtt_options_set_outgoing_policy(options, MQTT_POLICY_DROP_OLDEST));
    CHECK_OK(mqtt_options_set_outgoing_limit(options, 1000, 1 << 20));
    CHECK_OK(mqtt_session_new(options, &session));
    mqtt_options_free(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    while (counter_value(&served) < CONNECTIONS)
        CHECK_OK(mqtt_session_publish(session, "t", "x", 1, 0, 0, NULL));
    mqtt_session_free(session);
    pthread_join(server, NULL);

    /* It is the program's to decide about, and still what it was. */
    struct sigaction now;
    CHECK(sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    return 0;
}
