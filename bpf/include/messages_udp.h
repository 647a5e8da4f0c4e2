/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hooks at functions of UDP. */
#pragma once

#include "messages.h"
#include "udp.h"

static __always_inline int udp_send_enters(__u32 room, struct sock *sk, struct msghdr *msg, __u64 size)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);
	struct call *call;

	if (!process_traced(p))
		return 0;
	call = bpf_map_lookup_elem(&calls, &id);
	/* What IPv6 sends to an IPv4 address it hands on. */
	if (call && call->action == ACTION_SEND_DATAGRAMS && call->sk == (__u64)sk)
		return 0;
	call = udp_begin(id, ACTION_SEND_DATAGRAMS, sk, process_is_go(p));
	if (!call)
		return 0;
	call->buffers = buffers_of(msg, 0);
	call->peer = number((void *)BPF_CORE_READ(msg, msg_name));
	if (call->opening)
		return 0;
	datagrams_begin(room, id, call, EVENT_SEND_DATAGRAM);
	return datagrams_sent(room, id, size);
}

static __always_inline int udp_call_exits(__u32 room, __u8 action, __s64 ret)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&calls, &id);

	if (!call || call->action != action)
		return 0;
	call->action = ACTION_NONE;
	return action == ACTION_SEND_DATAGRAMS ? udp_send_end(room, id, ret) : udp_receive_end(room, id, ret);
}

static __always_inline int udp_receive_enters(struct sock *sk, struct msghdr *msg, __u32 flags)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);
	struct call *call;

	if (!process_traced(p) || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	call = udp_begin(id, ACTION_RECEIVE_DATAGRAMS, sk, process_is_go(p));
	if (!call)
		return 0;
	call->buffers = buffers_of(msg, 1);
	call->peer = number((void *)BPF_CORE_READ(msg, msg_name));
	return 0;
}

/* int udp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len) */
ENTRY(udp_sendmsg)
int udp_sendmsg_enter(HOOK_CONTEXT *ctx)
{
	return udp_send_enters(ROOM_UDP_SEND, (void *)ARGUMENT(ctx, 0), (void *)ARGUMENT(ctx, 1), ARGUMENT(ctx, 2));
}

EXIT(udp_sendmsg)
int udp_sendmsg_exit(HOOK_CONTEXT *ctx)
{
	return udp_call_exits(ROOM_UDP_SENT, ACTION_SEND_DATAGRAMS, (__s32)RESULT(ctx, 3));
}

/* int udpv6_sendmsg(struct sock *sk, struct msghdr *msg, size_t len) */
ENTRY(udpv6_sendmsg)
int udpv6_sendmsg_enter(HOOK_CONTEXT *ctx)
{
	return udp_send_enters(ROOM_UDP6_SEND, (void *)ARGUMENT(ctx, 0), (void *)ARGUMENT(ctx, 1), ARGUMENT(ctx, 2));
}

EXIT(udpv6_sendmsg)
int udpv6_sendmsg_exit(HOOK_CONTEXT *ctx)
{
	return udp_call_exits(ROOM_UDP6_SENT, ACTION_SEND_DATAGRAMS, (__s32)RESULT(ctx, 3));
}

/* int udp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len): as tcp_recvmsg */
ENTRY(udp_recvmsg)
int udp_recvmsg_enter(HOOK_CONTEXT *ctx)
{
	return udp_receive_enters((void *)ARGUMENT(ctx, 0), (void *)ARGUMENT(ctx, 1), recvmsg_flags(ctx));
}

EXIT(udp_recvmsg)
int udp_recvmsg_exit(HOOK_CONTEXT *ctx)
{
	return udp_call_exits(ROOM_UDP_RECEIVE, ACTION_RECEIVE_DATAGRAMS, recvmsg_result(ctx));
}

ENTRY(udpv6_recvmsg)
int udpv6_recvmsg_enter(HOOK_CONTEXT *ctx)
{
	return udp_receive_enters((void *)ARGUMENT(ctx, 0), (void *)ARGUMENT(ctx, 1), recvmsg_flags(ctx));
}

EXIT(udpv6_recvmsg)
int udpv6_recvmsg_exit(HOOK_CONTEXT *ctx)
{
	return udp_call_exits(ROOM_UDP6_RECEIVE, ACTION_RECEIVE_DATAGRAMS, recvmsg_result(ctx));
}

static __always_inline int udp_closes(struct sock *sk)
{
	struct process *p = process_find(bpf_get_current_pid_tgid() >> 32);

	if (!process_traced(p))
		return 0;
	return udp_close_begin(p, (__u64)sk);
}

/* void udp_destroy_sock(struct sock *sk): nobody holds the socket any longer. */
ENTRY(udp_destroy_sock)
int udp_destroy_sock(HOOK_CONTEXT *ctx)
{
	return udp_closes((void *)ARGUMENT(ctx, 0));
}

ENTRY(udpv6_destroy_sock)
int udpv6_destroy_sock(HOOK_CONTEXT *ctx)
{
	return udp_closes((void *)ARGUMENT(ctx, 0));
}
