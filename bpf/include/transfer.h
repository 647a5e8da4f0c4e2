/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the arguments of the system calls say that the bytes are. */
#pragma once

#include "caller.h"
#include "receive.h"
#include "send.h"
#include "udp_syscalls.h"

/* sendfile has no buffer: its size is known at its exit. */
static __always_inline struct buffers sent_buffers(long nr, __u64 second, __u64 third)
{
	switch (nr) {
	case NR_WRITEV:
	case NR_PWRITEV2:
		return vector(second, third);
	case NR_SENDMSG:
	case NR_SENDMMSG:
		return message(second);
	case NR_SENDFILE:
		return one_buffer(0, 0);
	}
	return one_buffer(second, third);
}

static __always_inline struct buffers received_buffers(long nr, __u64 second, __u64 third)
{
	switch (nr) {
	case NR_READV:
	case NR_PREADV2:
		return vector(second, third);
	case NR_RECVMSG:
	case NR_RECVMMSG:
		return message(second);
	}
	return one_buffer(second, third);
}

static __always_inline __u64 receive_flags(long nr, __u64 third, __u64 fourth)
{
	switch (nr) {
	case NR_RECVFROM:
	case NR_RECVMMSG:
		return fourth;
	case NR_RECVMSG:
		return third;
	}
	return 0;
}

static __always_inline int send_enter(__u64 id, __u32 flags, struct file *file, struct buffers b, __u64 messages)
{
	struct sock *sk;
	struct connection *c = connection_of(file, &sk);

	if (!c)
		return sk && udp_send_enter(id, flags, number(sk)) ? datagrams_sent(ROOM_SEND, id, 0) : 0;
	if (send_unwanted(c)) /* before anything else is looked up */
		return 0;
	return send_begin(ROOM_SEND, id, caller_entry(flags), sk, c, b, messages);
}

static __always_inline int receive_enter(__u64 id, __u32 flags, struct file *file, struct buffers b, __u64 messages)
{
	struct connection *c;
	struct sock *sk;

	/* A receive of nothing looks like the end of the stream. */
	if (b.count == 0 && b.len == 0)
		return 0;
	c = connection_of(file, &sk);
	if (!c)
		return sk ? udp_receive_enter(id, flags, number(sk)) : 0;
	return receive_begin(id, flags & PROCESS_GO, sk, c, b, messages);
}

/* splice(fd_in, off_in, fd_out, …): one end is a pipe, the other may be a socket. */
static __always_inline int splice_enter(__u64 id, __u32 flags, struct file *in, struct file *out)
{
	/* Its bytes are in no buffer: one that holds something, but nowhere. */
	receive_enter(id, flags, in, one_buffer(0, 1), 0);
	return send_enter(id, flags, out, one_buffer(0, 0), 0);
}
