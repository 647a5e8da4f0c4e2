/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System calls that open and close connections, by their descriptors. */
#pragma once

#include "lifetime.h"
#include "udp.h"

static __always_inline int connect_enter(const struct process *p, struct file *file, __u64 sa)
{
	__u64 socket;
	struct sock *sk = stream_sock_of(file, &socket);

	return sk ? connect_begin(p, sk, socket, sa) : 0;
}

static __always_inline int accept_exit(const struct process *p, __s64 ret)
{
	__u64 socket = 0;

	if (ret < 0)
		return 0;
	return accept_end(p, stream_sock_of(file_of(caller_task(), ret), &socket), socket);
}

/* Whether nobody but the caller holds the file. */
static __always_inline int last_reference(struct file *file)
{
	struct file___6_13 *counted = (void *)file;

	if (bpf_core_field_exists(counted->f_ref))
		return READ(file___6_13, counted, f_ref.refcnt.counter) == 0;
	return READ(file, file, f_count.counter) == 1;
}

static __always_inline int close_enter(const struct process *p, struct file *file)
{
	__u64 socket;
	__u64 key = (__u64)sock_of(file, &socket);

	if (!key || !last_reference(file))
		return 0;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	if (!c)
		return udp_close_begin(p, key);
	return c->socket == socket ? close_begin(p, c) : 0;
}
