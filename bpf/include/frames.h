/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the frames of HTTP/2 lie in the bytes of a connection (RFC 9113, section 4.1): of those that
 * carry long bodies little is needed, of all others everything. It is known from the
 * preface on. User space reads the frames by itself, and asks here only where it lost them: if this
 * is wrong, it finds bytes missing that it needs, and counts them.
 */
#pragma once

#include "kernel.h"

/* The client's preface: RFC 9113, section 3.4. */
#define PREFACE_SIZE 24
#define FRAME_HEADER 9
#define FRAME_DATA 0
/* The highest type that is registered (RFC 9218). A higher one is taken for no frame. */
#define FRAME_TYPE_MAX 0x10

/* A DATA frame longer than this is left out, but for so many bytes behind its header. */
#define LONG_DATA 2048
#define LONG_DATA_HEAD 16

enum frames_state {
	FRAMES_NEW, /* one begins with the next byte that is moved */
	FRAMES_KNOWN,
	FRAMES_LOST,
};

/* The frames of one direction. */
struct frames {
	__u64 at;     /* the place up to which they were followed */
	__u32 wanted; /* so many bytes from there on, then */
	__u32 left_out; /* so many are not wanted; what follows is a header */
	__u32 length; /* of the payload, as far as its header was read */
	__u8 type;
	__u8 have; /* bytes that were read of the header */
	__u8 state;
	__u8 pad;
};

struct frames_of {
	__u64 socket;
	struct frames sent;
	struct frames received;
};

/* What is evicted is lost: FRAMES_LOST. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct sock * */
	__type(value, struct frames_of);
} frames SEC(".maps");

/* A direction begins with the preface. A global function, as the others that need much of the stack. */
__noinline int frames_begin(__u64 sk, __u64 socket, __u32 sent, __u64 place)
{
	struct frames first = {.at = place, .wanted = PREFACE_SIZE, .state = FRAMES_KNOWN};
	struct frames_of fresh = {.socket = socket};

	if (sent)
		fresh.sent = first;
	else
		fresh.received = first;
	bpf_map_update_elem(&frames, &sk, &fresh, BPF_ANY);
	return 0;
}

/* Returns what is known of a connection's frames in a direction, NULL where nothing is. */
static __always_inline struct frames *frames_find(__u64 sk, __u64 socket, int sent)
{
	struct frames_of *both = bpf_map_lookup_elem(&frames, &sk);

	if (!both || both->socket != socket)
		return NULL;
	return sent ? &both->sent : &both->received;
}

/* Takes a byte of a frame's header. */
static __always_inline void frame_header(struct frames *f, __u8 byte)
{
	if (f->have < 3)
		f->length = f->length << 8 | byte;
	else if (f->have == 3)
		f->type = byte;
	f->have++;
}

/* What is wanted of the frame whose header ends. */
static __always_inline void frame_begins(struct frames *f)
{
	__u32 length = f->length & 0xffffff;

	f->have = 0;
	f->length = 0;
	f->wanted = length;
	f->left_out = 0;
	if (f->type > FRAME_TYPE_MAX)
		f->state = FRAMES_LOST;
	if (f->type == FRAME_DATA && length > LONG_DATA) {
		f->wanted = LONG_DATA_HEAD;
		f->left_out = length - LONG_DATA_HEAD;
	}
}
