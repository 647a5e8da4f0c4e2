/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The paths of Unix sockets, told once for each end of a connection. */
#pragma once

#include "event.h"

/* include/uapi/linux/un.h: struct sockaddr_un begins with the family, and so does its length. */
#define UNIX_PATH_MAX 108
#define UNIX_FAMILY_SIZE 2

struct path_event {
	struct event event;
	char path[UNIX_PATH_MAX];
};

/* Copies the path of a bound socket to to; returns its length, 0 where there is none. */
static __always_inline __u32 path_read(char *to, struct sock *sk)
{
	struct unix_address *address = sk ? READ(unix_sock, sk, addr) : NULL;

	if (!address)
		return 0;
	__u32 len = READ(unix_address, address, len);

	if (len <= UNIX_FAMILY_SIZE)
		return 0;
	len -= UNIX_FAMILY_SIZE;
	if (len > UNIX_PATH_MAX)
		len = UNIX_PATH_MAX;
	void *from = (void *)address + bpf_core_field_offset(struct unix_address, name) + UNIX_FAMILY_SIZE;
	return bpf_probe_read_kernel(to, len, from) ? 0 : len;
}

/* Reports the path to which a Unix socket was connected, or else at which it was accepted. */
static __always_inline void path_report(struct sock *sk, struct sock *peer, __u64 socket)
{
	if (!bpf_core_type_exists(struct unix_sock))
		return;
	struct path_event *p = bpf_ringbuf_reserve(&events, sizeof(*p), 0);
	__u64 id = bpf_get_current_pid_tgid();

	if (!p) {
		count_loss(LOSS_RING_BUFFER_FULL);
		return;
	}
	__builtin_memset(p, 0, sizeof(*p));
	p->event.kind = EVENT_PATH;
	p->event.family = AF_UNIX;
	p->event.time = bpf_ktime_get_ns();
	p->event.pid = id >> 32;
	p->event.tid = id;
	p->event.socket = socket;
	p->event.data_len = path_read(p->path, peer);
	p->event.number = p->event.data_len != 0; /* it is the peer's */
	if (!p->event.data_len)
		p->event.data_len = path_read(p->path, sk);
	bpf_ringbuf_submit(p, BPF_RB_NO_WAKEUP);
}
