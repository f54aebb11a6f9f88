/* sink: streams of messages on many topics, drawn at random, for measuring what routing costs. */
#include "sink.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same draw in every run (xorshift). */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

bool start_spread(struct connection *c, const struct spread *wanted, uint64_t count, size_t size)
{
    char topic[32];
    uint8_t head[PUBLISH_OVERHEAD + sizeof topic], *payload;
    size_t topic_size = (size_t)snprintf(topic, sizeof topic, SPREAD_TOPIC, 0u);
    payload = put_publish(head, c->version, 0, 0, topic, topic_size, size);
    size_t packet = (size_t)(payload - head) + size;
    /* So many that hardly a topic is missing. */
    if (!prepare_source(c, 0, count, packet, 4 * (size_t)wanted->topics))
        return false;
    struct source *s = &c->source;
    uint64_t state = 0x9e3779b97f4a7c15;
    for (unsigned i = 0; i < s->size; i++) {
        /* Those that are used lie evenly among those that there are. */
        uint64_t chosen = draw(&state) % wanted->topics * wanted->of / wanted->topics;
        snprintf(topic, sizeof topic, SPREAD_TOPIC, (unsigned)chosen);
        payload = put_publish(s->ring + i * packet, c->version, 0, 0, topic, topic_size, size);
        memset(payload, 'x', size);
    }
    return true;
}
