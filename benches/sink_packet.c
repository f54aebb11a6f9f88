/* sink: reading packets and answering them. */
#include "sink.h"
#include "wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one packet: each function is given a whole body and says whether it was sound ---- */

/* Octets of a CONNECT property's value; only those with a length of their own are looked into. */
static size_t property_size(unsigned id, struct cursor value)
{
    switch (id) {
    case 0x17: /* request problem information */
    case 0x19: /* request response information */
        return 1;
    case 0x21: /* receive maximum */
    case 0x22: /* topic alias maximum */
        return 2;
    case 0x11: /* session expiry interval */
    case 0x27: /* maximum packet size */
        return 4;
    case 0x15: /* authentication method */
    case 0x16: /* authentication data */
        return 2 + take_u16(&value);
    case 0x26: { /* user property */
        size_t key = take_u16(&value);
        take(&value, key);
        return 2 + key + 2 + take_u16(&value);
    }
    default:
        return SIZE_MAX;
    }
}

static bool on_connect(struct connection *c, struct cursor body)
{
    size_t size, id_size;
    const uint8_t *name = take_string(&body, &size);
    bool old = size == 6 && !memcmp(name, "MQIsdp", 6);
    bool usual = size == 4 && !memcmp(name, "MQTT", 4);
    int version = (int)take_u8(&body);
    if (c->version || !(old ? version == 3 : usual && (version == 4 || version == 5)))
        return false;
    take(&body, 3); /* flags, keep alive: a run is shorter */
    if (version == 5) {
        struct cursor properties = take_properties(&body);
        while (properties.at < properties.end) {
            unsigned id = take_u8(&properties);
            const uint8_t *value = take(&properties, property_size(id, properties));
            if (properties.broken)
                return false;
            if (id == 0x21)
                c->receive_maximum = get_u16(value);
        }
    }
    take_string(&body, &id_size);
    if (body.broken)
        return false;
    c->version = version;

    uint8_t properties[40], *p = properties;
    if (version == 5 && id_size == 0) { /* [MQTT-3.1.3-7]: the client must be told its id */
        char id[32];
        int length = snprintf(id, sizeof id, "sink-%" PRIu64, counters.accepted);
        *p++ = 0x12;
        p = put_string(p, id, (size_t)length);
    }
    size_t count = (size_t)(p - properties);
    *answer++ = CONNACK;
    *answer++ = (uint8_t)(version == 5 ? 3 + count : 2);
    answer = put_u16(answer, 0); /* no session present, accepted */
    if (version == 5) {
        *answer++ = (uint8_t)count;
        answer = put_octets(answer, properties, count);
    }
    return true;
}

static bool on_filter(struct connection *c, const uint8_t *text, size_t size)
{
    char filter[NAME_SIZE], *end = filter;
    if (size == 0)
        return false;
    if (size >= sizeof filter)
        return true; /* none of the names that mean something */
    memcpy(filter, text, size);
    filter[size] = 0;
    if (!strncmp(filter, "echo/", 5))
        c->echoes = true;
    bool spread = !strncmp(filter, "spread/", 7);
    if (!spread && strncmp(filter, "source/", 7))
        return true;
    unsigned long long numbers[4] = {0};
    end += 6;
    for (int i = 0; i < (spread ? 4 : 3) && *end == '/'; i++)
        numbers[i] = strtoull(end + 1, &end, 10);
    /* MQTT itself ends at 256 MiB. */
    if ((*end && *end != '/') || numbers[spread ? 1 : 2] >= 256 * 1024 * 1024)
        return false;
    if (!spread)
        return numbers[0] <= 2 &&
               start_source(c, filter, (int)numbers[0], numbers[1], (size_t)numbers[2]);
    struct spread wanted = {(unsigned)numbers[2], (unsigned)numbers[3]};
    return numbers[3] <= 10 * 1000 * 1000 && wanted.topics && wanted.topics <= wanted.of &&
           start_spread(c, &wanted, numbers[0], (size_t)numbers[1]);
}

static bool on_subscribe(struct connection *c, struct cursor body)
{
    unsigned id = take_u16(&body);
    if (c->version == 5)
        take_properties(&body);
    /* The codes are gathered where they end up, behind the longest header, and moved forward. */
    uint8_t *codes = answer + 8, *code = codes;
    while (body.at < body.end) {
        size_t size;
        const uint8_t *filter = take_string(&body, &size);
        unsigned qos = take_u8(&body) & 3;
        if (body.broken || qos > 2 || !on_filter(c, filter, size))
            return false;
        *code++ = (uint8_t)qos;
    }
    if (body.broken || id == 0 || code == codes)
        return false;
    size_t count = (size_t)(code - codes);
    *answer++ = SUBACK;
    answer = put_varint(answer, (uint32_t)(c->version == 5 ? 3 + count : 2 + count));
    answer = put_u16(answer, id);
    if (c->version == 5)
        *answer++ = 0;
    memmove(answer, codes, count);
    answer += count;
    counters.subscribe++;
    return true;
}

static bool on_unsubscribe(struct connection *c, struct cursor body)
{
    unsigned id = take_u16(&body);
    if (c->version == 5)
        take_properties(&body);
    size_t count = 0, size;
    for (; body.at < body.end; count++) {
        const uint8_t *filter = take_string(&body, &size);
        if (size >= 5 && !memcmp(filter, "echo/", 5))
            c->echoes = false;
    }
    if (body.broken || id == 0 || count == 0)
        return false;
    *answer++ = UNSUBACK;
    answer = put_varint(answer, (uint32_t)(c->version == 5 ? 3 + count : 2));
    answer = put_u16(answer, id);
    if (c->version == 5) {
        memset(answer, 0, 1 + count); /* no properties, and success for each filter */
        answer += 1 + count;
    }
    return true;
}

/* Digits behind `hold/` in a topic of `size` octets; -1 for other topics. */
static int held_back(const uint8_t *topic, size_t size)
{
    if (size < 6 || size > 10 || memcmp(topic, "hold/", 5))
        return -1;
    int number = 0;
    for (size_t i = 5; i < size; i++)
        number = number * 10 + (topic[i] - '0');
    return number;
}

static void on_publish(struct connection *c, int qos, unsigned id, int hold)
{
    counters.publish[qos]++;
    if (qos == 1 && hold >= 0)
        acknowledge_late(c, id, (unsigned)hold);
    else if (qos)
        answer = put_ack(answer, qos == 1 ? PUBACK : PUBREC, id);
}

static bool echo(struct connection *c, int qos, struct cursor body)
{
    size_t topic_size;
    const uint8_t *topic = take_string(&body, &topic_size);
    if (qos)
        take(&body, 2);
    if (c->version == 5)
        take_properties(&body);
    if (body.broken)
        return false;
    size_t size = (size_t)(body.end - body.at);
    answer = put_publish(answer, c->version, 0, 0, (const char *)topic, topic_size, size);
    answer = put_octets(answer, body.at, size);
    counters.echoed++;
    return true;
}

static bool on_packet(struct connection *c, uint8_t first, const uint8_t *body, size_t size)
{
    struct cursor cursor = {body, body + size, false};
    if (!c->version && first != CONNECT)
        return false;
    switch (first) {
    case CONNECT:
        return on_connect(c, cursor);
    case PUBACK:
    case PUBREC:
    case PUBCOMP:
        return size >= 2 && acknowledge(c, first, get_u16(body), size > 2 && body[2] >= 0x80);
    case PUBREL:
        counters.pubrel++;
        answer = put_ack(answer, PUBCOMP, take_u16(&cursor));
        return !cursor.broken;
    case SUBSCRIBE:
        return on_subscribe(c, cursor);
    case UNSUBSCRIBE:
        return on_unsubscribe(c, cursor);
    case PINGREQ:
        *answer++ = PINGRESP;
        *answer++ = 0;
        return true;
    case DISCONNECT:
        drop(c);
        return true;
    default:
        return false;
    }
}

/* ---- the stream ---- */

enum verdict { TAKEN, SHORT, BROKEN };

/* One packet at `p`, of which `available` octets are there; *used tells how many it took. */
static enum verdict parse_packet(struct connection *c, const uint8_t *p, size_t available,
                                 size_t *used)
{
    uint32_t rest;
    int length = available < 2 ? 0 : get_varint(p + 1, available - 1, &rest);
    if (length <= 0)
        return length ? BROKEN : SHORT;
    size_t head = 1 + (size_t)length, total = head + rest;
    const uint8_t *body = p + head;
    *used = total;
    if ((p[0] & 0xf0) != PUBLISH) {
        if (available < total)
            return total > WHOLE_SIZE ? BROKEN : SHORT;
        return on_packet(c, p[0], body, rest) ? TAKEN : BROKEN;
    }

    int qos = p[0] >> 1 & 3;
    if (!c->version || qos == 3 || rest < 2)
        return BROKEN;
    if (available < head + 2)
        return SHORT;
    size_t topic = get_u16(body), before_payload = 2 + topic + (qos ? 2 : 0);
    if (topic == 0 || before_payload > rest)
        return BROKEN;
    if (available < head + before_payload)
        return SHORT;
    unsigned id = qos ? get_u16(body + 2 + topic) : 0;
    if (qos && id == 0)
        return BROKEN;
    if (c->echoes && topic > 5 && !memcmp(body + 2, "echo/", 5)) {
        if (available < total)
            return total > WHOLE_SIZE ? BROKEN : SHORT;
        if (!echo(c, qos, (struct cursor){body, body + rest, false}))
            return BROKEN;
    }
    int hold = qos == 1 ? held_back(body + 2, topic) : -1;
    counters.publish_octets += total;
    if (available < total) { /* counted and acknowledged when its last octet has come */
        c->payload_left = total - available;
        c->payload_qos = qos;
        c->payload_id = id;
        c->payload_hold = hold;
        *used = available;
    } else {
        on_publish(c, qos, id, hold);
    }
    return TAKEN;
}

bool parse(struct connection *c, const uint8_t *p, const uint8_t *end)
{
    if (c->payload_left) {
        size_t skipped = (size_t)(end - p);
        if (skipped > c->payload_left)
            skipped = c->payload_left;
        p += skipped;
        c->payload_left -= skipped;
        if (c->payload_left)
            return true;
        on_publish(c, c->payload_qos, c->payload_id, c->payload_hold);
    }
    while (p < end && !c->gone) {
        size_t used = 0;
        enum verdict verdict = parse_packet(c, p, (size_t)(end - p), &used);
        if (verdict == BROKEN)
            return false;
        if (verdict == SHORT) {
            if (!c->partial)
                c->partial = need(malloc(WHOLE_SIZE));
            c->partial_size = (size_t)(end - p);
            memcpy(c->partial, p, c->partial_size);
            return true;
        }
        p += used;
    }
    return true;
}
