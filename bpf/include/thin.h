/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests that are left out to keep within a budget, and connections of which nothing
 * is of use. User space decides how many requests (receiver/ebpfspanreceiver/internal/thin),
 * and tells which end of its requests a connection is, once it has seen that each turn in
 * their direction is one request. It comes to the same decisions for what it is told
 * of, so a connection whose role is not known costs more, and nothing else.
 */
#pragma once

#include "frames.h"
#include "socket.h"
#include "thread.h"
#include "xxhash.h"

struct thinning {
	__u64 threshold; /* requests are left out whose key's first 56 bits are below */
	__u64 active;    /* 0: no request was left out for a while */
	__u64 marks;     /* counts what user space tells of connections, after each */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thinning);
} thinnings SEC(".maps");

/* What user space tells of connections, until they take it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* inode number of the socket */
	__type(value, __u8);
} marks SEC(".maps");

/* In the order of the constants in capture/thin_linux.go. */
enum omission {
	OMITTED_REQUESTS,
	OMITTED_CONNECTIONS,
	OMISSIONS,
};

/* What was left out on purpose. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OMISSIONS);
	__type(key, __u32);
	__type(value, __u64);
} omissions SEC(".maps");

static __always_inline void count_omission(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&omissions, &what);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline struct thinning *thinning_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&thinnings, &zero);
}

/* How many turns of a connection, or calls on a UDP socket, go by between two looks at what user space says of it. */
#define MARKS_EVERY 8
/* In its first turns more is asked at each: pipelines of databases may begin there. */
#define MARKS_FIRST 16
/* After so many turns it is looked even if nothing seems to have been told: a connection knows little of the count. */
#define MARKS_ANYWAY 64

/* Takes the role that user space has marked a socket with, if it has. */
static __always_inline void mark_take(__u64 socket, __u8 *role)
{
	__u8 *marked = bpf_map_lookup_elem(&marks, &socket);

	if (!marked)
		return;
	*role = *marked;
	bpf_map_delete_elem(&marks, &socket);
	if (*role == ROLE_NONE)
		count_omission(OMITTED_CONNECTIONS);
}

/*
 * User space marks what it gives up after some turns (maxTurns in protocol/demux.go),
 * and roles while requests are left out: to look at every turn would be a waste, and so
 * would be to look where it has marked nothing since the last look.
 */
static __always_inline void role_learn(struct connection *c, const struct thinning *t)
{
	__u8 marks = *(volatile __u64 *)&t->marks; /* before the look: what is marked meanwhile is seen next time */
	__u8 turns = ++c->turns;

	if (!t->active && turns >= MARKS_FIRST && turns % MARKS_EVERY)
		return;
	if (c->marks == marks && turns % MARKS_ANYWAY)
		return;
	c->marks = marks;
	mark_take(c->socket, &c->role);
}

/*
 * Whether a turn begins with a method. If not, it goes on with a request, whose body waited for
 * 100 Continue or was overtaken by its response.
 */
static __always_inline int begins_request(const struct buffers *b, __u64 size)
{
	struct user_iovec v = {};
	__u8 text[4] = {'A', 'A', 'A', 'A'};

	if (!buffer_at(b, 0, &v) || !v.base || !v.len || !size)
		return 0;
	if (bpf_probe_read_user(text, v.len < 4 || size < 4 ? 1 : 4, (void *)v.base))
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		if ((text[i] < 'A' || text[i] > 'Z') && text[i] != ' ' && text[i] != '-')
			return 0;
	}
	return 1;
}

/* How the bytes that HTTP/2 begins with begin, as a little-endian number: "PRI * HT". */
#define PREFACE 0x5448202a20495250ULL

/*
 * HTTP/2 compresses its header fields by what was sent before, so all of them must be seen from the
 * connection's first bytes on: user space would ask for them too late.
 */
static __always_inline void whole_from_preface(struct connection *c, const struct call *call, int sent,
					       const struct buffers *b, __u64 size)
{
	struct user_iovec v = {};
	__u64 text = 0;

	/* Each byte of a Unix socket is counted from a time of our choice. */
	if (c->role != ROLE_UNKNOWN || (c->is_unix ? c->turns > 2 : call->place != 0))
		return;
	if (!buffer_at(b, 0, &v) || !v.base || v.len < sizeof(text) || size < sizeof(text))
		return;
	if (bpf_probe_read_user(&text, sizeof(text), (void *)v.base) || text != PREFACE)
		return;
	c->role = ROLE_WHOLE;
	frames_begin(call->sk, c->socket, sent, call->place);
}

/*
 * The key of the request that begins at a place: protocol.Exchange.Key is the same.
 */
static __always_inline __u64 request_key(const struct connection *c, __u8 direction, __u64 place)
{
	__u64 request = direction == DIRECTION_SENT ? c->first_sent : c->first_received;
	__u64 response = direction == DIRECTION_SENT ? c->first_received : c->first_sent;

	return xxh64_of_two(request | response << 32, place);
}

/* The request that this connection hides is no longer one that its thread may work for. */
static __always_inline void hidden_answered(struct connection *c)
{
	__u64 reader = c->reader;
	struct call *call;

	if (!reader)
		return;
	c->reader = 0;
	call = bpf_map_lookup_elem(&calls, &reader);
	if (call && call->hidden)
		__sync_fetch_and_add(&call->hidden, -1);
}

/*
 * Decides, at the first byte of a turn, about a request and its response. A decision
 * holds until the next request. No more than size of the bytes in the buffers count.
 */
static __always_inline void thin_turn(struct connection *c, __u8 direction, __u64 place, const struct buffers *b,
				      __u64 size, __u64 id, struct call *call)
{
	struct thinning *t = thinning_now();

	if (!t)
		return;
	if (c->role == ROLE_UNKNOWN)
		role_learn(c, t);
	/* Each byte of a Unix socket is counted at both ends: user space leaves its requests out. */
	if (c->is_unix || (c->role != ROLE_CLIENT && c->role != ROLE_SERVER))
		return;
	if (direction != (c->role == ROLE_CLIENT ? DIRECTION_SENT : DIRECTION_RECEIVED)) {
		hidden_answered(c);
		return;
	}
	if (!begins_request(b, size))
		return;
	hidden_answered(c);
	c->hidden = c->identified && request_key(c, direction, place) >> 8 < t->threshold;
	if (!c->hidden)
		return;
	count_omission(OMITTED_REQUESTS);
	if (c->role == ROLE_SERVER) {
		c->reader = id;
		__sync_fetch_and_add(&call->hidden, 1);
	}
}

/*
 * Whether a call in a direction can only move a part of a response that is left out,
 * so that nothing of it is needed. It counts as that response's turn even if it moves no byte.
 */
static __always_inline int thin_response(struct connection *c, __u8 direction)
{
	if (!c->hidden || direction == (c->role == ROLE_CLIENT ? DIRECTION_SENT : DIRECTION_RECEIVED))
		return 0;
	hidden_answered(c);
	c->direction = direction;
	c->captured = 0;
	c->skipped |= direction;
	return 1;
}

/* Whether what moves in a direction is left out. */
static __always_inline int thin_hides(struct connection *c, __u8 direction)
{
	if (c->hidden)
		c->skipped |= direction;
	return c->hidden || c->role == ROLE_NONE;
}

/* Lets an event say which turn of its loop the thread is in, and what may be hidden from user space. */
static __always_inline void thread_tells(struct event *e, const struct call *call)
{
	struct thinning *t = thinning_now();

	if (!call)
		return;
	e->number = call->waits;
	if (!t || !t->active)
		return;
	e->flags |= EVENT_THINNING;
	e->hidden = call->hidden < 255 ? call->hidden : 255;
}

/* The same for an event that moves bytes, and whether such before them were left out. */
static __always_inline void thin_bytes(struct event *e, struct connection *c, __u8 direction, const struct call *call)
{
	thread_tells(e, call);
	if (!(c->skipped & direction) || !e->size)
		return;
	c->skipped &= ~direction;
	e->flags |= EVENT_SKIPPED;
}
