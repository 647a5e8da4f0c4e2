/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Datagrams of UDP sockets. Each is told of by itself, with the addresses of both ends as
 * far as this one knows them: a send at its entry, a receive at its exit.
 */
#pragma once

#include "call.h"
#include "lifetime.h"
#include "message.h"
#include "receive.h"

#define AF_UNSPEC 0
#define SOCK_DGRAM 2
#define IPPROTO_UDP 17

/* Of one call's datagrams more are counted, and not looked at. */
#define DATAGRAMS_MAX 64

/* What is remembered of a socket. As with connections, an evicted entry is made again. */
struct udp_socket {
	__u64 socket; /* inode number: tells a reused struct sock from the old one */
	__u8 role;    /* ROLE_UNKNOWN, or ROLE_NONE: nothing of it is of use */
	__u8 calls;
	__u8 pad[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct sock * */
	__type(value, struct udp_socket);
} udp_sockets SEC(".maps");

static __always_inline int is_udp(struct sock *sk)
{
	__u16 family = READ(sock, sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       READ(sock, sk, sk_type) == SOCK_DGRAM && READ(sock, sk, sk_protocol) == IPPROTO_UDP;
}

/* Returns what is remembered of a UDP socket, NULL where it is something else, or no process has it. */
static __always_inline struct udp_socket *udp_socket_of(struct sock *sk)
{
	struct udp_socket fresh = {.socket = number_of(READ(sock, sk, sk_socket))};
	__u64 key = (__u64)sk;
	struct udp_socket *u;

	if (!fresh.socket)
		return NULL;
	u = bpf_map_lookup_elem(&udp_sockets, &key);
	if (u && u->socket == fresh.socket)
		return u;
	bpf_map_update_elem(&udp_sockets, &key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&udp_sockets, &key);
}

/* Whether nobody wants to know of the socket. User space says so after some datagrams. */
static __always_inline int udp_unwanted(struct udp_socket *u)
{
	if (u->role != ROLE_NONE && ++u->calls % MARKS_EVERY == 0)
		mark_take(u->socket, &u->role);
	return u->role == ROLE_NONE;
}

/* Makes the thread's entry. A function of its own, so that its stack is not its caller's. */
__noinline int call_make(__u64 id) { return call_of(id) != NULL; }

/*
 * Begins a call that moves datagrams. The caller says where their bytes and addresses
 * are: call->messages and call->promised for a struct msghdr (0) or so many mmsghdr, else
 * call->buffers and call->peer.
 */
static __always_inline struct call *udp_begin(__u64 id, __u8 action, struct sock *sk, int is_go)
{
	struct udp_socket *u = udp_socket_of(sk);
	struct call *call;

	if (!u || udp_unwanted(u))
		return NULL;
	call = bpf_map_lookup_elem(&calls, &id);
	if (!call && call_make(id))
		call = bpf_map_lookup_elem(&calls, &id);
	if (!call || has_begun(call, action, sk))
		return NULL;
	call->action = action;
	call->go = is_go != 0;
	call->sk = (__u64)sk;
	call->socket = u->socket;
	call->messages = 0;
	call->promised = 0;
	call->peer = 0;
	/* The kernel chooses a socket's port inside of its first send, which is told of at its exit. */
	call->opening = action == ACTION_SEND_DATAGRAMS && READ(sock, sk, __sk_common.skc_num) == 0;
	if (call->opening)
		call->place = bpf_ktime_get_ns();
	return call;
}

/* Reads a datagram's other end from a struct sockaddr. At 0 there is none: the socket's peer holds. */
static __always_inline void datagram_peer(struct event *e, __u64 sa)
{
	struct {
		__u16 family;
		__be16 port;
		__u32 v4_or_flow;
		__u8 v6[16];
	} peer = {};

	if (!sa)
		return;
	sockaddr_read(&peer, 8, sa);
	if (peer.family == AF_INET6 && e->family == AF_INET6) {
		sockaddr_read(&peer.v6, sizeof(peer.v6), sa + 8);
		__builtin_memcpy(e->remote_addr, peer.v6, sizeof(peer.v6));
	} else if (e->family == AF_INET && (peer.family == AF_INET || peer.family == AF_UNSPEC)) {
		__builtin_memcpy(e->remote_addr, &peer.v4_or_flow, sizeof(peer.v4_or_flow));
	} else if (e->family == AF_INET6 && peer.family == AF_INET) {
		__builtin_memset(e->remote_addr, 0, 10);
		__builtin_memset(e->remote_addr + 10, 0xff, 2);
		__builtin_memcpy(e->remote_addr + 12, &peer.v4_or_flow, sizeof(peer.v4_or_flow));
	} else {
		return;
	}
	e->remote_port = bpf_ntohs(peer.port);
}

/* How much the buffers hold. */
static __always_inline __u64 buffers_size(const struct buffers *b)
{
	__u64 size = 0;

	for (__u32 i = 0; i < IOV_MAX_READ; i++) {
		struct user_iovec v;

		if (!buffer_at(b, i, &v))
			break;
		size += v.len;
	}
	return size;
}

/* Of a datagram in an array: a struct mmsghdr begins with a msghdr. */
static __always_inline __u64 message_at(const struct call *call, __u32 i)
{
	return call->messages + i * sizeof(struct user_mmsghdr);
}

/* Readies what is common to a call's datagrams in the scratch event. */
static __always_inline void datagrams_begin(__u32 room, __u64 id, const struct call *call, __u8 kind)
{
	struct scratch *s = scratch_get(room);
	int sends = kind == EVENT_SEND_DATAGRAM;

	if (!s)
		return;
	event_begin(s, kind, id, sends ? process_find(id >> 32) : call_process(id, call));
	if (sends && call->opening)
		s->event.time = call->place;
	s->event.socket = call->socket;
	thread_tells(&s->event, call);
}

/*
 * Tells of datagram i of the thread's call, for which the scratch event is ready. Result is its
 * size, 0 where that is the buffers', or an error. Global functions, as those in unix.h; of
 * the 512 bytes of stack that a program has with all that it calls, these must leave some.
 */
__noinline int datagram_report(__u32 room, __u64 id, __u32 i, __s64 result)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);
	struct scratch *s = scratch_get(room);
	struct user_msghdr m = {};
	struct buffers b;

	if (!call || !s)
		return 0;
	addresses_read(&s->event, (struct sock *)call->sk);
	s->event.size = 0;
	s->event.error = result < 0 ? -result : 0;
	if (result < 0 && s->event.kind == EVENT_RECEIVE_DATAGRAM) {
		scratch_send(s, 0);
		return 0;
	}
	if (call->messages) {
		bpf_probe_read_user(&m, sizeof(m), (void *)message_at(call, i));
		b = vector(m.iov, m.iovlen);
		datagram_peer(&s->event, m.name);
	} else {
		b = call->buffers;
		datagram_peer(&s->event, call->peer);
	}
	__u64 size = result > 0 ? result : buffers_size(&b);
	if (!size)
		return 0; /* an empty one says nothing */
	s->event.size = size;
	scratch_send(s, payload_head(room, &b, size < payload_size ? size : payload_size, IOV_MAX_READ));
	return 0;
}

/* Tells of what a call sends, at its entry, or at its exit. Result is as for one of them, if there is one. */
__noinline int datagrams_sent(__u32 room, __u64 id, __s64 result)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);
	__u32 n;

	if (!call)
		return 0;
	n = call->promised ? call->promised : 1;
	for (__u32 i = 0; i < DATAGRAMS_MAX && i < n; i++)
		datagram_report(room, id, i, result);
	if (n > DATAGRAMS_MAX && result >= 0)
		count_losses(LOSS_DATAGRAMS_UNSEEN, n - DATAGRAMS_MAX);
	return 0;
}

/* The exit of a call that sends. */
__noinline int udp_send_end(__u32 room, __u64 id, __s64 ret)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);

	if (!call || !call->sk || (ret < 0 ? error_passes(ret) : !call->opening))
		return 0;
	datagrams_begin(room, id, call, EVENT_SEND_DATAGRAM);
	datagrams_sent(room, id, ret < 0 ? ret : 0);
	return 0;
}

/* The exit of a call that receives. */
__noinline int udp_receive_end(__u32 room, __u64 id, __s64 ret)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);

	if (!call || !call->sk || ret == 0 || error_passes(ret))
		return 0;
	datagrams_begin(room, id, call, EVENT_RECEIVE_DATAGRAM);
	if (ret < 0 || !call->promised) {
		datagram_report(room, id, 0, ret);
		return 0;
	}
	for (__u32 i = 0; i < DATAGRAMS_MAX && i < ret; i++) {
		__u32 size = 0;

		bpf_probe_read_user(&size, sizeof(size),
				    (void *)(message_at(call, i) + __builtin_offsetof(struct user_mmsghdr, len)));
		if (size)
			datagram_report(room, id, i, size);
	}
	if (ret > DATAGRAMS_MAX)
		count_losses(LOSS_DATAGRAMS_UNSEEN, ret - DATAGRAMS_MAX);
	return 0;
}

/* Reports that a UDP socket's last descriptor is closed. */
static __always_inline int udp_close_begin(const struct process *p, __u64 key)
{
	struct udp_socket *u = bpf_map_lookup_elem(&udp_sockets, &key);

	if (!u)
		return 0;
	__u64 socket = u->socket;
	bpf_map_delete_elem(&udp_sockets, &key);
	return close_report(p, socket, 0);
}
