/* sink: acknowledgements of QoS 1 that are held back, so that a known number of messages is in flight. */
#include "sink.h"
#include "wire.h"

#include <stdlib.h>

struct held {
    uint16_t ids[UINT16_MAX + 1]; /* as many as there are packet ids, and none twice */
    uint16_t first;
    unsigned count;
};

/* Acknowledges the oldest until `limit` are waiting, with this one. */
void acknowledge_late(struct connection *c, unsigned id, unsigned limit)
{
    if (!c->held)
        c->held = need(calloc(1, sizeof *c->held));
    struct held *held = c->held;
    held->ids[(uint16_t)(held->first + held->count++)] = (uint16_t)id;
    for (; held->count > limit; held->count--)
        answer = put_ack(answer, PUBACK, held->ids[held->first++]);
}
