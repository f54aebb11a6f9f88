/* What both programs begin with: options for a session that keeps everything and gives up nothing. */
#ifndef CRASH_PROGRAM_H
#define CRASH_PROGRAM_H

#include <mqttsession.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Writes a line at once and whole: what has been said has been heard, whoever dies then. */
static inline void say(const char *format, ...)
{
    char line[128];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        _exit(3);
}

static inline void check(mqtt_status status, const char *call)
{
    if (status == MQTT_OK)
        return;
    fprintf(stderr, "%s: %s\n", call, mqtt_last_error_message());
    _exit(1);
}

/* `arguments` are the program, ADDRESS VERSION SET_ASIDE_AFTER STORE. */
static inline mqtt_options *make_options(const char *client_id, char **arguments)
{
    mqtt_options *options = NULL;
    int version = strcmp(arguments[2], "5.0") == 0 ? MQTT_PROTOCOL_5 : MQTT_PROTOCOL_3_1_1;
    check(mqtt_options_new(&options), "options");
    check(mqtt_options_set_address(options, arguments[1]), "address");
    check(mqtt_options_set_version(options, version), "version");
    check(mqtt_options_set_client_id(options, client_id), "client id");
    check(mqtt_options_set_clean_session(options, 0), "clean session");
    if (version == MQTT_PROTOCOL_5) {
        mqtt_properties *properties = NULL;
        check(mqtt_properties_new(&properties), "properties");
        check(mqtt_properties_add_number(properties, MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL,
                                         UINT32_MAX),
              "session expiry");
        check(mqtt_options_add_connect_properties(options, properties), "connect properties");
        mqtt_properties_free(properties);
    }
    check(mqtt_options_set_set_aside_after(options, atoi(arguments[3])), "set aside after");
    check(mqtt_options_set_retry_first_connect(options, 1), "retry");
    check(mqtt_options_set_reconnect_delay(options, 5, 50), "reconnect delay");
    if (strcmp(arguments[4], "-") != 0)
        check(mqtt_options_set_store(options, arguments[4]), "store");
    return options;
}

/* Makes the session; takes the options. */
static inline mqtt_session *make_session(mqtt_options *options)
{
    mqtt_session *session = NULL;
    check(mqtt_session_new(options, &session), "session");
    mqtt_options_free(options);
    return session;
}

#endif
