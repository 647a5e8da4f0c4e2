/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system calls that are watched: their numbers, and what each does, from the
 * registers at its entry.
 */
#pragma once

#include "thread.h"

/* arch/x86/entry/syscalls/syscall_64.tbl, and include/uapi/asm-generic/unistd.h. */
#if defined(__TARGET_ARCH_x86)
#define NR(x86, arm64) x86
#else
#define NR(x86, arm64) arm64
#endif

enum syscall_number {
	NR_READ = NR(0, 63),
	NR_WRITE = NR(1, 64),
	NR_CLOSE = NR(3, 57),
	NR_POLL = NR(7, -1),
	NR_READV = NR(19, 65),
	NR_WRITEV = NR(20, 66),
	NR_SELECT = NR(23, -2),
	NR_SENDFILE = NR(40, 71),
	NR_CONNECT = NR(42, 203),
	NR_ACCEPT = NR(43, 202),
	NR_SENDTO = NR(44, 206),
	NR_RECVFROM = NR(45, 207),
	NR_SENDMSG = NR(46, 211),
	NR_RECVMSG = NR(47, 212),
	NR_FUTEX = NR(202, 98),
	NR_RESTART_SYSCALL = NR(219, 128),
	NR_EPOLL_WAIT = NR(232, -3),
	NR_PSELECT6 = NR(270, 72),
	NR_PPOLL = NR(271, 73),
	NR_SPLICE = NR(275, 76),
	NR_EPOLL_PWAIT = NR(281, 22),
	NR_ACCEPT4 = NR(288, 242),
	NR_RECVMMSG = NR(299, 243),
	NR_SENDMMSG = NR(307, 269),
	NR_PREADV2 = NR(327, 286),
	NR_PWRITEV2 = NR(328, 287),
	NR_EPOLL_PWAIT2 = 441,
	NR_FUTEX_WAITV = 449,
	NR_FUTEX_WAKE = 454,
	NR_FUTEX_WAIT = 455,
};

/* What the calls do, by their numbers: a load costs less than comparisons at each call of each process on the host. */
static const __u8 actions[] = {
	[NR_READ] = ACTION_RECEIVE,
	[NR_WRITE] = ACTION_SEND,
	[NR_CLOSE] = ACTION_CLOSE,
	[NR_READV] = ACTION_RECEIVE,
	[NR_WRITEV] = ACTION_SEND,
	[NR_SENDFILE] = ACTION_SEND,
	[NR_CONNECT] = ACTION_CONNECT,
	[NR_ACCEPT] = ACTION_ACCEPT,
	[NR_SENDTO] = ACTION_SEND,
	[NR_RECVFROM] = ACTION_RECEIVE,
	[NR_SENDMSG] = ACTION_SEND,
	[NR_RECVMSG] = ACTION_RECEIVE,
	[NR_PSELECT6] = ACTION_WAIT,
	[NR_PPOLL] = ACTION_WAIT,
	[NR_SPLICE] = ACTION_SPLICE,
	[NR_EPOLL_PWAIT] = ACTION_WAIT,
	[NR_ACCEPT4] = ACTION_ACCEPT,
	[NR_RECVMMSG] = ACTION_RECEIVE,
	[NR_SENDMMSG] = ACTION_SEND,
	[NR_PREADV2] = ACTION_RECEIVE,
	[NR_PWRITEV2] = ACTION_SEND,
	[NR_EPOLL_PWAIT2] = ACTION_WAIT,
#if defined(__TARGET_ARCH_x86)
	[NR_POLL] = ACTION_WAIT,
	[NR_SELECT] = ACTION_WAIT,
	[NR_EPOLL_WAIT] = ACTION_WAIT,
#endif
};

static __always_inline enum action action_of(long nr)
{
	return (unsigned long)nr < sizeof(actions) ? actions[nr] : ACTION_NONE;
}

#if defined(__TARGET_ARCH_x86)
#define ARGUMENT_1(regs) ((regs)->di)
#define ARGUMENT_2(regs) ((regs)->si)
#define ARGUMENT_3(regs) ((regs)->dx)
#define ARGUMENT_4(regs) ((regs)->r10)
#define SYSCALL_NUMBER(regs) ((long)(regs)->orig_ax)
#else
#define ARGUMENT_1(regs) ((regs)->orig_x0)
#define ARGUMENT_2(regs) ((regs)->regs[1])
#define ARGUMENT_3(regs) ((regs)->regs[2])
#define ARGUMENT_4(regs) ((regs)->regs[3])
#define SYSCALL_NUMBER(regs) ((long)(regs)->syscallno)
#endif

/*
 * Whether a task runs a 32-bit program, whose numbers and structures are others
 * (arch/x86/include/asm/thread_info.h, arch/arm64/include/asm/thread_info.h).
 */
static __always_inline int is_32bit(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return READ(task_struct, task, thread_info.status) & 0x2; /* TS_COMPAT */
#else
	return READ(task_struct, task, thread_info.flags) & (1UL << 22); /* _TIF_32BIT */
#endif
}
