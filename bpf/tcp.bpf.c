//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What processes send and receive over TCP, Unix sockets and UDP, seen at their system calls.
 *
 * A send is reported at its entry, before its bytes can reach anybody, so that the
 * order of events is the order of causes; a receive at its exit. The event at a
 * send's entry announces only the bytes it carries; the exit reports the rest, or
 * that the kernel took fewer.
 */
#include "descriptor.h"
#include "iouring.h"
#include "transfer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * Raw tracepoints fire for every system call of every process, and still cost less
 * than the tracepoints of single calls, which go through perf. So what is not watched
 * leaves first, and then who is not traced.
 */
static __always_inline int is_watched(enum action action, struct task_struct **task, __u64 *id, __u32 *flags)
{
	if (action == ACTION_NONE)
		return 0;
	*task = caller_task();
	*id = caller_id(*task);
	*flags = caller_flags(*id >> 32);
	if (!*flags)
		return 0;
	if (action == ACTION_WAIT)
		return thread_waits(*id);
	return !is_32bit(*task);
}

static __always_inline int call_begins(long nr, __u64 first, __u64 second, __u64 third, __u64 fourth)
{
	enum action action = action_of(nr);
	struct task_struct *task;
	__u64 id, asked;
	__u32 flags;

	if (!is_watched(action, &task, &id, &flags))
		return 0;
	struct file *file = file_of(task, first);
	switch (action) {
	case ACTION_SEND:
		return send_enter(id, flags, file, sent_buffers(nr, second, third), nr == NR_SENDMMSG ? second : 0);
	case ACTION_RECEIVE:
		asked = receive_flags(nr, third, fourth);
		if (asked & (MSG_PEEK | MSG_ERRQUEUE) || receive_is_quick(file, asked))
			return 0;
		return receive_enter(id, flags, file, received_buffers(nr, second, third), nr == NR_RECVMMSG ? second : 0);
	case ACTION_CONNECT:
		return connect_enter(caller_entry(flags), file, second);
	case ACTION_ACCEPT:
		return accept_begin(id, 0);
	case ACTION_CLOSE:
		return close_enter(caller_entry(flags), file);
	case ACTION_SPLICE:
		return splice_enter(id, flags, file, file_of(task, third));
	default:
		return 0;
	}
}

static __always_inline int call_ends(long nr, __s64 ret)
{
	enum action expected = action_of(nr);
	__u32 action = ACTION_NONE, flags;
	struct call *call;
	__u64 id;

	if (expected == ACTION_NONE || expected == ACTION_WAIT)
		return 0;
	id = caller_id(caller_task());
	flags = caller_flags(id >> 32);
	if (!flags)
		return 0;
	call = call_known(id);
	if (call) {
		action = call->action;
		call->action = ACTION_NONE;
	}
	int late = expected == ACTION_RECEIVE && action != ACTION_RECEIVE && action != ACTION_RECEIVE_DATAGRAMS;
	if (late) {
		call = error_passes(ret) ? NULL : receive_late(id, flags & PROCESS_GO, call, nr);
		action = ACTION_RECEIVE;
	}
	if (!call)
		return 0;
	if (expected != action && expected != ACTION_SPLICE)
		return datagrams_end(id, expected, action, ret);
	switch (action) {
	case ACTION_SEND:
		return send_end(ROOM_SENT, id, call, ret);
	case ACTION_RECEIVE:
		if (!late && !call->sk && udp_adopt(id))
			return udp_receive_end(ROOM_RECEIVE, id, ret);
		return receive_end(ROOM_RECEIVE, id, call, ret);
	case ACTION_ACCEPT:
		return accept_exit(process_find(id >> 32), ret);
	}
	return 0;
}

/* TP_PROTO(struct pt_regs *regs, long id) */
SEC("tp_btf/sys_enter")
int sys_enter(__u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];

	return call_begins(ctx[1], ARGUMENT_1(regs), ARGUMENT_2(regs), ARGUMENT_3(regs), ARGUMENT_4(regs));
}

/* TP_PROTO(struct pt_regs *regs, long ret) */
SEC("tp_btf/sys_exit")
int sys_exit(__u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];

	return call_ends(SYSCALL_NUMBER(regs), ctx[1]);
}

/*
 * The same where a raw tracepoint's program can be preempted: since 7.2 at system calls
 * (kernel/trace/bpf_trace.c, __bpf_trace_run). Then it is left out for another task that
 * comes to it on the same processor. Those of perf's tracepoints cannot be.
 */
SEC("tracepoint/raw_syscalls/sys_enter")
int sys_enter_perf(struct trace_event_raw_sys_enter *ctx)
{
	return call_begins(ctx->id, ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[3]);
}

SEC("tracepoint/raw_syscalls/sys_exit")
int sys_exit_perf(struct trace_event_raw_sys_exit *ctx)
{
	return call_ends(ctx->id, ctx->ret);
}

/* TP_PROTO(const struct sock *sk, const int oldstate, const int newstate) */
SEC("tp_btf/inet_sock_set_state")
int inet_sock_set_state(__u64 *ctx)
{
	return state_changed((struct sock *)ctx[0], (int)ctx[2]);
}

/* TP_PROTO(struct io_kiocb *req) since 6.4 */
SEC("raw_tracepoint/io_uring_submit_req")
int io_uring_submit_req(__u64 *ctx)
{
	return io_uring_submitted(ctx);
}

/* Before: see io_uring_opcode_argument. */
SEC("raw_tracepoint/io_uring_submit_sqe")
int io_uring_submit_sqe(__u64 *ctx)
{
	return io_uring_submitted(ctx);
}
