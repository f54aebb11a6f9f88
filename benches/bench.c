/* bench: arguments, clocks and the JSON line of the C drivers. */
#define _GNU_SOURCE
#include "bench.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* A peer without a bound of its own would otherwise measure how fast it can fill the memory. */
enum { QOS0_MESSAGES = 16384, QOS0_OCTETS = 32 * 1024 * 1024 };

struct run read_arguments(int argc, char **argv)
{
    if (argc != 7 && argc != 8)
        fail("usage: %s host port pub|recv|latency|idle qos count size [4|5]", argv[0]);
    struct run run = {
        .host = argv[1],
        .port = atoi(argv[2]),
        .mode = argv[3],
        .qos = atoi(argv[4]),
        .count = atol(argv[5]),
        .size = strtoul(argv[6], NULL, 10),
        .version = argc == 8 ? atoi(argv[7]) : 4,
    };
    if (run.port < 1 || run.port > 65535 || run.qos < 0 || run.qos > 2 || run.count < 1 ||
        (run.version != 4 && run.version != 5))
        fail("an argument is out of range");
    const char *window = getenv("BENCH_WINDOW");
    run.window = window ? atol(window) : 1000;
    if (run.qos == 0) {
        long fit = (long)(QOS0_OCTETS / (run.size + 64));
        run.window = fit < QOS0_MESSAGES ? fit : QOS0_MESSAGES;
    }
    if (run.window < 1)
        run.window = 1;
    return run;
}

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(1); /* called from threads of libraries, too */
}

char *make_payload(const struct run *run)
{
    char *payload = malloc(run->size + 1);
    if (!payload)
        fail("no memory for the payload");
    memset(payload, 'x', run->size);
    return payload;
}

double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct instant now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct instant){
        .wall = seconds(),
        .user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
        .system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
    };
}

long process_status(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long value = -1;
    size_t size = strlen(key);
    while (file && value < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, key, size) && line[size] == ':')
            value = atol(line + size + 1);
    if (file)
        fclose(file);
    return value;
}

void report_with(const struct run *run, const char *library, struct instant start, long messages,
                 const char *extra)
{
    struct instant end = now();
    printf("{\"library\":\"%s\",\"mode\":\"%s\",\"qos\":%d,\"count\":%ld,\"size\":%zu,", library,
           run->mode, run->qos, run->count, run->size);
    printf("\"version\":%d,\"messages\":%ld,\"wall_s\":%.6f,\"user_s\":%.6f,\"sys_s\":%.6f,",
           run->version, messages, end.wall - start.wall, end.user - start.user,
           end.system - start.system);
    /* Not ru_maxrss, which a process inherits from the one that started it. */
    printf("%s\"rss_kb\":%ld}\n", extra, process_status("VmHWM"));
    fflush(stdout);
}

void report(const struct run *run, const char *library, struct instant start, long messages)
{
    report_with(run, library, start, messages, "");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void report_latency(const struct run *run, const char *library, struct instant start, double *trips)
{
    char extra[128];
    size_t count = (size_t)run->count;
    qsort(trips, count, sizeof *trips, compare);
    snprintf(extra, sizeof extra, "\"min_us\":%.2f,\"p50_us\":%.2f,\"p99_us\":%.2f,", trips[0],
             trips[count / 2], trips[count * 99 / 100]);
    report_with(run, library, start, run->count, extra);
}

void report_idle(const struct run *run, const char *library, struct instant start, long rss_before)
{
    char extra[160];
    double connect = seconds() - start.wall;
    sleep(1);
    double grown = (double)(process_status("VmRSS") - rss_before);
    snprintf(extra, sizeof extra,
             "\"conns\":%ld,\"rss_per_conn_kb\":%.2f,\"threads\":%ld,\"connect_s\":%.3f,",
             run->count, grown / (double)run->count, process_status("Threads"), connect);
    report_with(run, library, start, run->count, extra);
}

void tally_add(struct tally *t, long more)
{
    if (atomic_fetch_add(&t->value, more) + more < atomic_load(&t->wanted))
        return;
    /* The lock closes the gap between the waiter's last look and its falling asleep. */
    pthread_mutex_lock(&t->lock);
    pthread_cond_signal(&t->reached);
    pthread_mutex_unlock(&t->lock);
}

long tally_wait(struct tally *t, long wanted)
{
    long value = atomic_load(&t->value);
    if (value >= wanted)
        return value;
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->wanted, wanted);
    while ((value = atomic_load(&t->value)) < wanted)
        pthread_cond_wait(&t->reached, &t->lock);
    atomic_store(&t->wanted, LONG_MAX);
    pthread_mutex_unlock(&t->lock);
    return value;
}
