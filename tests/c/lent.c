/* Payloads that are lent: they arrive, are not copied, and come back exactly once, when and where the
 * header says. Arguments: what is to be checked, the address of a broker, and for "stored" the store's
 * directory. Payloads that come back are freed, so that who looks at one too late is found. */
#include "check.h"

#include <stdatomic.h>

/* From here on a payload is not copied. */
#define LARGE ((size_t)16 << 10)

/* A payload, and what becomes of it. */
typedef struct loan {
    char *payload;
    size_t size;
    mqtt_session *session;
    atomic_int handled;
    mqtt_status outcome;
    pthread_t thread;
    counter ended;
} loan;

static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
static const pthread_cond_t unchanged = PTHREAD_COND_INITIALIZER;

static loan *new_loan(size_t size, char filling)
{
    loan *new = calloc(1, sizeof *new);
    CHECK(new);
    new->payload = malloc(size ? size : 1);
    CHECK(new->payload);
    memset(new->payload, filling, size ? size : 1);
    new->size = size;
    new->ended.mutex = unlocked;
    new->ended.changed = unchanged;
    return new;
}

static void free_loan(loan *old)
{
    CHECK(counter_value(&old->ended) == 1);
    CHECK(old->payload == NULL);
    pthread_mutex_destroy(&old->ended.mutex);
    pthread_cond_destroy(&old->ended.changed);
    free(old);
}

static void on_end(uint64_t number, mqtt_status status, const mqtt_outcome *how, void *user_data)
{
    loan *its = user_data;
    (void)how;
    CHECK(number > 0);
    CHECK(its->payload != NULL);
    CHECK(its->handled == 0);
    its->outcome = status;
    its->handled = 1;
}

/* Ends a loan: the payload is the program's again. */
static void end_loan(void *user_data)
{
    loan *its = user_data;
    free(its->payload);
    its->payload = NULL;
    its->thread = pthread_self();
    counter_add(&its->ended);
}

/* The same, and calls the library, which waits for the broker. */
static void end_loan_calling(void *user_data)
{
    loan *its = user_data;
    uint64_t number = 0;
    CHECK_OK(mqtt_session_publish(its->session, "demo/again", "", 0, 1, 0, &number));
    CHECK_OK(mqtt_session_wait(its->session, number, CHECK_DEADLINE_MS, NULL));
    end_loan(user_data);
}

static mqtt_status lend(mqtt_session *session, loan *its, int32_t qos, mqtt_publish_handler handler,
                        mqtt_destroy destroy)
{
    mqtt_publish_options *options = NULL;
    uint64_t number = 0;
    CHECK_OK(mqtt_publish_options_new(&options));
    CHECK_OK(mqtt_publish_options_set_qos(options, qos));
    mqtt_status status =
        mqtt_session_publish_lent(session, "demo/out", its->payload, its->size, options, handler,
                                  its, destroy, &number);
    CHECK((status == MQTT_OK) == (number > 0));
    mqtt_publish_options_free(options);
    return status;
}

static int is_lent(loan *its)
{
    return counter_value(&its->ended) == 0;
}

/* Each quality of service, with and without a handler, small and large. */
static void check_ended(mqtt_session *session)
{
    for (int32_t qos = 0; qos <= 2; qos++) {
        for (int handled = 0; handled <= 1; handled++) {
            for (size_t size = 0; size <= 64 * LARGE; size = size ? size * 64 : LARGE) {
                loan *its = new_loan(size, 'x');
                CHECK_OK(lend(session, its, qos, handled ? on_end : NULL, end_loan));
                CHECK(handled || size >= LARGE || !is_lent(its));
                COUNTER_WAIT(&its->ended, 1);
                CHECK(its->handled == handled);
                CHECK(its->outcome == MQTT_OK);
                free_loan(its);
            }
        }
    }
    /* Bytes that are never freed need no destroy, with a handler or without. */
    static const char forever[16 << 10];
    CHECK_OK(mqtt_session_publish_lent(session, "demo/out", forever, sizeof forever, NULL, NULL,
                                       NULL, NULL, NULL));
    CHECK_OK(mqtt_session_publish_lent(session, "demo/out", NULL, 0, NULL, NULL, NULL, NULL, NULL));
    loan *its = new_loan(LARGE, 'x');
    its->session = session;
    CHECK_OK(lend(session, its, 1, on_end, end_loan_calling));
    COUNTER_WAIT(&its->ended, 1);
    free_loan(its);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
}

/* What fails gives the payload back before it returns, and calls no handler. */
static void check_refused(const char *address)
{
    static const mqtt_status all[] = {MQTT_INVALID_ARGUMENT, MQTT_INVALID_TOPIC, MQTT_NOT_CONNECTED,
                                      MQTT_QUEUE_FULL, MQTT_NOT_SUPPORTED};
    mqtt_options *options = test_options(address, "lent");
    CHECK_OK(mqtt_options_set_outgoing_limit(options, 1, 1 << 30));
    CHECK_OK(mqtt_options_set_outgoing_policy(options, MQTT_POLICY_REJECT));
    mqtt_session *session = test_session(options);
    mqtt_publish_options *how = NULL;
    mqtt_properties *properties = NULL;
    CHECK_OK(mqtt_publish_options_new(&how));
    CHECK_OK(mqtt_properties_new(&properties));
    CHECK_OK(mqtt_properties_add_text(properties, MQTT_PROPERTY_CONTENT_TYPE, "text/plain"));
    loan *first = NULL;
    for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
        const char *topic = all[at] == MQTT_INVALID_TOPIC ? "demo/#" : "demo/out";
        uint64_t number = 77;
        if (all[at] == MQTT_QUEUE_FULL) {
            CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
            first = new_loan(LARGE, 'x');
            CHECK_OK(lend(session, first, 1, on_end, end_loan));
        }
        CHECK_OK(mqtt_publish_options_set_qos(how, 1));
        CHECK_OK(mqtt_publish_options_set_properties(
            how, all[at] == MQTT_NOT_SUPPORTED ? properties : NULL));
        for (size_t size = 1; size <= LARGE; size += LARGE - 1) {
            loan *its = new_loan(size, 'x');
            const void *payload = all[at] == MQTT_INVALID_ARGUMENT ? NULL : its->payload;
            CHECK_STATUS(all[at], mqtt_session_publish_lent(session, topic, payload, size, how,
                                                            on_end, its, end_loan, &number));
            CHECK(!is_lent(its));
            CHECK(its->handled == 0);
            CHECK(number == 77);
            free_loan(its);
        }
    }
    mqtt_properties_free(properties);
    mqtt_publish_options_free(how);
    loan *its = new_loan(LARGE, 'x');
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, lend(NULL, its, 1, on_end, end_loan));
    free_loan(its);
    /* The one that was accepted ends with the session. */
    CHECK(is_lent(first));
    mqtt_session_free(session);
    CHECK(first->handled == 1 && first->outcome == MQTT_CANCELLED);
    free_loan(first);
}

/* A session that ends gives everything back before mqtt_session_free returns: what it could not send,
 * or what was waiting to be acknowledged. */
static void check_freed(const char *address, int64_t timeout_ms)
{
    loan *all[6];
    mqtt_options *options = test_options(address, "lent");
    CHECK_OK(mqtt_options_set_retry_first_connect(options, 1));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, timeout_ms));
    for (int32_t at = 0; at < 6; at++) {
        all[at] = new_loan(LARGE, 'x');
        CHECK_OK(lend(session, all[at], at / 2, at % 2 ? on_end : NULL, end_loan));
    }
    mqtt_session_free(session);
    for (int32_t at = 0; at < 6; at++)
        free_loan(all[at]);
}

static counter lost = COUNTER;

static void on_event(const mqtt_event *event, void *user_data)
{
    (void)user_data;
    if (mqtt_event_kind(event) == MQTT_EVENT_RETRYING)
        counter_add(&lost);
}

/* The broker does not acknowledge and closes the connection. So far the payload is lent; what is changed
 * now, which no program may do, arrives changed: there is no copy of it. */
static void check_unacknowledged(const char *address)
{
    mqtt_options *options = test_options(address, "lent");
    CHECK_OK(mqtt_options_set_clean_session(options, 0));
    CHECK_OK(mqtt_options_set_reconnect_delay(options, 3600000, 3600000));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_set_event_handler(session, on_event, NULL, NULL));
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    loan *its = new_loan(4 * LARGE, 'a');
    CHECK_OK(lend(session, its, 1, on_end, end_loan));
    COUNTER_WAIT(&lost, 1);
    CHECK(is_lent(its));
    memset(its->payload, 'b', its->size);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    COUNTER_WAIT(&its->ended, 1);
    CHECK(its->handled == 1 && its->outcome == MQTT_OK);
    free_loan(its);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
}

/* Who polls gets it back in poll, on the polling thread, and not before. */
static void check_polled(const char *address)
{
    mqtt_options *options = test_options(address, "lent");
    CHECK_OK(mqtt_options_set_dispatch(options, MQTT_DISPATCH_POLLED));
    mqtt_session *session = test_session(options);
    CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
    loan *its = new_loan(LARGE, 'x');
    CHECK_OK(lend(session, its, 2, NULL, end_loan));
    /* The broker answers behind this, so that lending has returned by then. */
    CHECK_OK(mqtt_session_publish(session, "go", NULL, 0, 0, 0, NULL));
    CHECK_OK(mqtt_session_flush(session, CHECK_DEADLINE_MS));
    CHECK(is_lent(its));
    size_t ran = 0;
    CHECK_OK(mqtt_session_poll(session, CHECK_DEADLINE_MS, 0, &ran));
    CHECK(ran == 1);
    CHECK(pthread_equal(its->thread, pthread_self()));
    free_loan(its);
    CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
    mqtt_session_free(session);
}

/* With a store: it is lent until it is acknowledged, stored or not; what is left in the store when the
 * session ends is the store's own copy. */
static void check_stored(const char *address, const char *directory)
{
    for (int run = 0; run < 2; run++) {
        mqtt_options *options = test_options(address, "lent");
        CHECK_OK(mqtt_options_set_clean_session(options, 0));
        CHECK_OK(mqtt_options_set_store(options, directory));
        mqtt_session *session = test_session(options);
        CHECK_OK(mqtt_session_connect(session, CHECK_DEADLINE_MS));
        if (run == 0) {
            loan *its = new_loan(4 * LARGE, 'a');
            CHECK_OK(lend(session, its, 2, on_end, end_loan));
            CHECK_OK(mqtt_session_wait_stored(session, 1, CHECK_DEADLINE_MS));
            CHECK(is_lent(its));
            mqtt_session_free(session);
            CHECK(its->handled == 1 && its->outcome == MQTT_LEFT_IN_STORE);
            free_loan(its);
        } else {
            CHECK_OK(mqtt_session_flush(session, CHECK_DEADLINE_MS));
            loan *its = new_loan(LARGE, 'x');
            CHECK_OK(lend(session, its, 1, on_end, end_loan));
            COUNTER_WAIT(&its->ended, 1);
            CHECK(its->handled == 1 && its->outcome == MQTT_OK);
            free_loan(its);
            CHECK_OK(mqtt_session_disconnect(session, MQTT_REASON_SUCCESS, CHECK_DEADLINE_MS));
            mqtt_session_free(session);
        }
    }
}

int main(int count, char **arguments)
{
    CHECK(count >= 3);
    const char *what = arguments[1], *address = arguments[2];
    if (strcmp(what, "ended") == 0)
        check_ended(connected_session(address, "lent"));
    else if (strcmp(what, "refused") == 0)
        check_refused(address);
    else if (strcmp(what, "unsent") == 0)
        check_freed(address, 0);
    else if (strcmp(what, "unanswered") == 0)
        check_freed(address, CHECK_DEADLINE_MS);
    else if (strcmp(what, "unacknowledged") == 0)
        check_unacknowledged(address);
    else if (strcmp(what, "polled") == 0)
        check_polled(address);
    else if (count == 4 && strcmp(what, "stored") == 0)
        check_stored(address, arguments[3]);
    else
        CHECK(0);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
