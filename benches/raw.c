/* raw: the physical limit. Packets encoded beforehand, large blocking writes and reads, no library;
 * what it does per message is the least that the protocol asks for. */
#include "bench.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Octets of one write or read, of the socket's send buffer for a stream without acknowledgements,
 * and of an encoded window. Measured, not derived: larger ones save system calls that no longer
 * cost anything, but push the data out of the cache. */
enum { BLOCK = 64 * 1024, SEND_BUFFER = 256 * 1024, WINDOW_SIZE = 4 * 1024 * 1024 };

static const char LIBRARY[] = "raw sockets";

static void write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size) {
        ssize_t sent = write(fd, p, size);
        if (sent < 0 && errno != EINTR)
            fail("write: %s", strerror(errno));
        if (sent > 0) {
            p += sent;
            size -= (size_t)sent;
        }
    }
}

static size_t read_some(int fd, void *data, size_t size)
{
    ssize_t got = read(fd, data, size);
    if (got <= 0)
        fail("read: %s", got ? strerror(errno) : "closed by the peer");
    return (size_t)got;
}

static void read_all(int fd, void *data, size_t size)
{
    for (char *p = data; size;) {
        size_t got = read_some(fd, p, size);
        p += got;
        size -= got;
    }
}

static uint8_t *allocate(size_t size)
{
    uint8_t *memory = malloc(size);
    if (!memory)
        fail("no memory");
    return memory;
}

/* ---- packets ---- */

static void write_connect(int fd, const struct run *run, const char *client_id)
{
    uint8_t packet[64], *p = packet;
    size_t id_size = strlen(client_id), properties = run->version == 5;
    *p++ = CONNECT;
    *p++ = (uint8_t)(10 + properties + 2 + id_size);
    p = put_string(p, "MQTT", 4);
    *p++ = (uint8_t)run->version;
    *p++ = 2; /* clean session */
    p = put_u16(p, 60);
    if (properties)
        *p++ = 0;
    p = put_string(p, client_id, id_size);
    write_all(fd, packet, (size_t)(p - packet));
}

/* Returns the size of the SUBACK to come. */
static size_t write_subscribe(int fd, const struct run *run, const char *filter, int qos)
{
    uint8_t packet[128], *p = packet;
    size_t filter_size = strlen(filter), properties = run->version == 5;
    *p++ = SUBSCRIBE;
    *p++ = (uint8_t)(2 + properties + 2 + filter_size + 1);
    p = put_u16(p, 1);
    if (properties)
        *p++ = 0;
    p = put_string(p, filter, filter_size);
    *p++ = (uint8_t)qos;
    write_all(fd, packet, (size_t)(p - packet));
    return 5 + properties;
}

/* A whole PUBLISH with a payload of `size` octets. */
static uint8_t *put_message(uint8_t *p, const struct run *run, int qos, unsigned id,
                            const char *topic, size_t size)
{
    p = put_publish(p, run->version, qos, id, topic, strlen(topic), size);
    memset(p, 'x', size);
    return p + size;
}

static size_t message_size(const struct run *run, int qos, const char *topic)
{
    uint8_t head[PUBLISH_OVERHEAD + 128], *payload;
    payload = put_publish(head, run->version, qos, 1, topic, strlen(topic), run->size);
    return (size_t)(payload - head) + run->size;
}

static int dial(const struct run *run, const char *client_id)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)run->port)};
    if (inet_pton(AF_INET, run->host, &address.sin_addr) != 1)
        fail("raw wants an IPv4 address, not \"%s\"", run->host);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    write_connect(fd, run, client_id);
    uint8_t connack[2 + 127];
    read_all(fd, connack, 2);
    read_all(fd, connack + 2, connack[1] & 0x7f);
    if (connack[0] != CONNACK || connack[3] != 0)
        fail("not accepted");
    return fd;
}

/* ---- modes ---- */

static void publish_unacknowledged(const struct run *run, int fd)
{
    size_t size = message_size(run, 0, "t/data");
    long copies = size < BLOCK ? (long)(BLOCK / size) : 1;
    uint8_t *block = allocate((size_t)copies * size), *p = block, fin[64], ack[ACK_SIZE];
    for (long i = 0; i < copies; i++)
        p = put_message(p, run, 0, 0, "t/data", run->size);
    int send_buffer = SEND_BUFFER;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    size_t fin_size = (size_t)(put_message(fin, run, 1, 1, "t/fin", 0) - fin);

    struct instant start = now();
    for (long left = run->count; left > 0; left -= copies)
        write_all(fd, block, (size_t)(left < copies ? left : copies) * size);
    write_all(fd, fin, fin_size);
    read_all(fd, ack, sizeof ack);
    report(run, LIBRARY, start, run->count);
}

/* The window as a ring of encoded messages, slot i with packet id i + 1. The sink acknowledges in
 * order, so counting is enough to know which ids are free. */
static void publish_acknowledged(const struct run *run, int fd)
{
    size_t size = message_size(run, run->qos, "t/data");
    long ring = run->window < 65535 ? run->window : 65535;
    while (ring > 1 && (size_t)ring * size > WINDOW_SIZE)
        ring /= 2;
    /* A large window goes out in parts: the sink answers one while the next is written. */
    long part = size < SEND_BUFFER ? (long)(SEND_BUFFER / size) : 1;
    uint8_t *messages = allocate((size_t)ring * size), *p = messages;
    for (long i = 0; i < ring; i++)
        p = put_message(p, run, run->qos, (unsigned)i + 1, "t/data", run->size);
    static uint8_t acks[BLOCK], releases[BLOCK];
    size_t partial = 0;
    long sent = 0, done = 0;

    struct instant start = now();
    while (done < run->count) {
        while (sent < run->count && sent - done < ring) {
            long slot = sent % ring, run_length = ring - (sent - done);
            if (run_length > ring - slot)
                run_length = ring - slot;
            if (run_length > part)
                run_length = part;
            if (run_length > run->count - sent)
                run_length = run->count - sent;
            write_all(fd, messages + (size_t)slot * size, (size_t)run_length * size);
            sent += run_length;
        }
        size_t have = partial + read_some(fd, acks + partial, sizeof acks - partial), at = 0;
        uint8_t *release = releases;
        for (; have - at >= ACK_SIZE; at += ACK_SIZE) {
            if (acks[at] == PUBREC)
                release = put_ack(release, PUBREL, get_u16(acks + at + 2));
            else
                done++;
        }
        if (release != releases)
            write_all(fd, releases, (size_t)(release - releases));
        partial = have - at;
        memmove(acks, acks + at, partial);
    }
    report(run, LIBRARY, start, done);
}

static void receive_unacknowledged(const struct run *run, int fd, const char *filter)
{
    uint8_t *block = allocate(BLOCK);
    size_t left = (size_t)run->count * message_size(run, 0, filter);
    struct instant start = now();
    read_all(fd, block, write_subscribe(fd, run, filter, 0));
    while (left)
        left -= read_some(fd, block, left < BLOCK ? left : BLOCK);
    report(run, LIBRARY, start, run->count);
}

static void receive_acknowledged(const struct run *run, int fd, const char *filter)
{
    size_t size = message_size(run, run->qos, filter), id_at = size - run->size - 2;
    if (run->version == 5)
        id_at--; /* the property length stands between id and payload */
    uint8_t *block = allocate(BLOCK + size), *acks = allocate(BLOCK + size);
    size_t partial = 0;
    long messages = 0, done = 0;
    struct instant start = now();
    read_all(fd, block, write_subscribe(fd, run, filter, run->qos));
    while (done < run->count) {
        size_t have = partial + read_some(fd, block + partial, BLOCK + size - partial), at = 0;
        uint8_t *ack = acks;
        for (;;) {
            if (have - at >= ACK_SIZE && block[at] == PUBREL) {
                ack = put_ack(ack, PUBCOMP, get_u16(block + at + 2));
                at += ACK_SIZE;
                done++;
            } else if (have - at >= size && block[at] != PUBREL) {
                ack = put_ack(ack, run->qos == 1 ? PUBACK : PUBREC, get_u16(block + at + id_at));
                at += size;
                messages++;
                done += run->qos == 1;
            } else {
                break;
            }
        }
        partial = have - at;
        memmove(block, block + at, partial);
        if (ack != acks)
            write_all(fd, acks, (size_t)(ack - acks));
    }
    report(run, LIBRARY, start, messages);
}

static void measure_latency(const struct run *run, int fd)
{
    size_t size = message_size(run, 0, "echo/x");
    uint8_t *message = allocate(size), *back = allocate(size + 64);
    double *trips = calloc((size_t)run->count, sizeof *trips);
    if (!trips)
        fail("no memory");
    put_message(message, run, 0, 0, "echo/x", run->size);
    read_all(fd, back, write_subscribe(fd, run, "echo/x", 0));
    struct instant start = now();
    for (long i = -WARM_UP; i < run->count; i++) {
        if (i == 0)
            start = now();
        double before = seconds();
        write_all(fd, message, size);
        read_all(fd, back, size);
        if (i >= 0)
            trips[i] = (seconds() - before) * 1e6;
    }
    report_latency(run, LIBRARY, start, trips);
}

static void idle(const struct run *run)
{
    long rss = process_status("VmRSS");
    struct instant start = now();
    for (long i = 0; i < run->count; i++) {
        char id[32];
        snprintf(id, sizeof id, "raw%ld", i);
        dial(run, id);
    }
    report_idle(run, LIBRARY, start, rss);
}

int main(int argc, char **argv)
{
    struct run run = read_arguments(argc, argv);
    char filter[80];
    snprintf(filter, sizeof filter, "source/%d/%ld/%zu", run.qos, run.count, run.size);
    if (!strcmp(run.mode, "idle")) {
        idle(&run);
        return 0;
    }
    int fd = dial(&run, "raw");
    if (!strcmp(run.mode, "pub"))
        (run.qos ? publish_acknowledged : publish_unacknowledged)(&run, fd);
    else if (!strcmp(run.mode, "recv"))
        (run.qos ? receive_acknowledged : receive_unacknowledged)(&run, fd, filter);
    else if (!strcmp(run.mode, "latency"))
        measure_latency(&run, fd);
    else
        fail("no mode \"%s\"", run.mode);
    return 0;
}
