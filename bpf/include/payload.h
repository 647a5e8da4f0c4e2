/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copies the first and the last bytes of what a system call moves. */
#pragma once

#include "buffers.h"
#include "event.h"
#include "frames.h"

#define PAYLOAD_MAX 16384

/* Payload bytes per turn, 0 to PAYLOAD_MAX. */
const volatile __u32 payload_size = 1024;

/* A call on a connection whose bytes are wanted whole (whole.h). */
struct whole {
	struct buffers buffers;
	__u64 addr; /* what is left of this piece */
	__u64 len;
	__u64 left;  /* bytes behind this piece */
	__u64 known; /* bytes that come first and were looked at before */
	__u64 start; /* place of the payload's first byte */
	__u64 hole;  /* bytes that are left out behind the payload */
	__u32 done;  /* payload bytes */
	__u32 piece; /* the next one */
	__u32 events;
	__u32 pad;
	struct frames frames;
};

/* So many iovecs of a vector are read at a time: what a read costs hardly depends on its length. */
#define PIECES 8

/* As far as the parent's id it is 36 words long in Go 1.26. */
#define G_WORDS 64

struct scratch {
	struct event event;
	__u8 data[2 * PAYLOAD_MAX]; /* room for offset + length without a further check */
	__u32 sent;
	struct whole whole;
	struct user_iovec pieces[PIECES];
	__u64 g[G_WORDS]; /* of the calling goroutine's runtime.g */
};

/* How many events of a CPU go by between two looks at how much waits. */
#define WAKEUP_EVERY 64

/*
 * Programs at kprobes do not interrupt each other on one CPU, but those at fentry and, on
 * kernels where they are preemptible, at the tracepoints of system calls may: a task that
 * runs one can be preempted by a task that runs another (the same one is left out then:
 * kernel/bpf/trampoline.c, __bpf_prog_enter_recur, 5.12; kernel/trace/bpf_trace.c,
 * __bpf_trace_run). So each of these has a room of its own.
 */
enum room {
	ROOM_SEND,
	ROOM_SENT,
	ROOM_RECEIVE,
	ROOM_PAGE,
	ROOM_PAGE_SENT,
	ROOM_SPLICE,
	ROOM_UNIX_SEND,
	ROOM_UNIX_SENT,
	ROOM_UNIX_RECEIVE,
	ROOM_UDP_SEND,
	ROOM_UDP_SENT,
	ROOM_UDP_RECEIVE,
	ROOM_UDP6_SEND,
	ROOM_UDP6_SENT,
	ROOM_UDP6_RECEIVE,
	ROOMS,
};

/* How many of them a CPU has: 1 for kprobes, else ROOMS or twice as many. Set by the loader. */
const volatile __u32 scratch_rooms = 1;

/*
 * Where this program's begin: ROOMS for one that is the twin of another, and does what that
 * one was left out for; else 0. Set by the loader.
 */
const volatile __u32 first_room = 0;

/* A per-CPU map's values are limited to 32 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: the possible CPUs, times scratch_rooms */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch_get(__u32 room)
{
	__u32 i = bpf_get_smp_processor_id();

	if (scratch_rooms > 1)
		i = i * scratch_rooms + first_room + room;
	return bpf_map_lookup_elem(&scratches, &i);
}

/*
 * The work on one piece is done in global functions: the verifier checks them
 * once, on their own, and knows nothing of what they return, so that the loops
 * around them stay cheap to verify.
 */

/* Appends a piece to the scratch payload of done bytes; returns the new length. */
__noinline int payload_append(__u32 room, __u64 addr, __u64 len, __u32 done, __u32 want)
{
	struct scratch *s = scratch_get(room);
	__u32 n;

	if (!addr || !s || done >= PAYLOAD_MAX || want <= done)
		return done; /* bytes that splice moves are at no address */
	n = want - done;
	if (len < n)
		n = len;
	if (n == 0 || n > PAYLOAD_MAX)
		return done;
	if (bpf_probe_read_user(s->data + done, n, (void *)addr)) {
		count_loss(LOSS_PAYLOAD_UNREADABLE);
		return done;
	}
	return done + n;
}

/*
 * Appends what a piece at place at holds of the last TAIL_SIZE of size bytes to
 * the scratch event's tail.
 */
__noinline int tail_append(__u32 room, __u64 addr, __u64 len, __u64 at, __u64 size)
{
	struct scratch *s = scratch_get(room);
	__u64 from = size > TAIL_SIZE ? size - TAIL_SIZE : 0;
	__u64 lo = at > from ? at : from;
	__u64 hi = at + len < size ? at + len : size;

	if (!s || hi <= lo)
		return 0;
	__u32 filled = s->event.tail_len;
	__u64 n = hi - lo;
	if (n > TAIL_SIZE || filled >= TAIL_SIZE || n > TAIL_SIZE - filled)
		return 0;
	/* scratch.data lies behind the event, so the sum needs no tighter bound. */
	if (!bpf_probe_read_user(&s->event.tail[filled], n, (void *)(addr + (lo - at))))
		s->event.tail_len = filled + n;
	return 0;
}

/* Reads the next iovecs of a vector, left or PIECES, to the scratch pieces; returns whether it could. */
__noinline int pieces_read(__u32 room, __u64 addr, __u32 left)
{
	struct scratch *s = scratch_get(room);
	__u32 n = left < PIECES ? left : PIECES;

	if (!s)
		return 0;
	return read_iovecs(s->pieces, n * sizeof(s->pieces[0]), addr) == 0;
}

/* The same as buffer_at, for who takes one piece after the other. */
static __always_inline int piece_at(__u32 room, struct scratch *s, const struct buffers *b, __u32 i,
				    struct user_iovec *out)
{
	__u32 place = i % PIECES;

	if (b->count == 0 || i >= b->count)
		return buffer_at(b, i, out);
	if (place == 0 && !pieces_read(room, b->addr + i * sizeof(*out), b->count - i))
		return 0;
	*out = s->pieces[place];
	if (i == 0)
		buffer_skip(b, out);
	return 1;
}

/* Copies the first want bytes, of so many pieces at most, to the scratch payload; returns how many it could read. */
static __always_inline __u32 payload_head(__u32 room, const struct buffers *b, __u32 want, __u32 pieces)
{
	struct scratch *s = scratch_get(room);
	__u32 done = 0;

	if (!s)
		return 0;
	for (__u32 i = 0; i < pieces && done < want; i++) {
		struct user_iovec v;

		if (!piece_at(room, s, b, i, &v))
			break;
		__u32 next = payload_append(room, v.base, v.len, done, want);
		if (next == done && v.len)
			break;
		done = next;
	}
	return done < PAYLOAD_MAX ? done : PAYLOAD_MAX;
}

/* Copies the last (at most TAIL_SIZE) of the size bytes that were moved to the scratch event. */
static __always_inline void payload_tail(__u32 room, const struct buffers *b, __u64 size)
{
	__u64 at = 0;

	for (__u32 i = 0; i < IOV_MAX_READ && at < size; i++) {
		struct user_iovec v;

		if (!buffer_at(b, i, &v))
			break;
		tail_append(room, v.base, v.len, at, size);
		at += v.len;
	}
}
