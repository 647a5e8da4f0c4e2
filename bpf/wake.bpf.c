//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who makes whom run inside of one process: threads by futexes, eventfds, pipes and Unix
 * sockets, goroutines by whatever Go's runtime parks them for. Attached only while user
 * space asks for a process's wake-ups.
 */
#include "goregisters.h"
#include "goroutine.h"
#include "socket.h"
#include "syscalls.h"
#include "usercall.h"
#include "wake.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Only what a variable has is described in the object, and Go compares the layouts. */
const struct wake *wake_layout __attribute__((unused));

/* include/uapi/linux/futex.h */
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP 5
#define FUTEX_UNLOCK_PI 7
#define FUTEX_WAKE_BITSET 10
#define FUTEX_CMP_REQUEUE_PI 12
#define FUTEX_CMD_MASK ~(128 | 256)

static __always_inline int futex_operation_wakes(__u32 operation)
{
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAKE:
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
	case FUTEX_UNLOCK_PI:
	case FUTEX_WAKE_BITSET:
	case FUTEX_CMP_REQUEUE_PI:
		return 1;
	}
	return 0;
}

/* Whether a task waits for a futex. */
static __always_inline int waits_for_futex(struct task_struct *task)
{
	switch (user_call(user_registers(task))) {
	case NR_FUTEX:
	case NR_FUTEX_WAITV:
	case NR_FUTEX_WAIT:
	case NR_RESTART_SYSCALL: /* a wait with a timeout that a signal interrupted */
		return 1;
	}
	return 0;
}

/* include/uapi/linux/magic.h */
#define ANON_INODE_FS_MAGIC 0x09041934

/*
 * Whether bytes written to a file can be somebody's signal: eventfds, pipes and Unix
 * sockets are made for it. Files have locks that others wait for, and what arrives over
 * the network is nobody's deed in particular.
 */
static __always_inline int signals(struct file *file)
{
	struct inode *inode = file ? READ(file, file, f_inode) : NULL;
	struct super_block *sb;
	__u64 number;

	if (!inode)
		return 0;
	switch (READ(inode, inode, i_mode) & S_IFMT) {
	case S_IFIFO:
		return 1;
	case S_IFSOCK: {
		struct sock *sk = sock_of(file, &number);

		return sk && READ(sock, sk, __sk_common.skc_family) == AF_UNIX;
	}
	}
	sb = READ(inode, inode, i_sb);
	return sb && READ(super_block, sb, s_magic) == ANON_INODE_FS_MAGIC;
}

/*
 * Whether the system call that the calling thread is in wakes others, and by which futex.
 * What an interrupt wakes meanwhile is not the thread's deed; where it waits shows that
 * for futexes.
 */
static __always_inline int call_wakes(struct task_struct *woken, __u64 *futex)
{
	struct pt_regs *regs = user_registers(current_task());
	long nr = user_call(regs);

	if (nr == NR_FUTEX || nr == NR_FUTEX_WAKE) {
		if (nr == NR_FUTEX && !futex_operation_wakes(USER_ARGUMENT_2(regs)))
			return 0;
		*futex = USER_ARGUMENT_1(regs);
		return waits_for_futex(woken);
	}
	return action_of(nr) == ACTION_SEND && signals(file_of(caller_task(), (int)USER_ARGUMENT_1(regs)));
}

/*
 * TP_PROTO(struct task_struct *p)
 * Runs for each wake-up on the host, in the context of who wakes: try_to_wake_up in
 * kernel/sched/core.c. Almost all leave at the first comparison.
 */
SEC("tp_btf/sched_waking")
int sched_waking(__u64 *ctx)
{
	struct task_struct *woken = (void *)ctx[0];
	__u64 id = bpf_get_current_pid_tgid();
	__u64 futex = 0;

	if (woken->tgid != (int)(id >> 32) || woken->pid == (int)id)
		return 0;
	struct process *p = process_find(id >> 32);
	if (!p || (p->flags & (PROCESS_WAKES | PROCESS_GO)) != PROCESS_WAKES || is_32bit(caller_task()))
		return 0;
	if (!call_wakes(woken, &futex))
		return 0;
	struct wake *w = wake_reserve();
	if (!w)
		return 0;
	w->futex = futex;
	w->woken_tid = woken->pid;
	bpf_ringbuf_submit(w, event_wakeup());
	return 0;
}

/*
 * func ready(gp *g, traceskip int, next bool), runtime/proc.go
 * goready, by which channels, semaphores and conditions wake, is inlined into all of them;
 * they come here, on the thread's system stack. So the goroutine whose deed it is is not
 * the thread's g but its m's curg. None of it where the timers and the poller wake, and
 * traceskip is 0 there and in the collector of garbage: no stack would explain it.
 */
SEC("uprobe/ready")
int ready(struct registers *ctx)
{
	struct process *p = process_find(bpf_get_current_pid_tgid() >> 32);
	__u32 asked = PROCESS_WAKES | PROCESS_GO;
	__u64 m = 0, waker = 0;

	if (!p || (p->flags & asked) != asked || (__s64)GO_ARGUMENT_2(ctx) <= 0)
		return 0;
	__u64 g0 = GO_G(ctx);
	if (bpf_probe_read_user(&m, sizeof(m), (void *)(g0 + p->m_offset)) ||
	    bpf_probe_read_user(&waker, sizeof(waker), (void *)(m + p->curg_offset)) || !waker)
		return 0;
	struct wake *w = wake_reserve();
	if (!w)
		return 0;
	goroutine_ids(waker, p, &w->goroutine, &w->parent_goroutine);
	goroutine_ids(GO_ARGUMENT(ctx), p, &w->woken_goroutine, &w->woken_parent_goroutine);
	bpf_ringbuf_submit(w, event_wakeup());
	return 0;
}
