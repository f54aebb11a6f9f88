/* sink: what its files share. See sink.c for what the program is. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One read: so large that system calls cost nothing per message, and still within the second-level
 * cache together with the answers. */
enum { READ_SIZE = 256 * 1024 };

/* The largest packet that has to be seen as a whole: all but a PUBLISH that is only counted. */
enum { WHOLE_SIZE = 128 * 1024 };

/* An answer is never longer than what it answers, CONNACK with an assigned client id aside. */
enum { ANSWER_SIZE = WHOLE_SIZE + READ_SIZE + 64 };

/* Longer names mean nothing to the sink. */
enum { NAME_SIZE = 256 };

/* A stream of messages: slot i of the ring holds one whole PUBLISH, with packet id i + 1. */
struct source {
    uint8_t *ring;
    uint8_t *slots; /* what is known of the message in each slot, at QoS 1 and 2 */
    size_t packet;  /* octets of one message */
    size_t written; /* octets of message `next` that are out already */
    unsigned size, next;
    uint64_t left;
    int qos;
};

/* Topics of a stream: so many, out of those that there are. */
struct spread {
    unsigned topics, of;
};

/* What its topics look like; all are of the same size. */
#define SPREAD_TOPIC "t/%07u/v"

struct held;

struct connection {
    int fd;
    int version; /* 0 until CONNECT */
    uint32_t interest;
    bool echoes, gone;
    unsigned receive_maximum;
    uint8_t *partial; /* the start of a packet whose rest has not arrived */
    size_t partial_size;
    uint64_t payload_left; /* of a PUBLISH whose head is parsed already */
    int payload_qos;
    unsigned payload_id;
    int payload_hold;
    struct held *held; /* acknowledgements that wait, NULL until there was one */
    uint8_t *unsent; /* answers that the socket did not take */
    size_t unsent_from, unsent_to;
    struct source source;
    struct connection *next_gone;
};

extern struct counters {
    uint64_t accepted, publish[3], publish_octets, pubrel, subscribe;
    uint64_t source_sent, source_acked, echoed, errors, reads, writes;
} counters;

/* Messages of a source that may be unacknowledged at once. */
extern unsigned window;

/* Where the next answer of this turn goes; the turn writes them all at once. */
extern uint8_t *answer;

/* sink.c */
void *need(void *memory);
void drop(struct connection *c);
size_t transmit(struct connection *c, const uint8_t *data, size_t size);

/* sink_packet.c: handles what lies between the two; false if the client broke the protocol. */
bool parse(struct connection *c, const uint8_t *p, const uint8_t *end);

/* sink_hold.c */
void acknowledge_late(struct connection *c, unsigned id, unsigned limit);

/* sink_spread.c */
bool start_spread(struct connection *c, const struct spread *wanted, uint64_t count, size_t size);

/* sink_source.c */
bool prepare_source(struct connection *c, int qos, uint64_t count, size_t packet, size_t least);
bool start_source(struct connection *c, const char *name, int qos, uint64_t count, size_t size);
unsigned ready(const struct source *s);
bool write_messages(struct connection *c, unsigned run);
void write_source(struct connection *c);
bool acknowledge(struct connection *c, uint8_t kind, unsigned id, bool failed);

#endif
