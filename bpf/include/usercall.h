/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which system call a task is in, from what it had in its registers when it entered the kernel. */
#pragma once

#include "kernel.h"

/* Where the helper is missing, the registers are at the end of a stack of this size
 * (THREAD_SIZE in arch/x86/include/asm/page_64_types.h, arch/arm64/include/asm/memory.h
 * with pages of 4 KiB). */
#define THREAD_SIZE 16384

/* A task's registers as the kernel keeps them; the helper needs 5.15. */
static __always_inline struct pt_regs *user_registers(struct task_struct *task)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (struct pt_regs *)bpf_task_pt_regs(task);
	return READ(task_struct, task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
}

/* The calling task, for user_registers. */
static __always_inline struct task_struct *current_task(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (struct task_struct *)bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

#if defined(__TARGET_ARCH_x86)

#define ENOSYS 38

/*
 * A page fault leaves its error code where a call leaves its number, and interrupts -1.
 * Within a call the result is this one until it is known (arch/x86/entry/entry_64.S).
 */
static __always_inline long user_call(struct pt_regs *regs)
{
	return (long)READ(pt_regs, regs, ax) == -ENOSYS ? (long)READ(pt_regs, regs, orig_ax) : -1;
}

#define USER_ARGUMENT_1(regs) READ(pt_regs, regs, di)
#define USER_ARGUMENT_2(regs) READ(pt_regs, regs, si)
#define USER_STACK(regs) READ(pt_regs, regs, sp)
#define USER_G(regs) READ(pt_regs, regs, r14)

#else

/* -1 outside of calls (arch/arm64/include/asm/ptrace.h, NO_SYSCALL). */
static __always_inline long user_call(struct pt_regs *regs)
{
	return READ(pt_regs, regs, syscallno);
}

#define USER_ARGUMENT_1(regs) READ(pt_regs, regs, orig_x0)
#define USER_ARGUMENT_2(regs) READ(pt_regs, regs, regs[1])
#define USER_STACK(regs) READ(pt_regs, regs, sp)
#define USER_G(regs) READ(pt_regs, regs, regs[28])

#endif
