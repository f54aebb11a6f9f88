/* Forks while threads wait inside the library, often: whatever those waited for, the child's own calls
 * return. No broker listens. */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

enum { WAITING = 6, CHILDREN = 40 };

/* Waits until the session is closed. */
static void *wait_in_poll(void *session)
{
    CHECK_OK(mqtt_session_poll(session, MQTT_FOREVER, 0, NULL));
    return NULL;
}

static mqtt_session *polled_session(void)
{
    mqtt_options *options = test_options("localhost:1", "parent");
    CHECK_OK(mqtt_options_set_dispatch(options, MQTT_DISPATCH_POLLED));
    return test_session(options);
}

/* Waits on the library's threads and for an answer, several times. */
static int child(void)
{
    alarm(CHECK_DEADLINE_MS / 1000);
    for (int i = 0; i < 3; i++) {
        mqtt_session *own = test_session(test_options("localhost:1", "child"));
        CHECK_STATUS(MQTT_CONNECTION_REFUSED, mqtt_session_connect(own, CHECK_DEADLINE_MS));
        mqtt_session_free(own);
    }
    return 0;
}

int main(void)
{
    mqtt_session *sessions[WAITING];
    pthread_t threads[WAITING];
    for (int i = 0; i < WAITING; i++) {
        sessions[i] = polled_session();
        CHECK(pthread_create(&threads[i], NULL, wait_in_poll, sessions[i]) == 0);
    }
    void *between[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        /* What the child makes lies elsewhere each time. */
        between[i] = malloc(1000 + 48 * (size_t)i);
        CHECK(between[i]);
        pid_t process = fork();
        CHECK(process >= 0);
        if (process == 0)
            _exit(child());
        int status = -1;
        CHECK(waitpid(process, &status, 0) == process);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    for (int i = 0; i < CHILDREN; i++)
        free(between[i]);
    for (int i = 0; i < WAITING; i++)
        mqtt_session_free(sessions[i]);
    for (int i = 0; i < WAITING; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
