/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unix stream sockets. They have no sequence numbers, but both ends are on this host: a
 * number made of its struct sock's address stands for each direction, and a counter that
 * both ends share for the places in it. The inode number would not do, as the server's
 * end has none before it is accepted, and the client may send before.
 */
#pragma once

#include "kernel.h"

/* Secret and different at each start: addresses of the kernel must not be told. Set by the loader. */
const volatile __u64 unix_salt = 0;

/* One direction. Both count from the same place on. */
struct unix_stream {
	__u64 written;
	__u64 read;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64); /* the sender's struct sock * */
	__type(value, struct unix_stream);
} unix_streams SEC(".maps");

static __always_inline int is_unix_stream(struct sock *sk)
{
	/* A kernel whose Unix sockets are a module has no types of theirs. */
	if (!bpf_core_type_exists(struct unix_sock))
		return 0;
	return READ(sock, sk, __sk_common.skc_family) == AF_UNIX && READ(sock, sk, sk_type) == SOCK_STREAM;
}

static __always_inline struct sock *unix_peer(struct sock *sk)
{
	if (!bpf_core_type_exists(struct unix_sock))
		return NULL;
	return READ(unix_sock, sk, peer);
}

/* Makes a plain number of a pointer, with which the verifier lets nobody calculate. */
static __always_inline __u64 number(const void *pointer)
{
	__u64 address = (__u64)pointer, x = 0;

	bpf_probe_read_kernel(&x, sizeof(x), &address);
	return x;
}

/* The number of the direction in which sk sends, never 0. */
static __always_inline __u32 unix_number(struct sock *sk)
{
	__u64 x = number(sk) ^ unix_salt;

	/* The finaliser of splitmix64. */
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	x = x >> 32;
	return x ? x : 1;
}

/* Of longer queues the size is not known. */
#define UNIX_QUEUE_MAX 64

/* The bytes that wait to be read by sk, -1 where they are too many to count. */
static __always_inline __s64 unix_unread(struct sock *sk)
{
	__u32 n = READ(sock, sk, sk_receive_queue.qlen);
	__s64 total = 0;

	if (n == 0)
		return 0;
	if (n > UNIX_QUEUE_MAX || !bpf_core_type_exists(struct unix_skb_parms))
		return -1;
	struct sk_buff *skb = READ(sock, sk, sk_receive_queue.next);

	for (__u32 i = 0; i < UNIX_QUEUE_MAX && i < n; i++) {
		void *parms = (void *)skb + bpf_core_field_offset(struct sk_buff, cb);

		total += READ(sk_buff, skb, len) - READ(unix_skb_parms, parms, consumed);
		skb = READ(sk_buff, skb, next);
	}
	return total;
}

/*
 * The direction from sender to receiver, made where it is new. Struct socks are used
 * again, and entries are evicted: places begin with the time, eight to a nanosecond, so
 * that none comes twice.
 */
static __always_inline struct unix_stream *unix_stream_of(struct sock *sender, struct sock *receiver)
{
	__u64 key = (__u64)sender;
	struct unix_stream *stream = bpf_map_lookup_elem(&unix_streams, &key);

	if (stream || !sender || !receiver)
		return stream;
	__s64 unread = unix_unread(receiver);
	struct unix_stream fresh = {.read = bpf_ktime_get_ns() << 3};

	fresh.written = fresh.read + (unread > 0 ? unread : 0);
	bpf_map_update_elem(&unix_streams, &key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&unix_streams, &key);
}

/*
 * What was written and is not waiting has been read. Where the counters say otherwise one
 * end was not watched for a time, and the other's figure holds: places only grow.
 */
static __always_inline void unix_reconcile(struct unix_stream *stream, struct sock *receiver)
{
	__s64 unread = unix_unread(receiver);

	if (unread < 0 || stream->written == stream->read + unread)
		return;
	if (stream->written > stream->read + unread)
		stream->read = stream->written - unread;
	else
		stream->written = stream->read + unread;
}

/*
 * Global functions, which the verifier checks once, on their own: the walk over a queue
 * must not multiply with the loops over buffers that follow.
 */

/* The place of the next byte that sk writes. begins: it has not written since it read. */
__noinline __u64 unix_send_place(__u64 sk, __u32 begins)
{
	struct sock *sender = (void *)sk;
	struct sock *peer = unix_peer(sender);
	struct unix_stream *stream = unix_stream_of(sender, peer);

	if (!stream)
		return 0;
	if (begins && peer)
		unix_reconcile(stream, peer);
	return stream->written;
}

/* The place of the next byte that sk reads. */
__noinline __u64 unix_receive_place(__u64 sk)
{
	struct sock *receiver = (void *)sk;
	struct unix_stream *stream = unix_stream_of(unix_peer(receiver), receiver);

	return stream ? stream->read : 0;
}

static __always_inline void unix_sent(struct sock *sk, __u64 moved)
{
	__u64 key = (__u64)sk;
	struct unix_stream *stream = bpf_map_lookup_elem(&unix_streams, &key);

	if (stream && moved)
		__sync_fetch_and_add(&stream->written, moved);
}

/*
 * Counts what sk has read; returns the place of its first byte. It is that at the exit:
 * the sender may have reconciled the counters while the receiver waited.
 */
static __always_inline __u64 unix_received(struct sock *sk, __u64 moved)
{
	__u64 key = (__u64)unix_peer(sk);
	struct unix_stream *stream = bpf_map_lookup_elem(&unix_streams, &key);
	__u64 place;

	if (!stream)
		return 0;
	place = stream->read;
	if (moved)
		__sync_fetch_and_add(&stream->read, moved);
	return place;
}
