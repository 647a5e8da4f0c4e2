/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hooks at functions of TCP. */
#pragma once

#include "messages.h"

/*
 * tcp_recvmsg had a sixth argument, nonblock before flags, until 5.18, and may have no
 * fifth, addr_len. Set by the loader.
 */
const volatile __u32 recvmsg_arguments = 5;

/* int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size) */
ENTRY(tcp_sendmsg)
int tcp_sendmsg_enter(HOOK_CONTEXT *ctx)
{
	struct sock *sk = (void *)ARGUMENT(ctx, 0);
	struct msghdr *msg = (void *)ARGUMENT(ctx, 1);
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);

	if (!process_traced(p))
		return 0;
	return send_begin(ROOM_SEND, id, p, sk, connection_at(sk), buffers_of(msg, 0), 0);
}

EXIT(tcp_sendmsg)
int tcp_sendmsg_exit(HOOK_CONTEXT *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = call_ends(id, ACTION_SEND);

	return call ? send_end(ROOM_SENT, id, call, (__s32)RESULT(ctx, 3)) : 0;
}

/*
 * int tcp_sendpage(struct sock *sk, struct page *page, int offset, size_t size, int flags)
 * Until 6.4: sendfile and splice. Later they come to tcp_sendmsg.
 */
ENTRY(tcp_sendpage)
int tcp_sendpage_enter(HOOK_CONTEXT *ctx)
{
	struct sock *sk = (void *)ARGUMENT(ctx, 0);
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);

	if (!process_traced(p))
		return 0;
	return send_begin(ROOM_PAGE, id, p, sk, connection_at(sk), one_buffer(0, 0), 0);
}

EXIT(tcp_sendpage)
int tcp_sendpage_exit(HOOK_CONTEXT *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = call_ends(id, ACTION_SEND);

	return call ? send_end(ROOM_PAGE_SENT, id, call, (__s32)RESULT(ctx, 5)) : 0;
}

/*
 * Each branch reads the context by itself: the verifier wants constant offsets, and none
 * that the function does not have.
 */
static __always_inline __u32 recvmsg_flags(HOOK_CONTEXT *ctx)
{
	__u32 flags;

	if (recvmsg_arguments == 6) {
		flags = ARGUMENT(ctx, 4);
		barrier_var(flags);
	} else {
		flags = ARGUMENT(ctx, 3);
		barrier_var(flags);
	}
	return flags;
}

static __always_inline __s32 recvmsg_result(HOOK_CONTEXT *ctx)
{
	__s32 result;

	if (recvmsg_arguments == 6) {
		result = RESULT(ctx, 6);
		barrier_var(result);
	} else if (recvmsg_arguments == 4) {
		result = RESULT(ctx, 4);
		barrier_var(result);
	} else {
		result = RESULT(ctx, 5);
		barrier_var(result);
	}
	return result;
}

/* int tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len) */
ENTRY(tcp_recvmsg)
int tcp_recvmsg_enter(HOOK_CONTEXT *ctx)
{
	struct sock *sk = (void *)ARGUMENT(ctx, 0);
	struct msghdr *msg = (void *)ARGUMENT(ctx, 1);
	__u32 flags = recvmsg_flags(ctx);
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);

	/* A receive of nothing looks like the end of the stream. */
	if (!process_traced(p) || flags & (MSG_PEEK | MSG_ERRQUEUE) || ARGUMENT(ctx, 2) == 0)
		return 0;
	return receive_begin(id, process_is_go(p), sk, connection_at(sk), buffers_of(msg, 1), 0);
}

EXIT(tcp_recvmsg)
int tcp_recvmsg_exit(HOOK_CONTEXT *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = call_ends(id, ACTION_RECEIVE);

	return call ? receive_end(ROOM_RECEIVE, id, call, recvmsg_result(ctx)) : 0;
}

/*
 * ssize_t tcp_splice_read(struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe,
 *			   size_t len, unsigned int flags)
 */
ENTRY(tcp_splice_read)
int tcp_splice_read_enter(HOOK_CONTEXT *ctx)
{
	struct socket *sock = (void *)ARGUMENT(ctx, 0);
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);
	struct sock *sk;

	if (!process_traced(p) || ARGUMENT(ctx, 3) == 0)
		return 0;
	sk = READ(socket, sock, sk);
	return receive_begin(id, process_is_go(p), sk, connection_at(sk), one_buffer(0, 1), 0);
}

EXIT(tcp_splice_read)
int tcp_splice_read_exit(HOOK_CONTEXT *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = call_ends(id, ACTION_RECEIVE);

	return call ? receive_end(ROOM_SPLICE, id, call, RESULT(ctx, 5)) : 0;
}

/* Ends a receive that began before the programs were attached, whose exit they do not see. */
static __always_inline int receive_cleaned_up(__s32 copied)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&calls, &id);

	if (!call || call->action != ACTION_RECEIVE || call->sk || copied <= 0)
		return 0;
	call->action = ACTION_NONE;
	return receive_end(ROOM_RECEIVE, id, call, copied);
}

/* void __tcp_cleanup_rbuf(struct sock *sk, int copied), since 6.2: the last that tcp_recvmsg does with the bytes. */
ENTRY(__tcp_cleanup_rbuf)
int tcp_cleanup_rbuf_inner(HOOK_CONTEXT *ctx)
{
	return receive_cleaned_up(ARGUMENT(ctx, 1));
}

ENTRY(tcp_cleanup_rbuf)
int tcp_cleanup_rbuf(HOOK_CONTEXT *ctx)
{
	return receive_cleaned_up(ARGUMENT(ctx, 1));
}

/* int inet_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags) */
ENTRY(inet_stream_connect)
int inet_stream_connect(HOOK_CONTEXT *ctx)
{
	return connect_enters((void *)ARGUMENT(ctx, 0), ARGUMENT(ctx, 1));
}

/* int inet_accept(struct socket *sock, struct socket *newsock, …) */
ENTRY(inet_accept)
int inet_accept_enter(HOOK_CONTEXT *ctx)
{
	return accept_enters(ARGUMENT(ctx, 1));
}

EXIT(inet_accept)
int inet_accept_exit(HOOK_CONTEXT *ctx)
{
	return accept_exits();
}

/*
 * int mptcp_stream_accept(struct socket *sock, struct socket *newsock, …)
 * Go's servers listen for MPTCP where the kernel has it (since 1.24). Who connects by
 * plain TCP gets a TCP socket all the same.
 */
ENTRY(mptcp_stream_accept)
int mptcp_accept_enter(HOOK_CONTEXT *ctx)
{
	return accept_enters(ARGUMENT(ctx, 1));
}

EXIT(mptcp_stream_accept)
int mptcp_accept_exit(HOOK_CONTEXT *ctx)
{
	return accept_exits();
}

/* void tcp_close(struct sock *sk, long timeout): nobody holds the socket any longer. */
ENTRY(tcp_close)
int tcp_close(HOOK_CONTEXT *ctx)
{
	return close_enters((void *)ARGUMENT(ctx, 0));
}
