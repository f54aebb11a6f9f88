/* sink: the streams of messages that it sends to subscribers of `source/...`.
 *
 * The messages are encoded once, into a ring, and sent from it again and again in as few writes as
 * possible. Under QoS 1 and 2 a slot is used again only when its packet id is free, so the state of
 * each id is known and a wrong acknowledgement is noticed.
 */
#include "sink.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* Encoded messages: of QoS 0 what one write sends, of QoS 1 and 2 at most a window; so few that
 * they stay in the cache. */
enum { RING_SIZE = 128 * 1024, WINDOW_SIZE = 4 * 1024 * 1024 };

/* Writes of one source in one turn, so that it cannot starve the other connections. */
enum { WRITES_PER_TURN = 16 };

enum slot { FREE, SENT, RELEASED }; /* RELEASED: PUBREC has come, PUBCOMP has not */

static bool is_running(const struct source *s)
{
    if (s->left)
        return true;
    for (unsigned i = 0; i < s->size; i++)
        if (s->slots[i] != FREE)
            return true;
    return false;
}

/* Room for messages of `packet` octets, at QoS 0 for at least `least`; the caller encodes them. */
bool prepare_source(struct connection *c, int qos, uint64_t count, size_t packet, size_t least)
{
    struct source *s = &c->source;
    if (is_running(s))
        return false; /* one at a time */
    s->packet = packet;
    size_t slots = (qos ? WINDOW_SIZE : RING_SIZE) / packet;
    if (slots < least)
        slots = least;
    if (qos && slots > window)
        slots = window;
    if (qos && c->receive_maximum && slots > c->receive_maximum)
        slots = c->receive_maximum;
    s->size = (unsigned)slots;
    free(s->ring);
    free(s->slots);
    s->ring = need(malloc(packet * slots));
    s->slots = need(calloc(slots, 1));
    s->next = 0;
    s->qos = qos;
    s->left = count;
    return true;
}

bool start_source(struct connection *c, const char *name, int qos, uint64_t count, size_t size)
{
    size_t name_size = strlen(name);
    uint8_t head[PUBLISH_OVERHEAD + NAME_SIZE], *payload;
    payload = put_publish(head, c->version, qos, 1, name, name_size, size);
    if (!prepare_source(c, qos, count, (size_t)(payload - head) + size, 1))
        return false;
    const struct source *s = &c->source;
    for (unsigned i = 0; i < s->size; i++) {
        uint8_t *message = s->ring + i * s->packet;
        payload = put_publish(message, c->version, qos, i + 1, name, name_size, size);
        memset(payload, 'x', size);
    }
    return true;
}

/* Messages that can be written from `next` on in one piece. */
unsigned ready(const struct source *s)
{
    unsigned most = s->size - s->next, run = 0;
    if (most > s->left)
        most = (unsigned)s->left;
    if (!s->qos)
        return most;
    while (run < most && s->slots[s->next + run] == FREE)
        run++;
    return run;
}

/* Writes up to `run` messages; false if the socket did not take them all. */
bool write_messages(struct connection *c, unsigned run)
{
    struct source *s = &c->source;
    size_t want = run * s->packet - s->written;
    size_t sent = transmit(c, s->ring + s->next * s->packet + s->written, want);
    s->written += sent;
    while (s->written >= s->packet) {
        s->written -= s->packet;
        if (s->qos)
            s->slots[s->next] = SENT;
        if (++s->next == s->size)
            s->next = 0;
        s->left--;
        counters.source_sent++;
    }
    return sent == want;
}

void write_source(struct connection *c)
{
    for (int i = 0; i < WRITES_PER_TURN; i++) {
        unsigned run = ready(&c->source);
        if (!run || !write_messages(c, run))
            return;
    }
}

/* A PUBACK, PUBREC or PUBCOMP for a message of the source; false unless that is what is due. */
bool acknowledge(struct connection *c, uint8_t kind, unsigned id, bool failed)
{
    struct source *s = &c->source;
    if (id == 0 || id > s->size || !s->slots)
        return false;
    uint8_t *slot = &s->slots[id - 1];
    if (kind == PUBREC && *slot == SENT && s->qos == 2 && !failed) {
        *slot = RELEASED;
        answer = put_ack(answer, PUBREL, id);
        return true;
    }
    bool last =
        kind == PUBCOMP ? *slot == RELEASED : *slot == SENT && s->qos == (kind == PUBACK ? 1 : 2);
    if (last) {
        *slot = FREE;
        counters.source_acked++;
    }
    return last;
}
