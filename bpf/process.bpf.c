//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Processes that start, change their program and end. */
#include "event.h"
#include "process.h"
#include "thread.h"
#include "wake.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * Who starts a thread makes it ready to run, which is no wake-up for the scheduler. Threads
 * of Go say nothing.
 */
static __always_inline void thread_started(struct process *p, __u32 tid)
{
	struct wake *w;

	if (!p || (p->flags & (PROCESS_WAKES | PROCESS_GO)) != PROCESS_WAKES)
		return;
	w = wake_reserve();
	if (!w)
		return;
	w->woken_tid = tid;
	bpf_ringbuf_submit(w, event_wakeup());
}

/*
 * TP_PROTO(struct task_struct *parent, struct task_struct *child)
 * The child inherits its parent's entry here, so that it is never untraced
 * for a moment.
 */
SEC("raw_tracepoint/sched_process_fork")
int sched_process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (void *)ctx->args[1];
	__u32 pid = BPF_CORE_READ(child, tgid);
	__u32 parent = bpf_get_current_pid_tgid() >> 32;
	struct process *p = process_find(parent);

	if (pid == parent) { /* a new thread, not a new process */
		thread_started(p, BPF_CORE_READ(child, pid));
		return 0;
	}
	if (p) {
		struct process copy = *p;

		if (bpf_map_update_elem(&processes, &pid, &copy, BPF_ANY))
			count_loss(LOSS_PROCESS_TABLE_FULL);
		processes_changed(); /* an earlier process may have had this id */
	}
	if (!process_traced(p))
		return 0;
	struct event *e = event_reserve(EVENT_FORK);
	if (!e)
		return 0;
	e->number = pid;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/*
 * TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
 * Every exec is reported: the new program's name and environment may select it.
 */
SEC("raw_tracepoint/sched_process_exec")
int sched_process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct process *p = process_find(bpf_get_current_pid_tgid() >> 32);

	if (p && p->flags & PROCESS_NEVER)
		return 0;
	if (p) /* the runtimes' fields are the old program's, and it was asked for that one */
		p->flags &= ~(PROCESS_GO | PROCESS_WAKES | PROCESS_ASYNCIO);
	struct event *e = event_reserve(EVENT_EXEC);
	if (!e)
		return 0;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* The calling thread ends; with the last one its process. */
SEC("raw_tracepoint/sched_process_exit")
int sched_process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32;
	struct process *p = process_find(pid);

	if (!p && !trace_all)
		return 0;
	bpf_map_delete_elem(&calls, &id);
	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	int traced = process_traced(p);
	bpf_map_delete_elem(&processes, &pid);
	processes_changed();
	if (!traced)
		return 0;
	struct event *e = event_reserve(EVENT_EXIT);
	if (!e)
		return 0;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}
