/* Stores that cannot be opened: the status and the sentence of each, for a session and for a look, and
 * that nothing is changed. Arguments: an address where nobody listens, a directory for stores. */
#define _XOPEN_SOURCE 700
#include "durable.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *nobody, *directory;

/* A session and a look fail alike, and say so. */
static void refused(mqtt_status expected, const char *client_id, const char *words)
{
    mqtt_store *store = UNTOUCHED;
    mqtt_session *session = UNTOUCHED;
    CHECK_STATUS(expected, mqtt_store_open(directory, client_id, &store));
    CHECK(strstr(mqtt_last_error_message(), words) != NULL);
    CHECK(strstr(mqtt_last_error_message(), client_id) != NULL);
    CHECK(strcmp(mqtt_last_error_layer(), "store") == 0);
    mqtt_options *options = durable_options(nobody, client_id, directory);
    CHECK_STATUS(expected, mqtt_session_new(options, &session));
    CHECK(strstr(mqtt_last_error_message(), words) != NULL);
    mqtt_options_free(options);
    CHECK(store == UNTOUCHED && session == UNTOUCHED);
}

/* A store with three messages, and the path of its directory. */
static const char *made(const char *client_id)
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

/* The path of the last of a directory's files whose name ends so; empty when there is none. */
static const char *file_of(const char *path, const char *end)
{
    static char found[2000];
    DIR *entries = opendir(path);
    CHECK(entries != NULL);
    found[0] = '\0';
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length >= strlen(end) && strcmp(entry->d_name + length - strlen(end), end) == 0)
            snprintf(found, sizeof found, "%s/%s", path, entry->d_name);
    }
    closedir(entries);
    return found;
}

static void missing(void)
{
    mqtt_store *store = UNTOUCHED;
    CHECK_STATUS(MQTT_STORE_FAILED, mqtt_store_open(directory, "missing", &store));
    CHECK(strstr(mqtt_last_error_message(), "There is no store of the client id") != NULL);
    CHECK_STATUS(MQTT_STORE_FAILED, mqtt_store_repair(directory, "missing", &store));
    CHECK(store == UNTOUCHED);
}

static void of_another(void)
{
    char moved[1000];
    mqtt_store *store = UNTOUCHED;
    const char *path = made("mine");
    snprintf(moved, sizeof moved, "%s/yours", directory);
    CHECK(rename(path, moved) == 0);
    refused(MQTT_STORE_FOREIGN, "yours", "holds the store of the client id \"mine\"");
    CHECK_STATUS(MQTT_STORE_FOREIGN, mqtt_store_repair(directory, "yours", &store));
    CHECK(store == UNTOUCHED && rename(moved, path) == 0);
    store = open_store(directory, "mine");
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) == 3);
    mqtt_store_free(store);
}

/* Bytes in the middle that had been synced. */
static void damaged(void)
{
    const char *path = made("damaged");
    struct stat status;
    FILE *log = fopen(file_of(path, "log-1"), "r+b");
    CHECK(log != NULL && fstat(fileno(log), &status) == 0);
    CHECK(fseek(log, status.st_size / 2, SEEK_SET) == 0);
    int byte = fgetc(log);
    CHECK(byte != EOF && fseek(log, status.st_size / 2, SEEK_SET) == 0);
    CHECK(fputc(~byte & 0xff, log) != EOF && fclose(log) == 0);
    refused(MQTT_STORE_CORRUPT, "damaged", "nothing has been changed");
    CHECK(file_of(path, ".damaged")[0] == '\0');

    mqtt_store *store = NULL;
    CHECK_OK(mqtt_store_repair(directory, "damaged", &store));
    CHECK(store_statistic(store, MQTT_STORE_STATISTIC_MESSAGES) < 3);
    mqtt_store_free(store);
    CHECK(file_of(path, ".damaged")[0] != '\0');
    made("damaged");
}

/* As a file of a later version begins: the checksum of its first 16 bytes follows them. */
static void newer(void)
{
    unsigned char head[20];
    uint32_t crc = UINT32_MAX;
    FILE *log = fopen(file_of(made("newer"), "log-1"), "r+b");
    CHECK(log != NULL && fread(head, sizeof head, 1, log) == 1);
    head[8] += 1;
    for (int at = 0; at < 16; at++) {
        crc ^= head[at];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
    }
    for (int at = 0; at < 4; at++)
        head[16 + at] = (unsigned char)(~crc >> 8 * at);
    CHECK(fseek(log, 0, SEEK_SET) == 0 && fwrite(head, sizeof head, 1, log) == 1);
    CHECK(fclose(log) == 0);
    refused(MQTT_STORE_VERSION, "newer", "newer version");
}

/* In a process of its own, which is not root and sees a directory that it may not write to. */
static void read_only(void)
{
    const char *path = made("read-only");
    CHECK(chmod(path, 0555) == 0 && chmod(file_of(path, "lock"), 0444) == 0);
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        mqtt_session *session = UNTOUCHED;
        CHECK(geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0));
        mqtt_options *options = durable_options(nobody, "read-only", directory);
        CHECK_STATUS(MQTT_STORE_READ_ONLY, mqtt_session_new(options, &session));
        CHECK(strstr(mqtt_last_error_message(), "cannot be written") != NULL);
        CHECK(strcmp(mqtt_last_error_cause(), "") != 0 && session == UNTOUCHED);
        mqtt_options_free(options);
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(chmod(path, 0755) == 0 && chmod(file_of(path, "lock"), 0644) == 0);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    nobody = arguments[1];
    directory = arguments[2];
    missing();
    of_another();
    damaged();
    newer();
    read_only();
    CHECK(mqtt_library_live_objects() == 0);
    return 0;
}
