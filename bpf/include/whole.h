/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a system call moves on a connection whose bytes are wanted whole: HTTP/2, and what
 * user space asked for. It goes up in as many events as it needs. An event's bytes lie in
 * a row; those that are left out follow on them, and its size counts both.
 *
 * The bytes are looked at in steps, each in a global function: the verifier checks that once.
 */
#pragma once

#include "call.h"
#include "thin.h"

/* Where frames are not known, so much of a call goes up. */
#define WHOLE_MAX (4 * PAYLOAD_MAX)
/* So many bytes are read at a time to look for frames. */
#define WINDOW 512
/* So many steps are done for a call: a piece, a window or a frame's body. */
#define STEPS_MAX 768

static __always_inline void whole_output(struct scratch *s, __u64 hole)
{
	struct whole *w = &s->whole;
	__u32 done = w->done;

	s->event.offset = w->start;
	s->event.size = done + hole;
	scratch_send(s, done);
	s->event.family = 0; /* addresses come once */
	s->event.flags &= ~EVENT_FRAMES;
	w->start += done + hole;
	w->done = 0;
	w->hole = 0;
	w->events++;
}

/* From here on it is not known where frames begin. */
static __always_inline void whole_unknown(struct frames *f)
{
	f->state = FRAMES_LOST;
	f->have = 0;
	f->wanted = WHOLE_MAX;
	f->left_out = ~0U;
}

/* Follows a frame over n bytes that lie at a place in the scratch payload; returns over how many, 0 where no more are wanted. */
__noinline int frame_follow(__u32 room, __u32 at, __u32 n)
{
	struct scratch *s = scratch_get(room);

	if (!s || at >= sizeof(s->data) - FRAME_HEADER || n == 0)
		return 0;
	struct frames *f = &s->whole.frames;
	const __u8 *b = s->data + at;
	__u32 wanted = f->wanted;
	if (wanted) {
		n = wanted < n ? wanted : n;
		f->wanted = wanted - n;
		return n;
	}
	if (f->left_out)
		return 0;
	if (f->have == 0 && n >= FRAME_HEADER) {
		f->length = b[0] << 16 | b[1] << 8 | b[2];
		f->type = b[3];
		n = FRAME_HEADER;
	} else {
		frame_header(f, b[0]);
		n = 1;
		if (f->have < FRAME_HEADER)
			return n;
	}
	frame_begins(f);
	if (f->state == FRAMES_LOST)
		whole_unknown(f);
	return n;
}

/*
 * Follows the frames of n bytes that lie at done in the scratch payload; returns how many of them
 * come before the first that is not wanted.
 */
__noinline int frames_follow(__u32 room, __u32 done, __u32 n)
{
	__u32 off = 0;

	/* A frame takes two turns, and one whose header comes in two parts some more. */
	for (__u32 i = 0; i < 2 * WINDOW / FRAME_HEADER + 2 * FRAME_HEADER && off < n; i++) {
		__u32 k = frame_follow(room, done + off, n - off);

		if (k == 0 || k > n - off)
			break;
		off += k;
	}
	return off;
}

/* Goes to the call's next piece; returns whether there is one that can be read. */
static __always_inline int whole_piece(struct whole *w)
{
	struct user_iovec v;

	if (!w->left || !buffer_at(&w->buffers, w->piece++, &v))
		return 0;
	w->addr = v.base;
	w->len = v.len < w->left ? v.len : w->left;
	w->left -= w->len;
	return v.base || !v.len;
}

static __always_inline void whole_pass(struct whole *w, __u64 n)
{
	w->addr += n;
	w->len -= n;
}

/* Does one step of a call; returns whether there may be another one. */
__noinline int whole_step(__u32 room)
{
	struct scratch *s = scratch_get(room);
	struct frames *f;
	struct whole *w;

	if (!s)
		return 0;
	w = &s->whole;
	f = &w->frames;
	if (!w->len && !whole_piece(w))
		return 0;
	__u64 len = w->len;
	if (!len)
		return 1;
	if (w->known) {
		__u64 n = w->known < len ? w->known : len;
		w->known -= n;
		w->start += n;
		whole_pass(w, n);
		return 1;
	}
	if (!f->wanted && f->left_out) {
		__u64 n = f->left_out < len ? f->left_out : len;
		f->left_out -= n;
		w->hole += n;
		whole_pass(w, n);
		return 1;
	}
	if (w->hole || w->done > PAYLOAD_MAX - WINDOW)
		whole_output(s, w->hole);
	__u32 done = w->done;
	if (!done && !f->wanted && !f->have)
		s->event.flags |= EVENT_FRAMES;
	__u32 want = f->wanted > WINDOW ? f->wanted : WINDOW;
	want = want < PAYLOAD_MAX - done ? done + want : PAYLOAD_MAX;
	__u32 next = payload_append(room, w->addr, len, done, want);
	if (next <= done)
		return 0;
	__u32 n = next - done;
	if (f->wanted >= n)
		f->wanted -= n;
	else
		n = frames_follow(room, done, n);
	w->done = done + n;
	whole_pass(w, n);
	return 1;
}

__noinline int whole_steps(__u32 room)
{
	for (__u32 i = 0; i < STEPS_MAX; i++) {
		if (!whole_step(room))
			break;
	}
	return 0;
}

/* What is known at the beginning of a call that moves bytes from a place on. */
static __always_inline void whole_frames(struct whole *w, const struct frames *known, int sent, __u64 place)
{
	struct frames *f = &w->frames;

	if (!known || known->state == FRAMES_LOST) {
		whole_unknown(f);
		return;
	}
	*f = *known;
	if (f->state == FRAMES_NEW) {
		f->state = FRAMES_KNOWN;
		f->at = place;
	}
	if (place < f->at && sent) {
		w->known = f->at - place; /* the kernel took less of a call before */
	} else if (place != f->at) {
		__u64 missed = place - f->at;
		if (f->have || missed > (__u64)f->wanted + f->left_out) {
			whole_unknown(f);
			return;
		}
		__u32 n = missed < f->wanted ? missed : f->wanted;
		f->wanted -= n;
		f->left_out -= missed - n;
	}
}

/*
 * Sends up what is wanted of a call, but for what is left once w says where that begins. No
 * more than size bytes are looked at.
 */
static __always_inline void whole_walk(__u32 room, struct scratch *s, const struct frames *known, int sent,
				       const struct buffers *b, __u64 place, __u64 size)
{
	struct whole *w = &s->whole;

	__builtin_memset(w, 0, sizeof(*w));
	w->buffers = *b;
	w->start = place;
	w->left = size;
	whole_frames(w, known, sent, place);
	if (payload_size)
		whole_steps(room);
}

/* Notes up to where the frames were followed. */
static __always_inline void whole_note(const struct whole *w, struct frames *known)
{
	if (!known)
		return;
	*known = w->frames;
	known->at = w->start + w->done + w->hole;
}

/*
 * A send, at its entry. What is left out at its end is not announced, as the kernel may take less. What
 * it did not take comes again, and was looked at by then.
 */
static __always_inline void whole_send(__u32 room, struct scratch *s, struct call *call, struct connection *c,
				       const struct buffers *b, int turn)
{
	struct frames *known = frames_find(call->sk, c->socket, 1);
	struct whole *w = &s->whole;

	whole_walk(room, s, known, 1, b, call->place, ~0ULL);
	whole_note(w, known);
	if (w->done || (turn && !w->events))
		whole_output(s, 0);
	call->promised = w->events ? w->start - call->place : 0;
}

/* A receive of moved bytes, at its exit. */
static __always_inline void whole_receive(__u32 room, struct scratch *s, struct call *call, struct connection *c,
					  const struct buffers *b, __u64 moved)
{
	struct frames *known = frames_find(call->sk, c->socket, 0);
	struct whole *w = &s->whole;

	whole_walk(room, s, known, 0, b, call->place, moved);
	whole_note(w, known);
	__u64 hole = call->place + moved - w->start - w->done;
	if (hole && w->frames.state == FRAMES_LOST)
		payload_tail(room, b, moved);
	if (w->done || hole)
		whole_output(s, hole);
}
