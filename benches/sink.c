/* sink: the peer that every benchmark run talks to, built so that the client is what limits a run.
 *
 * One thread and epoll. A turn is one large read, all that it asks for, and one write of all
 * answers; nothing is allocated and no payload is looked at per message.
 *
 *   sink [--window N]    prints "listening PORT", and one JSON line of counters at stdin's EOF
 *
 * It answers CONNECT (3.1, 3.1.1, 5.0), PINGREQ, SUBSCRIBE, UNSUBSCRIBE and PUBLISH at every QoS,
 * and knows four kinds of names:
 *
 *   source/<qos>/<count>/<size>   subscribing starts `count` messages of `size` octets on that very
 *                                 name, at QoS 1 and 2 at most N (1000) and 4 MiB of them
 *                                 unacknowledged; further levels are free, to tell subscriptions
 *                                 apart
 *   spread/<count>/<size>/<topics>/<of>
 *                                 the same at QoS 0 on `topics` topics, each message's drawn at
 *                                 random; they lie evenly among `of` that there may be, which are
 *                                 `t/0000000/v` and so on
 *   hold/<count>                  of the messages of QoS 1 on such names the newest `count` stay
 *                                 unacknowledged until others come; hold/0 acknowledges all
 *   echo/...                      what is published there comes back at QoS 0 to a connection that
 *                                 has subscribed to any such name
 *
 * A client that breaks the protocol, or acknowledges anything but what it holds, is disconnected
 * and counted under `errors`.
 */
#define _GNU_SOURCE
#include "sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the kernel would grow to by itself no longer fits the cache, and a source gets slower. */
enum { SEND_BUFFER = 256 * 1024 };

struct counters counters;
unsigned window = 1000;

/* A partial packet is put in front of what is read next, so that parsing sees one piece. */
static uint8_t input[WHOLE_SIZE + READ_SIZE];
static uint8_t answers[ANSWER_SIZE];
uint8_t *answer = answers;

static int poller;
static struct connection *gone;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

void *need(void *memory)
{
    if (!memory)
        die("sink: memory");
    return memory;
}

/* Closed at once, freed after the turn: epoll may still have reported it. */
void drop(struct connection *c)
{
    if (c->gone)
        return;
    c->gone = true;
    close(c->fd);
    c->next_gone = gone;
    gone = c;
}

/* What the kernel took of it, 0 if nothing. */
size_t transmit(struct connection *c, const uint8_t *data, size_t size)
{
    counters.writes++;
    ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EINTR)
        drop(c);
    return 0;
}

/* One read, and what it asks for; the answers are left in `answers`. */
static void read_packets(struct connection *c)
{
    uint8_t *start = input + WHOLE_SIZE - c->partial_size;
    counters.reads++;
    ssize_t got = recv(c->fd, input + WHOLE_SIZE, READ_SIZE, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            drop(c);
        return;
    }
    if (c->partial_size)
        memcpy(start, c->partial, c->partial_size);
    c->partial_size = 0;
    if (!parse(c, start, input + WHOLE_SIZE + got)) {
        counters.errors++;
        drop(c);
    }
}

/* ---- turns ---- */

static bool write_answers(struct connection *c)
{
    size_t size = (size_t)(answer - answers);
    answer = answers;
    if (c->gone || !size)
        return !c->gone;
    size_t sent = transmit(c, answers, size);
    if (sent == size)
        return true;
    if (!c->unsent)
        c->unsent = need(malloc(ANSWER_SIZE));
    c->unsent_from = 0;
    c->unsent_to = size - sent;
    memcpy(c->unsent, answers + sent, size - sent);
    return false;
}

/* What an earlier turn could not write: the rest of a message, or of the answers (never both,
 * because a source is not continued while answers wait). */
static bool write_rest(struct connection *c)
{
    if (c->source.written)
        return write_messages(c, 1);
    if (c->unsent_from < c->unsent_to)
        c->unsent_from += transmit(c, c->unsent + c->unsent_from, c->unsent_to - c->unsent_from);
    return c->unsent_from == c->unsent_to;
}

/* While output waits nothing is read: a client that does not read cannot make the sink grow. */
static void serve(struct connection *c)
{
    if (!c->gone && write_rest(c)) {
        read_packets(c);
        if (write_answers(c))
            write_source(c);
    }
    if (c->gone)
        return;
    bool waiting = c->unsent_from < c->unsent_to || c->source.written || ready(&c->source);
    uint32_t interest = waiting ? EPOLLOUT : EPOLLIN;
    if (interest != c->interest) {
        struct epoll_event event = {.events = interest, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
        c->interest = interest;
    }
}

static void accept_all(int listener)
{
    int fd, one = 1, send_buffer = SEND_BUFFER;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
        struct connection *c = need(calloc(1, sizeof *c));
        c->fd = fd;
        c->interest = EPOLLIN;
        counters.accepted++;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
            die("sink: epoll");
    }
}

static void free_gone(void)
{
    while (gone) {
        struct connection *c = gone;
        gone = c->next_gone;
        free(c->partial);
        free(c->unsent);
        free(c->held);
        free(c->source.ring);
        free(c->source.slots);
        free(c);
    }
}

static int listen_on_loopback(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* The idle row connects a thousand clients at once. */
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        die("sink: listen");
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void print_counters(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    double system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    printf("{\"accepted\":%" PRIu64 ",\"publish\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]"
           ",\"publish_octets\":%" PRIu64 ",\"pubrel\":%" PRIu64 ",\"subscribe\":%" PRIu64
           ",\"source_sent\":%" PRIu64 ",\"source_acked\":%" PRIu64 ",\"echoed\":%" PRIu64
           ",\"errors\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"writes\":%" PRIu64
           ",\"user_s\":%.6f,\"sys_s\":%.6f}\n",
           counters.accepted, counters.publish[0], counters.publish[1], counters.publish[2],
           counters.publish_octets, counters.pubrel, counters.subscribe, counters.source_sent,
           counters.source_acked, counters.echoed, counters.errors, counters.reads, counters.writes,
           user, system);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--window"))
        window = (unsigned)strtoul(argv[2], NULL, 10);
    if ((argc != 1 && argc != 3) || window < 1 || window > UINT16_MAX) {
        fprintf(stderr, "usage: sink [--window 1..65535]\n");
        return 2;
    }
    int listener = listen_on_loopback();
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0)
        die("sink: epoll");
    event.data.ptr = NULL;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        die("sink: stdin must be a pipe or a terminal");

    for (bool running = true; running;) {
        struct epoll_event events[64];
        int count = epoll_wait(poller, events, 64, -1);
        if (count < 0 && errno != EINTR)
            die("sink: epoll");
        for (int i = 0; i < count; i++) {
            char ignored[64];
            if (events[i].data.ptr == &listener)
                accept_all(listener);
            else if (events[i].data.ptr)
                serve(events[i].data.ptr);
            else if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
                running = false;
        }
        free_gone();
    }
    print_counters();
    return 0;
}
