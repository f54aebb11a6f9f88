/* wire: the few encodings of MQTT 3.1, 3.1.1 and 5.0 that the sink and the raw driver need.
 *
 * Written for the benchmark alone and independent of the library under test, so that a mistake in
 * one of them cannot hide in the other.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The first octet of each packet with the flags that the specification prescribes. */
enum {
    CONNECT = 0x10,
    CONNACK = 0x20,
    PUBLISH = 0x30,
    PUBACK = 0x40,
    PUBREC = 0x50,
    PUBREL = 0x62,
    PUBCOMP = 0x70,
    SUBSCRIBE = 0x82,
    SUBACK = 0x90,
    UNSUBSCRIBE = 0xa2,
    UNSUBACK = 0xb0,
    PINGREQ = 0xc0,
    PINGRESP = 0xd0,
    DISCONNECT = 0xe0,
};

/* PUBACK, PUBREC, PUBREL and PUBCOMP in their shortest form, the same in every version. */
enum { ACK_SIZE = 4 };

/* Room for everything in front of the payload of a PUBLISH besides its topic. */
enum { PUBLISH_OVERHEAD = 16 };

/* ---- writing: each function returns the octet after the last one written ---- */

static inline uint8_t *put_u16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

static inline uint8_t *put_varint(uint8_t *p, uint32_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static inline uint8_t *put_octets(uint8_t *p, const void *data, size_t size)
{
    memcpy(p, data, size);
    return p + size;
}

static inline uint8_t *put_string(uint8_t *p, const void *text, size_t size)
{
    return put_octets(put_u16(p, (unsigned)size), text, size);
}

static inline uint8_t *put_ack(uint8_t *p, uint8_t kind, unsigned id)
{
    p[0] = kind;
    p[1] = 2;
    return put_u16(p + 2, id);
}

/* Everything of a PUBLISH up to its payload, which the caller appends. */
static inline uint8_t *put_publish(uint8_t *p, int version, int qos, unsigned id, const char *topic,
                                   size_t topic_size, size_t payload_size)
{
    size_t rest = 2 + topic_size + (qos ? 2 : 0) + (version == 5 ? 1 : 0) + payload_size;
    *p++ = (uint8_t)(PUBLISH | qos << 1);
    p = put_string(put_varint(p, (uint32_t)rest), topic, topic_size);
    if (qos)
        p = put_u16(p, id);
    if (version == 5)
        *p++ = 0; /* no properties */
    return p;
}

/* ---- reading ---- */

static inline unsigned get_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* The octets that a variable byte integer takes; 0: not all there yet; -1: longer than four. */
static inline int get_varint(const uint8_t *p, size_t available, uint32_t *value)
{
    uint32_t sum = 0;
    for (int i = 0; i < 4; i++) {
        if ((size_t)i >= available)
            return 0;
        sum |= (uint32_t)(p[i] & 0x7f) << 7 * i;
        if (p[i] < 0x80) {
            *value = sum;
            return i + 1;
        }
    }
    return -1;
}

/* Reads the body of a whole packet. Once it wanted more than there was, `broken` stays set and
 * every further read yields nothing, so one check at the end is enough. */
struct cursor {
    const uint8_t *at, *end;
    bool broken;
};

static inline const uint8_t *take(struct cursor *c, size_t size)
{
    static const uint8_t nothing[8];
    if (c->broken || (size_t)(c->end - c->at) < size) {
        c->broken = true;
        c->at = c->end;
        return nothing;
    }
    const uint8_t *taken = c->at;
    c->at += size;
    return taken;
}

static inline unsigned take_u8(struct cursor *c)
{
    return *take(c, 1);
}

static inline unsigned take_u16(struct cursor *c)
{
    return get_u16(take(c, 2));
}

static inline uint32_t take_varint(struct cursor *c)
{
    uint32_t value = 0;
    int used = get_varint(c->at, (size_t)(c->end - c->at), &value);
    if (used <= 0)
        c->broken = true;
    else
        take(c, (size_t)used);
    return value;
}

/* A string or binary value; `size` is 0 where it is cut short. */
static inline const uint8_t *take_string(struct cursor *c, size_t *size)
{
    size_t announced = take_u16(c);
    const uint8_t *text = take(c, announced);
    *size = c->broken ? 0 : announced;
    return text;
}

/* The properties of a 5.0 packet as a cursor of their own. */
static inline struct cursor take_properties(struct cursor *c)
{
    size_t size = take_varint(c);
    const uint8_t *at = take(c, size);
    return c->broken ? (struct cursor){at, at, true} : (struct cursor){at, at + size, false};
}

#endif
