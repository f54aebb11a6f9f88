/* Misuse of stores, and stores that cannot be opened: every status and what is left untouched.
 * Arguments: an address where nobody listens, the store's directory. */
#include "durable.h"

#include <dirent.h>
#include <sys/stat.h>

static const char *directory;

static int32_t ignore_message(const mqtt_stored_message *message, void *user_data)
{
    (void)message;
    (void)user_data;
    return 1;
}

static void ignore_client_id(const char *client_id, void *user_data)
{
    (void)client_id;
    (void)user_data;
}

static void nulls(void)
{
    uint64_t number = 77;
    size_t count = 77;
    mqtt_store *store = UNTOUCHED;
    mqtt_operation *operation = UNTOUCHED;
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_store(NULL, directory));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_durability(NULL, 0, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_store_limit(NULL, 1, 1));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_wait_stored(NULL, 1, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_wait_stored_start(NULL, 1, &operation));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_open(NULL, "me", &store));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_open(directory, NULL, &store));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_open(directory, "me", NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_repair(NULL, "me", &store));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_store_open(BAD_UTF8, "me", &store));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_store_repair(directory, BAD_UTF8, &store));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(NULL, 1, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_export(NULL, "file", &count));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_clear(NULL));
    CHECK(mqtt_store_subscription(NULL, 0).size == 0);
    CHECK(mqtt_store_subscription(NULL, 0).data != NULL);
    mqtt_store_free(NULL);
    CHECK(store == UNTOUCHED && operation == UNTOUCHED && number == 77 && count == 77);

    CHECK(mqtt_message_redelivered(NULL) == 0);
    CHECK(mqtt_event_messages(NULL) == 0 && mqtt_event_bytes(NULL) == 0);
    CHECK(mqtt_event_in_flight(NULL) == 0 && mqtt_event_interrupted(NULL) == 0);
    CHECK(mqtt_event_after_power_loss(NULL) == 0 && mqtt_event_renewed(NULL) == 0);
    CHECK(mqtt_event_unknown(NULL) == 0 && mqtt_event_forgotten(NULL) == 0);
    CHECK(mqtt_stored_message_number(NULL) == 0 && mqtt_stored_message_state(NULL) == -1);
    CHECK(mqtt_stored_message_accepted_ms(NULL) == 0);
    CHECK(mqtt_stored_message_expires_ms(NULL) == MQTT_FOREVER);
    CHECK(mqtt_stored_message_topic(NULL).size == 0);
    CHECK(mqtt_stored_message_payload(NULL).size == 0);
    CHECK(mqtt_stored_message_qos(NULL) == -1 && mqtt_stored_message_retain(NULL) == 0);
    CHECK(mqtt_stored_message_properties(NULL) == NULL);
}

static void options(void)
{
    mqtt_options *options = NULL;
    mqtt_session *session = UNTOUCHED;
    CHECK_OK(mqtt_options_new(&options));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_options_set_store(options, BAD_UTF8));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_store(options, ""));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_durability(options, 3, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_options_set_durability(options, -1, 0));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_options_set_durability(options, MQTT_DURABILITY_INTERVAL, -1));
    CHECK_STATUS(MQTT_INVALID_OPTION,
                 mqtt_options_set_durability(options, MQTT_DURABILITY_INTERVAL, 0));
    CHECK_OK(mqtt_options_set_durability(options, MQTT_DURABILITY_INTERVAL, 100));
    CHECK_OK(mqtt_options_set_durability(options, MQTT_DURABILITY_SYSTEM, -1));
    CHECK_OK(mqtt_options_set_durability(options, MQTT_DURABILITY_MESSAGE, 0));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_store_limit(options, 0, 1));
    CHECK_STATUS(MQTT_INVALID_OPTION, mqtt_options_set_store_limit(options, 1, 0));
    CHECK_OK(mqtt_options_set_store_limit(options, 1, 1));
    /* Whose store would it be? */
    CHECK_OK(mqtt_options_set_store(options, directory));
    CHECK_STATUS(MQTT_INVALID_CLIENT_ID, mqtt_session_new(options, &session));
    CHECK(session == UNTOUCHED);
    CHECK(strstr(mqtt_last_error_message(), "client id") != NULL);
    CHECK_OK(mqtt_options_set_store(options, NULL));
    CHECK_OK(mqtt_session_new(options, &session));
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_wait_stored(session, 1, 0));
    mqtt_operation *operation = UNTOUCHED;
    CHECK_STATUS(MQTT_NOT_SUPPORTED, mqtt_session_wait_stored_start(session, 1, &operation));
    CHECK(operation == UNTOUCHED);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_session_wait_stored(session, 1, -2));
    mqtt_session_free(session);
    mqtt_options_free(options);
}

/* A session and a look fail alike, and change nothing. */
static void refused(mqtt_status expected, const char *client_id)
{
    mqtt_store *store = UNTOUCHED;
    mqtt_session *session = UNTOUCHED;
    CHECK_STATUS(expected, mqtt_store_open(directory, client_id, &store));
    printf("%s\n", mqtt_last_error_message());
    CHECK(strcmp(mqtt_last_error_layer(), "store") == 0);
    mqtt_options *options = durable_options("localhost", client_id, directory);
    CHECK_STATUS(expected, mqtt_session_new(options, &session));
    mqtt_options_free(options);
    CHECK(store == UNTOUCHED && session == UNTOUCHED);
}

/* A store with three messages, and the path of its directory. */
static const char *made(const char *nobody, const char *client_id)
{
    static char path[1000];
    mqtt_session *session = durable_session(nobody, client_id, directory);
    CHECK_OK(mqtt_session_connect(session, 0));
    for (int i = 0; i < 3; i++)
        publish_stored(session, "made", "hello", 2);
    mqtt_session_free(session);
    snprintf(path, sizeof path, "%s/%s", directory, client_id);
    return path;
}

/* The first file of a store whose name begins so. */
static const char *file_of(const char *path, const char *name)
{
    static char found[2000];
    DIR *entries = opendir(path);
    CHECK(entries != NULL);
    found[0] = '\0';
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (strncmp(entry->d_name, name, strlen(name)) == 0)
            snprintf(found, sizeof found, "%s/%s", path, entry->d_name);
    }
    closedir(entries);
    CHECK(found[0] != '\0');
    return found;
}

/* Turns the bits of some bytes round. */
static void damage(const char *path, long from, int count)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file != NULL);
    for (long at = from; at < from + count; at++) {
        CHECK(fseek(file, at, SEEK_SET) == 0);
        int byte = fgetc(file);
        CHECK(byte != EOF && fseek(file, at, SEEK_SET) == 0 && fputc(~byte & 0xff, file) != EOF);
    }
    CHECK(fclose(file) == 0);
}

static void broken(const char *nobody)
{
    char moved[1000];
    mqtt_store *store = NULL;
    CHECK_STATUS(MQTT_STORE_FAILED, mqtt_store_open(directory, "missing", &store));
    CHECK_STATUS(MQTT_STORE_FAILED, mqtt_store_repair(directory, "missing", &store));

    /* The store of another client id. */
    const char *path = made(nobody, "mine");
    snprintf(moved, sizeof moved, "%s/yours", directory);
    CHECK(rename(path, moved) == 0);
    refused(MQTT_STORE_FOREIGN, "yours");
    CHECK_STATUS(MQTT_STORE_FOREIGN, mqtt_store_repair(directory, "yours", &store));

    /* One that is damaged where it was synced. */
    path = made(nobody, "damaged");
    struct stat file;
    const char *log = file_of(path, "log-");
    CHECK(stat(log, &file) == 0);
    damage(log, file.st_size / 2, 4);
    refused(MQTT_STORE_CORRUPT, "damaged");
    CHECK_OK(mqtt_store_repair(directory, "damaged", &store));
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) < 3);
    mqtt_store_free(store);
    mqtt_store_free(open_store(directory, "damaged"));
    made(nobody, "damaged");
}

static void looks(const char *nobody)
{
    counter destroyed = COUNTER;
    uint64_t number = 77;
    made(nobody, "looked-at");
    mqtt_store *store = open_store(directory, "looked-at");
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(store, 0, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(store, 10, &number));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_statistic(store, 1, NULL));
    CHECK(number == 77);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT, mqtt_store_export(store, NULL, NULL));
    CHECK_STATUS(MQTT_INVALID_UTF8, mqtt_store_export(store, BAD_UTF8, NULL));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_messages(NULL, ignore_message, &destroyed, count_destroy));
    CHECK(counter_value(&destroyed) == 1);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_messages(store, NULL, &destroyed, count_destroy));
    CHECK(counter_value(&destroyed) == 2);
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_list(NULL, ignore_client_id, &destroyed, count_destroy));
    CHECK_STATUS(MQTT_INVALID_ARGUMENT,
                 mqtt_store_list(directory, NULL, &destroyed, count_destroy));
    CHECK_STATUS(MQTT_INVALID_UTF8,
                 mqtt_store_list(BAD_UTF8, ignore_client_id, &destroyed, count_destroy));
    CHECK_STATUS(MQTT_STORE_FAILED,
                 mqtt_store_list("/dev/null", ignore_client_id, &destroyed, count_destroy));
    CHECK_OK(mqtt_store_list("/no/such/directory", ignore_client_id, &destroyed, count_destroy));
    CHECK(counter_value(&destroyed) == 7);
    mqtt_store_free(store);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    directory = arguments[2];
    nulls();
    options();
    broken(arguments[1]);
    looks(arguments[1]);
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
