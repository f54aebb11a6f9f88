/* modes: the four measurements for a library behind the functions of bench.h. */
#include "bench.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nobody waits yet, so nothing is wanted. */
#define TALLY                                                                                      \
    {.wanted = LONG_MAX, .lock = PTHREAD_MUTEX_INITIALIZER, .reached = PTHREAD_COND_INITIALIZER}

struct tally connected = TALLY, subscribed = TALLY, completed = TALLY, received = TALLY;

static void *connect_one(const struct run *run)
{
    void *session = bench_connect(run, "bench");
    tally_wait(&connected, 1);
    return session;
}

/* From the first call to the last acknowledgement. */
static void publish(const struct run *run)
{
    void *session = connect_one(run);
    char *payload = make_payload(run);
    long known = 0, all = run->count;
    struct instant start = now();
    for (long i = 0; i < run->count; i++) {
        /* Half a window at a time, so that waking up is not what is measured. */
        if (i - known >= run->window)
            known = tally_wait(&completed, i - run->window / 2);
        bench_publish(session, "t/data", payload, run->size, run->qos);
    }
    if (run->qos == 0) { /* its acknowledgement proves that all before it have arrived */
        bench_publish(session, "t/fin", "", 0, 1);
        all++;
    }
    tally_wait(&completed, all);
    report(run, bench_library(), start, run->count);
}

/* From the subscribe call to the last message in the program's hands. */
static void receive(const struct run *run)
{
    void *session = connect_one(run);
    char filter[80];
    snprintf(filter, sizeof filter, "source/%d/%ld/%zu", run->qos, run->count, run->size);
    struct instant start = now();
    bench_subscribe(session, filter, run->qos);
    long messages = tally_wait(&received, run->count);
    report(run, bench_library(), start, messages);
}

/* From the publish call to the waiting thread having its message back. */
static void measure_latency(const struct run *run)
{
    void *session = connect_one(run);
    char *payload = make_payload(run);
    double *trips = calloc((size_t)run->count, sizeof *trips);
    if (!trips)
        fail("no memory for the round trips");
    bench_subscribe(session, "echo/x", 0);
    tally_wait(&subscribed, 1);
    struct instant start = now();
    for (long i = -WARM_UP; i < run->count; i++) {
        if (i == 0)
            start = now();
        double before = seconds();
        bench_publish(session, "echo/x", payload, run->size, 0);
        tally_wait(&received, i + WARM_UP + 1);
        if (i >= 0)
            trips[i] = (seconds() - before) * 1e6;
    }
    report_latency(run, bench_library(), start, trips);
}

static void idle(const struct run *run)
{
    long rss = process_status("VmRSS");
    struct instant start = now();
    for (long i = 0; i < run->count; i++) {
        char id[32];
        snprintf(id, sizeof id, "bench%ld", i);
        bench_connect(run, id);
    }
    tally_wait(&connected, run->count);
    report_idle(run, bench_library(), start, rss);
}

int main(int argc, char **argv)
{
    struct run run = read_arguments(argc, argv);
    if (!strcmp(run.mode, "pub"))
        publish(&run);
    else if (!strcmp(run.mode, "recv"))
        receive(&run);
    else if (!strcmp(run.mode, "latency"))
        measure_latency(&run);
    else if (!strcmp(run.mode, "idle"))
        idle(&run);
    else
        fail("no mode \"%s\"", run.mode);
    _exit(0); /* how a library tears down is not measured, and may take longer than the run */
}
