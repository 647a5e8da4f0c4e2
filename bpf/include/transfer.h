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

/*
 * Whether a receive does not wait, and is one of TCP. Half of them find nothing, so that all is
 * left to its exit: the descriptor and the place are the same there, but that it moved what it
 * moved. Others may close the socket, or open another one with its number, while a call waits.
 */
static __always_inline int receive_is_quick(struct file *file, __u64 flags)
{
	__u64 socket;
	struct sock *sk;

	if (!file || !(READ(file, file, f_flags) & O_NONBLOCK || flags & MSG_DONTWAIT))
		return 0;
	sk = sock_of(file, &socket);
	return sk && is_tcp(sk);
}

/* Begins a quick receive at its exit; returns the thread's call, NULL where it is none. */
static __always_inline struct call *receive_late(__u64 id, __u32 is_go, struct call *call, long nr)
{
	struct pt_regs *regs = user_registers(current_task());
	__u64 second = USER_ARGUMENT(regs, 2), third = USER_ARGUMENT(regs, 3);
	__u64 flags = receive_flags(nr, third, USER_ARGUMENT(regs, 4));
	int fd = USER_ARGUMENT_1(regs);

	if (flags & (MSG_PEEK | MSG_ERRQUEUE) || !receive_is_quick(file_of(caller_task(), fd), flags))
		return NULL;
	if (!call && call_make(id))
		call = call_known(id);
	if (!call)
		return NULL;
	call->buffers = received_buffers(nr, second, third);
	/* A receive of nothing looks like the end of the stream. */
	if (call->buffers.count == 0 && call->buffers.len == 0)
		return NULL;
	call->messages = nr == NR_RECVMMSG ? second : 0;
	call->sk = 0;
	call->fd = fd;
	call->go = is_go != 0;
	return call;
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
