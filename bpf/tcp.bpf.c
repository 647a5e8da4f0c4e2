//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What processes send and receive over TCP, seen at their system calls.
 *
 * A send is reported at its entry, before its bytes can reach anybody, so that the
 * order of events is the order of causes; a receive at its exit. The event at a
 * send's entry announces only the bytes it carries; the exit reports the rest, or
 * that the kernel took fewer.
 */
#include "lifetime.h"
#include "receive.h"
#include "send.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ENTER(name) \
	SEC("tracepoint/syscalls/sys_enter_" #name) int sys_enter_##name(struct syscall_enter *ctx)
#define EXIT(name) \
	SEC("tracepoint/syscalls/sys_exit_" #name) int sys_exit_##name(struct syscall_exit *ctx)

static __always_inline struct buffers one_buffer(__u64 addr, __u64 len)
{
	struct buffers b = {.addr = addr, .len = len};
	return b;
}

static __always_inline struct buffers vector(__u64 iov, __u64 count)
{
	struct buffers b = {.addr = iov, .count = count < IOV_MAX_READ ? count : IOV_MAX_READ};

	/* A count of 0 would mean one buffer: an empty one is meant. */
	if (count == 0)
		b.addr = 0;
	return b;
}

/* Works for struct mmsghdr as well: it begins with a msghdr. */
static __always_inline struct buffers message(__u64 addr)
{
	struct user_msghdr m = {};

	bpf_probe_read_user(&m, sizeof(m), (void *)addr);
	return vector(m.iov, m.iovlen);
}

ENTER(write) { return send_enter(ctx->args[0], one_buffer(ctx->args[1], ctx->args[2]), 0); }
ENTER(writev) { return send_enter(ctx->args[0], vector(ctx->args[1], ctx->args[2]), 0); }
ENTER(sendto) { return send_enter(ctx->args[0], one_buffer(ctx->args[1], ctx->args[2]), 0); }
ENTER(sendmsg) { return send_enter(ctx->args[0], message(ctx->args[1]), 0); }
ENTER(sendmmsg) { return send_enter(ctx->args[0], message(ctx->args[1]), ctx->args[1]); }

EXIT(write) { return send_exit(ctx->ret, FORM_BUFFER); }
EXIT(writev) { return send_exit(ctx->ret, FORM_VECTOR); }
EXIT(sendto) { return send_exit(ctx->ret, FORM_BUFFER); }
EXIT(sendmsg) { return send_exit(ctx->ret, FORM_VECTOR); }
EXIT(sendmmsg) { return send_exit(ctx->ret, FORM_MESSAGES); }

ENTER(read) { return receive_enter(ctx->args[0], one_buffer(ctx->args[1], ctx->args[2]), 0, 0); }
ENTER(readv) { return receive_enter(ctx->args[0], vector(ctx->args[1], ctx->args[2]), 0, 0); }
ENTER(recvfrom) { return receive_enter(ctx->args[0], one_buffer(ctx->args[1], ctx->args[2]), 0, ctx->args[3]); }
ENTER(recvmsg) { return receive_enter(ctx->args[0], message(ctx->args[1]), 0, ctx->args[2]); }
ENTER(recvmmsg) { return receive_enter(ctx->args[0], message(ctx->args[1]), ctx->args[1], ctx->args[3]); }

EXIT(read) { return receive_exit(ctx->ret, FORM_BUFFER); }
EXIT(readv) { return receive_exit(ctx->ret, FORM_VECTOR); }
EXIT(recvfrom) { return receive_exit(ctx->ret, FORM_BUFFER); }
EXIT(recvmsg) { return receive_exit(ctx->ret, FORM_VECTOR); }
EXIT(recvmmsg) { return receive_exit(ctx->ret, FORM_MESSAGES); }

ENTER(connect) { return connect_enter(ctx->args[0], ctx->args[1]); }
EXIT(accept) { return accept_exit(ctx->ret); }
EXIT(accept4) { return accept_exit(ctx->ret); }
ENTER(close) { return close_enter(ctx->args[0]); }

/* TP_PROTO(const struct sock *sk, const int oldstate, const int newstate) */
SEC("raw_tracepoint/inet_sock_set_state")
int inet_sock_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	return state_changed((struct sock *)ctx->args[0], (int)ctx->args[2]);
}
