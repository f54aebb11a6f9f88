/* bench: what the C drivers share.
 *
 *   driver host port mode qos count size [version]    prints one JSON line
 *
 * mode is pub, recv, latency or idle; version is 4 (3.1.1, the default) or 5. The environment's
 * BENCH_WINDOW bounds what is unacknowledged at QoS 1 and 2.
 *
 * A driver of a library is modes.c plus the four functions below; raw.c has modes of its own.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct run {
    const char *host, *mode;
    int port, qos, version;
    long count; /* messages, or connections in mode idle */
    long window; /* messages handed over and not yet complete */
    size_t size; /* octets of a payload */
};

struct run read_arguments(int argc, char **argv);
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A payload of run->size octets; the caller owns it. */
char *make_payload(const struct run *run);

/* ---- measuring ---- */

/* Wall clock and the CPU time of this process, in seconds. */
struct instant {
    double wall, user, system;
};

struct instant now(void);

/* The wall clock alone, without a system call. */
double seconds(void);

/* A number from /proc/self/status, such as VmRSS (KiB) or Threads. */
long process_status(const char *key);

/* Prints the JSON line: what it cost from `start` to this call. */
void report(const struct run *run, const char *library, struct instant start, long messages);

/* The same with further members, each with a comma behind it. */
void report_with(const struct run *run, const char *library, struct instant start, long messages,
                 const char *extra);

/* The same for round trips, each in microseconds; sorts them. */
void report_latency(const struct run *run, const char *library, struct instant start,
                    double *trips);

/* The same for run->count connections, after a moment for the library to settle. */
void report_idle(const struct run *run, const char *library, struct instant start, long rss_before);

enum { WARM_UP = 200 }; /* round trips that are not measured */

/* ---- waiting ---- */

/* Counts up in any thread; one thread at a time may wait for a value. */
struct tally {
    atomic_long value, wanted;
    pthread_mutex_t lock;
    pthread_cond_t reached;
};

void tally_add(struct tally *t, long more);

/* Returns the value, which is at least `wanted` then. */
long tally_wait(struct tally *t, long wanted);

/* ---- what a driver tells modes.c, from any thread ---- */

extern struct tally connected;  /* accepted by the peer */
extern struct tally subscribed; /* granted by the peer */
extern struct tally completed;  /* publishes: acknowledged, or written at QoS 0 */
extern struct tally received;   /* messages handed to the program */

/* ---- what a driver has to provide; on failure each of them calls fail() ---- */

/* The library and its version. */
const char *bench_library(void);

/* Starts to connect; must not wait for the answer. The returned session is never closed. */
void *bench_connect(const struct run *run, const char *client_id);

void bench_subscribe(void *session, const char *filter, int qos);

/* A library whose own queue is bounded may count a QoS 0 message as completed at once. */
void bench_publish(void *session, const char *topic, const void *payload, size_t size, int qos);

#endif
