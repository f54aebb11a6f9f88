/* closed: what is left of sessions that were connected, all at once, and then closed.
 *
 *   driver host port closed 0 COUNT 0    prints one JSON line
 *
 * What is in use is asked of the allocator, as the resident set also holds what it keeps for later. */
#include "bench.h"

#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <mqttsession.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* What ours.c counts in. */
#define TALLY                                                                                      \
    {.wanted = LONG_MAX, .lock = PTHREAD_MUTEX_INITIALIZER, .reached = PTHREAD_COND_INITIALIZER}

struct tally connected = TALLY, subscribed = TALLY, completed = TALLY, received = TALLY;

/* What the process has at a moment. */
struct level {
    double heap, resident; /* KiB */
    long descriptors;
};

static struct level look(void)
{
    struct mallinfo2 heap = mallinfo2();
    struct level level = {
        .heap = (double)(heap.uordblks + heap.hblkhd) / 1024,
        .resident = (double)process_status("VmRSS"),
    };
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        fail("the system tells no descriptors");
    while (readdir(directory))
        level.descriptors++;
    closedir(directory);
    return level;
}

static struct level connect_and_close(const struct run *run, long count)
{
    void **sessions = calloc((size_t)count, sizeof *sessions);
    long before = atomic_load(&connected.value);
    if (!sessions)
        fail("no memory for the sessions");
    for (long i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "bench%ld", i);
        sessions[i] = bench_connect(run, id);
    }
    tally_wait(&connected, before + count);
    struct level open = look();
    for (long i = 0; i < count; i++)
        mqtt_session_free(sessions[i]);
    free(sessions);
    return open;
}

int main(int argc, char **argv)
{
    struct run run = read_arguments(argc, argv);
    /* Threads, and what is made once for all sessions, are there then. */
    connect_and_close(&run, 1);
    uint64_t objects = mqtt_library_live_objects();
    struct level before = look();
    struct instant start = now();
    struct level open = connect_and_close(&run, run.count);
    /* The I/O thread lets go of them after the call. */
    while (mqtt_library_live_objects() > objects)
        sched_yield();
    struct level after = look();
    char extra[400];
    double count = (double)run.count;
    snprintf(extra, sizeof extra,
             "\"open_heap\":%.3f,\"left_heap\":%.3f,\"open_resident\":%.3f,\"left_resident\":%.3f,"
             "\"open_descriptors\":%.4f,\"left_descriptors\":%ld,",
             (open.heap - before.heap) / count, (after.heap - before.heap) / count,
             (open.resident - before.resident) / count, (after.resident - before.resident) / count,
             (double)(open.descriptors - before.descriptors) / count,
             after.descriptors - before.descriptors);
    report_with(&run, bench_library(), start, run.count, extra);
    return 0;
}
