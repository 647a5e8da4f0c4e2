/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a file descriptor to the connection behind it, and its identity. */
#pragma once

#include "event.h"
#include "path.h"
#include "unix.h"

enum direction {
	DIRECTION_NONE,
	DIRECTION_SENT,
	DIRECTION_RECEIVED,
};

/*
 * What is remembered of a connection. Nothing here is indispensable: an evicted
 * entry is made again at the next call, at the price of one more payload.
 */
/* In the order of thin.Role. */
enum role {
	ROLE_UNKNOWN,
	ROLE_CLIENT,
	ROLE_SERVER,
	ROLE_NONE,  /* nobody recognised what is spoken */
	ROLE_WHOLE, /* a turn holds many requests, so that its beginning does not do */
};

struct connection {
	__u64 socket; /* inode number: tells a reused struct sock from the old one */
	__u32 first_sent;
	__u32 first_received;
	__u32 captured; /* payload bytes delivered in this turn */
	__u8 direction; /* of this turn */
	__u8 identified;
	__u8 closed; /* a close was reported */
	__u8 is_unix; /* else TCP */
	__u64 reader; /* who read the request that is left out, until it is answered */
	__u8 role;    /* enum role */
	__u8 hidden;  /* the request of now and its response are left out */
	__u8 skipped; /* the directions in which bytes were left out, until that was told */
	__u8 turns;   /* counts them while the role is not known */
	__u8 marks;   /* the lowest bits of thinning.marks at the last look at them */
	__u8 ended;  /* TCP ended the connection while a process had it open */
	__u16 error; /* with this positive errno */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64); /* struct sock * */
	__type(value, struct connection);
} connections SEC(".maps");

/* Returns a file of a task's, NULL where fd is not open. */
static __always_inline struct file *file_of(struct task_struct *task, int fd)
{
	struct files_struct *files = READ(task_struct, task, files);
	struct fdtable *fdt = READ(files_struct, files, fdt);

	if (fd < 0 || (unsigned int)fd >= READ(fdtable, fdt, max_fds))
		return NULL;
	__u64 slots = (__u64)READ(fdtable, fdt, fd);
	return (struct file *)READ(hlist_head, slots + fd * sizeof(void *), first);
}

/* Returns the socket behind file and its inode number, NULL where it is something else. */
static __always_inline struct sock *sock_of(struct file *file, __u64 *socket)
{
	struct inode *inode;

	if (!file)
		return NULL;
	inode = READ(file, file, f_inode);
	if ((READ(inode, inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	*socket = READ(inode, inode, i_ino);
	struct socket *sock = READ(file, file, private_data);
	return READ(socket, sock, sk);
}

static __always_inline int is_tcp(struct sock *sk)
{
	__u16 family = READ(sock, sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       READ(sock, sk, sk_type) == SOCK_STREAM && READ(sock, sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline int is_stream(struct sock *sk)
{
	return is_tcp(sk) || is_unix_stream(sk);
}

/* Returns the stream socket behind file and its inode number, NULL where it is something else. */
static __always_inline struct sock *stream_sock_of(struct file *file, __u64 *socket)
{
	struct sock *sk = sock_of(file, socket);

	return sk && is_stream(sk) ? sk : NULL;
}

/*
 * Begins to follow a Unix socket; returns whether it is a connected one of streams. A
 * global function, as those in unix.h.
 */
__noinline int unix_begin(__u64 address, __u64 socket)
{
	struct sock *sk = (void *)address;
	struct connection c = {.socket = socket, .is_unix = 1, .identified = 1};
	struct sock *peer;

	if (!is_unix_stream(sk))
		return 0;
	peer = unix_peer(sk);
	if (!peer)
		return 0;
	c.first_sent = unix_number(sk);
	c.first_received = unix_number(peer);
	path_report(sk, peer, socket);
	bpf_map_update_elem(&connections, &address, &c, BPF_ANY);
	return 1;
}

/* Returns what is remembered of the connection sk with an inode number; NULL where it is something else. */
static __always_inline struct connection *connection_named(struct sock *sk, __u64 socket)
{
	struct connection fresh = {.socket = socket};
	__u64 key = (__u64)sk;
	struct connection *c;

	if (!sk)
		return NULL;
	c = bpf_map_lookup_elem(&connections, &key);
	if (c && c->socket == socket)
		return c;
	if (is_tcp(sk))
		bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY);
	else if (READ(sock, sk, __sk_common.skc_family) != AF_UNIX || !unix_begin(number(sk), socket))
		return NULL;
	return bpf_map_lookup_elem(&connections, &key);
}

/*
 * Returns what is remembered of the connection behind a descriptor, and its
 * socket; NULL where it is something else.
 */
static __always_inline struct connection *connection_of(struct file *file, struct sock **sk)
{
	__u64 socket = 0;

	*sk = sock_of(file, &socket);
	return connection_named(*sk, socket);
}

/*
 * The first sequence number of what this end sends: snd_nxt less the bytes sent
 * once. net/ipv4/tcp_output.c counts bytes_sent before it advances snd_nxt, and a
 * whole delivery over loopback may lie between the two; so the figure is believed
 * only where the acknowledged side (snd_una, bytes_acked) says the same, or one
 * less on the end that called connect, whose SYN counts as acknowledged.
 */
static __always_inline int first_sent_of(struct tcp_sock *tp, __u32 *first)
{
	__u32 sent = (__u32)(READ(tcp_sock, tp, bytes_sent) - READ(tcp_sock, tp, bytes_retrans));
	__u32 by_next = READ(tcp_sock, tp, snd_nxt) - sent;
	__u32 by_ack = READ(tcp_sock, tp, snd_una) - (__u32)READ(tcp_sock, tp, bytes_acked);

	*first = by_next;
	return by_next == by_ack || by_next == by_ack + 1;
}

/*
 * The first sequence number of what this end receives. tcp_rcv_nxt_update
 * (net/ipv4/tcp_input.c) advances both fields together; two equal readings show
 * that it did not run between them.
 */
static __always_inline int first_received_of(struct tcp_sock *tp, __u32 *first)
{
	__u32 a = READ(tcp_sock, tp, rcv_nxt) - (__u32)READ(tcp_sock, tp, bytes_received);
	__u32 b = READ(tcp_sock, tp, rcv_nxt) - (__u32)READ(tcp_sock, tp, bytes_received);

	*first = a;
	return a == b;
}

static __always_inline void identify(struct sock *sk, struct connection *c)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u8 state;

	if (c->identified)
		return;
	state = READ(sock, sk, __sk_common.skc_state);
	/*
	 * In other states a SYN or FIN of our own is among the numbers. A socket that a
	 * process has is in SYN_RECV where data came with the SYN (TCP Fast Open).
	 */
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT && state != TCP_SYN_RECV)
		return;
#pragma unroll
	for (int i = 0; i < 3; i++) {
		if (first_sent_of(tp, &c->first_sent) && first_received_of(tp, &c->first_received)) {
			c->identified = 1;
			return;
		}
	}
}

/*
 * Places are 64 bits wide, sequence numbers 32: near is a 64-bit count that lies
 * less than 2 GiB from the place, low its exact lower half.
 */
static __always_inline __u64 place_near(__u64 near, __u32 low)
{
	return near + (__s32)(low - (__u32)near);
}

/* The place of the next byte to be written. */
static __always_inline __u64 send_place(struct sock *sk, const struct connection *c)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	if (c->is_unix)
		return unix_send_place(number(sk), c->direction != DIRECTION_SENT);
	__u64 near = READ(tcp_sock, tp, bytes_sent) - READ(tcp_sock, tp, bytes_retrans);

	return place_near(near, READ(tcp_sock, tp, write_seq) - c->first_sent);
}

/* include/net/sock.h, enum sock_flags: the other end has sent its FIN (tcp_fin in net/ipv4/tcp_input.c). */
#define SOCK_DONE (1 << 1)

/* The place of the next byte to be read. A FIN has a number, too, which is taken with the last bytes or after them. */
static __always_inline __u64 receive_place(struct sock *sk, const struct connection *c)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	if (c->is_unix)
		return unix_receive_place(number(sk));
	__u32 next = READ(tcp_sock, tp, copied_seq);
	if (READ(sock, sk, __sk_common.skc_flags) & SOCK_DONE && next == READ(tcp_sock, tp, rcv_nxt))
		next--;
	return place_near(READ(tcp_sock, tp, bytes_received), next - c->first_received);
}

static __always_inline void addresses_read(struct event *e, struct sock *sk)
{
	e->family = READ(sock, sk, __sk_common.skc_family);
	if (e->family == AF_UNIX)
		return;
	e->local_port = READ(sock, sk, __sk_common.skc_num);
	e->remote_port = bpf_ntohs(READ(sock, sk, __sk_common.skc_dport));
	if (e->family == AF_INET) {
		*(__be32 *)e->local_addr = READ(sock, sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)e->remote_addr = READ(sock, sk, __sk_common.skc_daddr);
		return;
	}
	BPF_CORE_READ_INTO((struct in6_addr *)e->local_addr, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO((struct in6_addr *)e->remote_addr, sk, __sk_common.skc_v6_daddr);
}
