/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hooks at functions of Unix stream sockets. */
#pragma once

#include "messages.h"

/* int unix_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len) */
ENTRY(unix_stream_sendmsg)
int unix_sendmsg_enter(HOOK_CONTEXT *ctx)
{
	struct socket *sock = (void *)ARGUMENT(ctx, 0);
	struct msghdr *msg = (void *)ARGUMENT(ctx, 1);
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);

	if (!process_traced(p))
		return 0;
	struct sock *sk = READ(socket, sock, sk);
	return send_begin(ROOM_UNIX_SEND, id, p, sk, connection_at(sk), buffers_of(msg, 0), 0);
}

EXIT(unix_stream_sendmsg)
int unix_sendmsg_exit(HOOK_CONTEXT *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = call_ends(id, ACTION_SEND);

	return call ? send_end(ROOM_UNIX_SENT, id, call, (__s32)RESULT(ctx, 3)) : 0;
}

/* int unix_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags) */
ENTRY(unix_stream_recvmsg)
int unix_recvmsg_enter(HOOK_CONTEXT *ctx)
{
	struct socket *sock = (void *)ARGUMENT(ctx, 0);
	struct msghdr *msg = (void *)ARGUMENT(ctx, 1);
	__u32 flags = ARGUMENT(ctx, 3);
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);

	if (!process_traced(p) || flags & MSG_PEEK || ARGUMENT(ctx, 2) == 0)
		return 0;
	struct sock *sk = READ(socket, sock, sk);
	return receive_begin(id, process_is_go(p), sk, connection_at(sk), buffers_of(msg, 1), 0);
}

EXIT(unix_stream_recvmsg)
int unix_recvmsg_exit(HOOK_CONTEXT *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = call_ends(id, ACTION_RECEIVE);

	return call ? receive_end(ROOM_UNIX_RECEIVE, id, call, (__s32)RESULT(ctx, 4)) : 0;
}

/* int unix_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags) */
ENTRY(unix_stream_connect)
int unix_connect(HOOK_CONTEXT *ctx)
{
	return connect_enters((void *)ARGUMENT(ctx, 0), ARGUMENT(ctx, 1));
}

/* int unix_accept(struct socket *sock, struct socket *newsock, …) */
ENTRY(unix_accept)
int unix_accept_enter(HOOK_CONTEXT *ctx)
{
	return accept_enters(ARGUMENT(ctx, 1));
}

EXIT(unix_accept)
int unix_accept_exit(HOOK_CONTEXT *ctx)
{
	return accept_exits();
}

/* int unix_release(struct socket *sock): nobody holds the socket any longer. */
ENTRY(unix_release)
int unix_release(HOOK_CONTEXT *ctx)
{
	struct socket *sock = (void *)ARGUMENT(ctx, 0);

	return close_enters(READ(socket, sock, sk));
}
