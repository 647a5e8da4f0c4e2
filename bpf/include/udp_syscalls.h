/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * System calls that move datagrams. Their arguments are read from the caller's registers
 * here, so that those on streams need not hand on what only these want.
 */
#pragma once

#include "caller.h"
#include "syscalls.h"
#include "udp.h"
#include "usercall.h"

#if defined(__TARGET_ARCH_x86)
#define USER_ARGUMENT(regs, n) READ(pt_regs, regs, USER_REGISTER_##n)
#define USER_REGISTER_2 si
#define USER_REGISTER_3 dx
#define USER_REGISTER_4 r10
#define USER_REGISTER_5 r8
#define USER_SYSCALL(regs) ((long)READ(pt_regs, regs, orig_ax))
#else
#define USER_ARGUMENT(regs, n) READ(pt_regs, regs, regs[n - 1])
#define USER_SYSCALL(regs) ((long)READ(pt_regs, regs, syscallno))
#endif

/* Fills in where a call's datagrams are; returns whether it is one that moves them. */
static __always_inline int datagrams_of(struct call *call)
{
	struct pt_regs *regs = user_registers(current_task());
	__u64 second = USER_ARGUMENT(regs, 2), third = USER_ARGUMENT(regs, 3);

	switch (USER_SYSCALL(regs)) {
	case NR_SENDTO:
	case NR_RECVFROM:
		call->peer = USER_ARGUMENT(regs, 5);
		/* fallthrough */
	case NR_WRITE:
	case NR_READ:
		call->buffers = one_buffer(second, third);
		return 1;
	case NR_WRITEV:
	case NR_PWRITEV2:
	case NR_READV:
	case NR_PREADV2:
		call->buffers = vector(second, third);
		return 1;
	case NR_SENDMSG:
	case NR_RECVMSG:
		call->messages = second;
		return 1;
	case NR_SENDMMSG:
	case NR_RECVMMSG:
		call->messages = second;
		call->promised = third;
		return third != 0;
	}
	return 0; /* sendfile and splice: their bytes are at no address */
}

/*
 * Begins a call that sends datagrams, and returns whether they are to be told of now. A
 * global function, as those in udp.h.
 */
__noinline int udp_send_enter(__u64 id, __u32 flags, __u64 address)
{
	struct sock *sk = (void *)address;
	struct call *call;

	if (!is_udp(sk))
		return 0;
	call = udp_begin(id, ACTION_SEND_DATAGRAMS, sk, flags & PROCESS_GO);
	if (!call)
		return 0;
	if (!datagrams_of(call)) {
		call->action = ACTION_NONE;
		return 0;
	}
	if (call->opening)
		return 0;
	datagrams_begin(ROOM_SEND, id, call, EVENT_SEND_DATAGRAM);
	return 1;
}

__noinline int udp_receive_enter(__u64 id, __u32 flags, __u64 address)
{
	struct sock *sk = (void *)address;
	struct call *call;

	if (!is_udp(sk))
		return 0;
	call = udp_begin(id, ACTION_RECEIVE_DATAGRAMS, sk, flags & PROCESS_GO);
	if (call && !datagrams_of(call))
		call->action = ACTION_NONE;
	return 0;
}

/*
 * Makes up for the entry of a receive that blocked before its process was traced, as
 * receive_adopt does; returns whether it was one of datagrams.
 */
__noinline int udp_adopt(__u64 id)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);
	struct udp_socket *u;
	struct sock *sk;
	__u64 socket;

	if (!call)
		return 0;
	sk = sock_of(file_of(caller_task(), call->fd), &socket);
	if (!sk || !is_udp(sk))
		return 0;
	u = udp_socket_of(sk);
	if (!u)
		return 0;
	call->sk = (__u64)sk;
	call->socket = u->socket;
	call->messages = 0;
	call->promised = 0;
	return 1;
}

/* Ends what a system call did, other than with a stream. */
static __always_inline int datagrams_end(__u64 id, __u32 expected, __u32 action, __s64 ret)
{
	if (action == ACTION_SEND_DATAGRAMS && expected == ACTION_SEND)
		return udp_send_end(ROOM_SENT, id, ret);
	if (action == ACTION_RECEIVE_DATAGRAMS && expected == ACTION_RECEIVE)
		return udp_receive_end(ROOM_RECEIVE, id, ret);
	return 0;
}
